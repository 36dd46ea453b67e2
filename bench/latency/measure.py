"""One finished model, dense and sparse, in all its runtimes: times, sizes and how far logits differ."""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from ...errors import SparsebenchError
from ...records.measured.latency import TWO_OF_FOUR, Size, Timing
from ..compaction.compact import compact
from ..export.compacted import sample_images
from ..export.load_snippet import build_network
from ..measurement.graph.trace import traced
from ..models.model_file import ModelCard
from .csr import CSR
from .kernels import Kernel, faster_layers, with_kernel
from .options import HALF, Options
from .runtimes import COMPILED, EAGER, ONNX, Call, compiled, onnx_is_there, onnx_runtime
from .semi_structured import SEMI_STRUCTURED
from .size import network_size
from .timing import largest_difference, pinned_threads, timings

COMPACTED = "compacted"
SELECTING = "compacted, selecting"
IN_ONNX = f", {ONNX}"
WITH_CSR = "compacted, CSR"

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class Measured:
    """What was measured of a model at one batch size; its fields are some of those of `Latency`.

    Attributes:
        batch: Images in a pass.
        dense: Times of the dense network by runtime.
        sparse: Times of the smaller ones.
        difference: The largest difference of their logits.
        size: The size of the dense network.
        compacted: That of the smallest compacted one.
        csr: The linear layers that are CSR matrices.

    Example:
        >>> [name for name in Measured.__dataclass_fields__][:3]
        ['batch', 'dense', 'sparse']
    """

    batch: int
    dense: dict[str, Timing]
    sparse: dict[str, Timing]
    difference: float
    size: Size
    compacted: Size
    csr: tuple[str, ...]


