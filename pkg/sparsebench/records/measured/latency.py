"""The file latency.json of an output folder: measured times, each of one machine, beside the records."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ...errors import SparsebenchError
from ...files import write_atomic
from ...validation import validation_message
from ..fields import Finite, Fraction, Identity, Ratio

FILE = "latency.json"
TWO_OF_FOUR = "2:4 kernels"  # the way whose linear layers a GPU's kernels for 2:4 compute
BUSY = 0.25  # cores in use by other programs, from which a machine counts as busy

Count = Annotated[int, Field(ge=0, le=2**60)]
Positive = Annotated[Finite, Field(gt=0)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Timing(BaseModel):
    """The time of one forward pass.

    Attributes:
        median: Seconds.
        low: The first quartile, in seconds.
        high: The third quartile, in seconds.
        passes: How many passes were timed.

    Example:
        >>> Timing(median=2e-3, low=1.9e-3, high=2.2e-3, passes=30).spread
        0.15
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    median: Positive
    low: Positive
    high: Positive
    passes: Annotated[int, Field(ge=1)]

    @property
    def spread(self) -> float:
        """The distance of the quartiles as a fraction of the median."""
        return round((self.high - self.low) / self.median, 6)


class Machine(BaseModel):
    """Where times were measured. Times of different machines are never compared.

    Attributes:
        id: A digest that tells machines apart and names none.
        device: Name of the processor or GPU.
        threads: CPU threads of the measurement.
        versions: Versions of the libraries that computed.
        precision: The type of weights and activations.

    Example:
        >>> Machine(id="0a1b2c3d", device="AMD EPYC", threads=1, versions={"torch": "2.14"}).title
        'AMD EPYC, 1 thread'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: Annotated[str, Field(pattern=r"[0-9a-f]{8}")]
    device: Name
    threads: Annotated[int, Field(ge=1, le=4096)]
    versions: Annotated[dict[Name, Name], Field(max_length=20)]
    precision: Name = "float32"

    @property
    def title(self) -> str:
        """The device, its threads, and the precision where that is not float32."""
        half = "" if self.precision == "float32" else f", {self.precision}"
        return f"{self.device}, {self.threads} {'thread' if self.threads == 1 else 'threads'}{half}"

    @property
    def key(self) -> tuple[str, ...]:
        """What tells two machines apart, whatever their libraries."""
        return (self.id, self.device, str(self.threads), self.precision)


class Size(BaseModel):
    """The size of a network.

    Attributes:
        parameters: Its parameters, zeros included.
        macs: Multiply-accumulates of one image, by operator.
        file_bytes: Bytes of its tensors as a safetensors file.
        memory_bytes: The most bytes of tensors alive at once in a pass over the batch, parameters included.

    Example:
        >>> Size(parameters=10, macs=8, file_bytes=104, memory_bytes=60).macs
        8
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    parameters: Count
    macs: Count
    file_bytes: Count
    memory_bytes: Count