class Bench:
    """The measurements of one network architecture, whose dense runtimes are made once.

    Args:
        network: The network, on the CPU; it is changed.
        images: Real images `(N, C, H, W)` on the CPU; repeated where a batch needs more.
        options: How to measure.
        say: Called with a sentence where a runtime cannot be used.

    Example:
        >>> images, _ = next(iter(data.valid.batches(8, torch.device("cpu"))))
        >>> bench = Bench(model, images, Options(seconds=0, batches=(4,), short=True), print)
        >>> [(found.batch, [*found.dense], [*found.sparse]) for found in bench.measure(model.state_dict())]
        [(4, ['eager'], ['compacted'])]
    """

    def __init__(
        self, network: nn.Module, images: Tensor, options: Options, say: Callable[[str], None]
    ) -> None:
        self.network, self.images, self.options, self.say = network.eval().float(), images, options, say
        self.placed = self._place(self.network)
        self._compiled: dict[int, Call] = {}
        self._unusable: set[str] = set()

    def measure(self, state: dict[str, Tensor]) -> Iterator[Measured]:
        """Yields what is measured of a finished model, batch size by batch size.

        Args:
            state: Its state dict.

        Raises:
            SparsebenchError: The model cannot be compacted, or a runtime gives other logits.
        """
        self.network.load_state_dict(state)
        if self.placed is not self.network:
            self.placed.load_state_dict(state)
        small = self._smaller()
        sizes = {n: self._sizes(small.get(SELECTING, small[COMPACTED]), n) for n in self.options.batches}
        exported = {} if self.options.short else self._exported({EAGER: self.network, **small})
        graphs = {} if self.options.short else self._graphs(small[COMPACTED])
        placed = {name: self._place(net) for name, net in small.items()}
        with pinned_threads(self.options.threads):
            for count in self.options.batches:
                batch = self._batch(count).to(self.options.device, self._type)
                dense: dict[str, Call] = {EAGER: self.placed, **self._dense_runtimes(batch)}
                dense |= {ONNX: exported[EAGER]} if EAGER in exported else {}
                sparse: dict[str, Call] = {**placed}
                sparse |= {f"{k}{IN_ONNX}": exported[k] for k in small if k in exported}
                layers = self._add_kernels(graphs, batch, sparse)
                ways = {**dense, **sparse}
                difference = largest_difference(ways, batch)
                found = timings(ways, batch, seconds=self.options.seconds)
                of_dense, of_sparse = ({name: found[name] for name in own} for own in (dense, sparse))
                csr = tuple(layers.get(WITH_CSR, ()))
                yield Measured(count, of_dense, of_sparse, difference, *sizes[count], csr)

    @torch.inference_mode()
    def pass_seconds(self) -> float:
        """Returns about how long the dense network takes for one image."""
        for _ in range(2):
            start = time.perf_counter()
            self.network(self.images[:1])
        return time.perf_counter() - start

    def _batch(self, count: int) -> Tensor:
        """Returns as many images, from the first one again where there are not enough."""
        return self.images[torch.arange(count) % len(self.images)]

    def _sizes(self, smaller: nn.Module, count: int) -> tuple[Size, Size]:
        batch = self._batch(count)
        return network_size(self.network, batch), network_size(smaller, batch)

    def _smaller(self) -> dict[str, nn.Module]:
        """Returns the compacted network, and the one whose layers select channels where that is another."""
        plain = compact(self.network, self.images)
        selecting = compact(self.network, self.images, select=True)
        found = {COMPACTED: plain.module}
        if selecting.counts.weights_after < plain.counts.weights_after:
            found[SELECTING] = selecting.module
        return found

    def _exported(self, networks: dict[str, nn.Module]) -> dict[str, Call]:
        """Returns networks in ONNX Runtime, where that is there."""
        if self.options.device != "cpu" or not onnx_is_there() or ONNX in self._unusable:
            return {}
        shape = tuple(self.images.shape[1:])
        try:
            return {k: onnx_runtime(net, shape, self.options.threads) for k, net in networks.items()}
        except SparsebenchError as error:
            self._leave_out(ONNX, error)
            return {}

    def _dense_runtimes(self, batch: Tensor) -> dict[str, Call]:
        """Returns the compiled network, made once for each batch size: it reads weights as they are."""
        if self.options.short or COMPILED in self._unusable:
            return {}
        if len(batch) not in self._compiled:
            try:
                self._compiled[len(batch)] = compiled(self.placed, batch)
            except SparsebenchError as error:
                self._leave_out(COMPILED, error)
                return {}
        return {COMPILED: self._compiled[len(batch)]}

    def _graphs(self, compacted: nn.Module) -> dict[str, tuple[GraphModule, Kernel]]:
        """Returns the graphs some of whose linear layers a kernel may compute, with the kernel of each."""
        shape = tuple(self.images.shape[1:])
        found = {WITH_CSR: (traced(compacted, shape), CSR)}
        if self.options.precision == HALF:
            found[TWO_OF_FOUR] = (traced(self.network, shape), SEMI_STRUCTURED)
        return {name: (self._place(graph), kernel) for name, (graph, kernel) in found.items()}

    def _add_kernels(
        self, graphs: dict[str, tuple[GraphModule, Kernel]], batch: Tensor, ways: dict[str, Call]
    ) -> dict[str, list[str]]:
        """Adds the networks with layers that are faster with a kernel, and returns these layers."""
        chosen: dict[str, list[str]] = {}
        for name, (graph, kernel) in graphs.items():
            if name in self._unusable:
                continue
            try:
                chosen[name] = faster_layers(graph, batch, kernel, self.options.seconds / 4)
            except SparsebenchError as error:
                self._leave_out(name, error)
                continue
            if chosen[name]:
                ways[name] = with_kernel(graph, chosen[name], kernel)
        return chosen

    @property
    def _type(self) -> torch.dtype:
        return torch.float16 if self.options.precision == HALF else torch.float32

    def _place(self, network: Net) -> Net:
        """Returns a network on the device: on the CPU itself, else a copy, as compaction reads the first."""
        if self.options.device == "cpu":
            return network
        return copy.deepcopy(network).to(self.options.device, self._type)

    def _leave_out(self, runtime: str, error: SparsebenchError) -> None:
        self._unusable.add(runtime)
        self.say(f"{error}: this runtime is left out")


def open_bench(
    card: ModelCard,
    base: str | None,
    options: Options,
    say: Callable[[str], None],
    data: str | Path | None = None,
) -> Bench:
    """Returns what measures the models of a task, on images of its validation split.

    Args:
        card: The card of one of its models, which names dataset and network.
        base: Folder that relative paths among the dataset's arguments are counted from.
        options: How to measure.
        say: Called with a sentence where a runtime cannot be used.
        data: Folder of the datasets.

    Returns:
        The measurements.

    Raises:
        SparsebenchError: The dataset is not there, or the network cannot be built.

    Example:
        >>> from sparsebench.bench.models.model_file import read_card
        >>> from sparsebench.bench.training.trial import run
        >>> _ = run(trial, save=Path("model.safetensors"))
        >>> open_bench(read_card(Path("model.safetensors")), None, Options(), print).images.shape
        torch.Size([64, 1, 8, 8])
    """
    return Bench(build_network(card), sample_images(card, data, base).float(), options, say)


def now() -> str:
    """Returns day and time in UTC.

    Returns:
        The time as ISO 8601 has it, to the second.

    Example:
        >>> now()
        '20...'
    """
    return datetime.now(UTC).isoformat(timespec="seconds")