class Latency(BaseModel):
    """The measured times of one model at one batch size, dense and sparse, taken in turns.

    Attributes:
        task: The task, dataset-model.
        entry: The entry.
        at: The common compression that the model was cut to; None for a model as training left it.
        trial: Id of its training.
        batch: Images in a pass.
        machine: Where it was measured.
        others: Cores that other programs used just before.
        dense: Times of the network with its zeros, by runtime.
        sparse: Times of the smaller networks that compute the same, by way and runtime.
        difference: The largest difference of their logits, as a fraction of the largest logit.
        size: The size of the dense network.
        compacted: That of the smallest compacted one.
        csr: The linear layers that were faster as CSR matrices.
        short: Whether this is the short form that ends a run.
        when: Day and time, in UTC.

    Example:
        >>> found = made_up_latency("dwf-3", at=64, batch=64)
        >>> found.fastest_dense, found.fastest_sparse, found.speedup
        ('ONNX Runtime', 'compacted', 2.5)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    task: Name
    entry: Name
    at: Ratio | None = None
    trial: Identity
    batch: Annotated[int, Field(ge=1, le=10**6)]
    machine: Machine
    others: Annotated[Finite, Field(ge=0)]
    dense: Annotated[dict[Name, Timing], Field(min_length=1, max_length=20)]
    sparse: Annotated[dict[Name, Timing], Field(min_length=1, max_length=20)]
    difference: Fraction
    size: Size
    compacted: Size
    csr: tuple[Name, ...] = ()
    short: bool = False
    when: Name

    @property
    def fastest_dense(self) -> str:
        """The runtime in which the dense network was fastest."""
        return min(self.dense, key=lambda name: self.dense[name].median)

    @property
    def fastest_sparse(self) -> str:
        """The way in which the sparse network was fastest."""
        return min(self.sparse, key=lambda name: self.sparse[name].median)

    @property
    def dense_seconds(self) -> float:
        """Seconds of the dense network in its fastest runtime."""
        return self.dense[self.fastest_dense].median

    @property
    def seconds(self) -> float:
        """Seconds of the sparse network in its fastest way."""
        return self.sparse[self.fastest_sparse].median

    @property
    def speedup(self) -> float:
        """The dense network's seconds over the sparse one's, each in its fastest way."""
        return self.dense_seconds / self.seconds

    @property
    def busy(self) -> bool:
        """Whether other programs used the machine."""
        return self.others >= BUSY

    @property
    def key(self) -> tuple[str, ...]:
        """What was measured where: a second measurement of the same replaces the first."""
        return (
            *self.machine.key,
            self.task,
            self.entry,
            "" if self.at is None else f"{self.at:g}",
            str(self.batch),
        )


_ADAPTER = TypeAdapter(list[Latency])


def read_latencies(folder: Path) -> list[Latency]:
    """Returns the measured times of an output folder.

    Args:
        folder: The output folder.

    Returns:
        The times in the order measured; none where nobody has measured.

    Raises:
        SparsebenchError: The file is damaged.

    Example:
        >>> read_latencies(folder)
        []
    """
    path = folder / FILE
    try:
        return parse_latencies(path.read_bytes())
    except FileNotFoundError:
        return []
    except SparsebenchError as error:
        raise SparsebenchError(f"{str(path)!r} is damaged: {error}") from error
    except OSError as error:
        raise SparsebenchError(f"{str(path)!r} cannot be read: {error.strerror}") from error


def parse_latencies(content: bytes) -> list[Latency]:
    """Returns the measured times in the content of a file, of any origin.

    Args:
        content: The content.

    Returns:
        The times in their order.

    Raises:
        SparsebenchError: It is damaged.

    Example:
        >>> parse_latencies(latencies_json([made_up_latency("dwf-3", at=64, batch=1)]).encode())[0].batch
        1
    """
    try:
        return _ADAPTER.validate_json(content)
    except ValidationError as error:
        raise SparsebenchError(validation_message(error)) from error


def write_latencies(folder: Path, found: Iterable[Latency]) -> Path:
    """Writes measured times into an output folder.

    Args:
        folder: The output folder.
        found: The times; of several measurements of the same on one machine the last counts.

    Returns:
        The path of the file.

    Raises:
        SparsebenchError: It cannot be written.

    Example:
        >>> _ = write_latencies(folder, [made_up_latency("dwf-3", at=64, batch=64)])
        >>> [found.entry for found in read_latencies(folder)]
        ['dwf-3']
    """
    return write_atomic(folder / FILE, latencies_json(found))


def latencies_json(found: Iterable[Latency]) -> str:
    """Returns the content of the file.

    Args:
        found: The times; of several measurements of the same on one machine the last counts.

    Returns:
        A JSON list, one line a time.

    Example:
        >>> latencies_json([made_up_latency("dwf-3", at=64, batch=1)] * 2).count("dwf-3")
        1
    """
    latest = {one.key: one for one in found}
    lines = (json.dumps(one.model_dump(mode="json"), separators=(",", ":")) for one in latest.values())
    return "[\n" + ",\n".join(lines) + "\n]\n"
