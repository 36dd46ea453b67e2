"""The model of a trial, read from a file of untrusted origin into the network that its record names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import torch
from torch import Tensor, nn

from ...errors import SparsebenchError, printable
from ...records.record import Record
from ..exchange.manifest import MOST_MODEL
from ..models.factory import maker_of, rebuild
from ..models.model_file import read_card

MOST_HEADER = 16 << 20  # bytes: names, shapes and the card of some ten thousand tensors
MOST_ARGUMENT = 1_000_000  # of a number among the arguments of a model or a dataset
LONGEST_ARGUMENTS = 10_000  # characters
BLOCK = 1 << 20
PICKLES = (b"\x80", b"PK\x03\x04", b"(", b"c")  # what begins a file of torch.save, or of pickle
DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8",
    torch.bool: "BOOL",
}  # fmt: skip


def check_arguments(what: str, arguments: Mapping[str, Any]) -> None:
    """Raises where the arguments of a model or a dataset could ask for more than any benchmark has.

    Args:
        what: Whose they are, for the message.
        arguments: The arguments, as a record of a stranger has them.

    Raises:
        SparsebenchError: A number is too large, or there is too much text.

    Example:
        >>> check_arguments("model", {"depth": 10**9})
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: the model's arguments have a number above 1,000,000
    """
    if len(repr(arguments)) > LONGEST_ARGUMENTS:
        raise SparsebenchError(f"the {what}'s arguments have more than {LONGEST_ARGUMENTS:,} characters")
    left: list[Any] = [arguments]
    while left:
        value = left.pop()
        if isinstance(value, Mapping):
            left += value.values()
        elif isinstance(value, list | tuple):
            left += value
        elif isinstance(value, int | float) and abs(value) > MOST_ARGUMENT:
            raise SparsebenchError(f"the {what}'s arguments have a number above {MOST_ARGUMENT:,}")


def network_of(record: Record, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Returns the network that a record names, with new weights.

    Args:
        record: The record, of untrusted origin.
        shape: (C, H, W) of an image.
        classes: The number of logits.

    Returns:
        The network on the CPU, in eval mode.

    Raises:
        SparsebenchError: There is no such model, its arguments are not valid, or it is too large.

    Example:
        >>> fields = {"model": "lenet_300_100"}
        >>> network_of(record.model_copy(update=fields), (1, 8, 8), 10)[-1]
        Linear(in_features=100, out_features=10, bias=True)
    """
    check_arguments("model", record.model_args)
    maker_of(record.model)  # imported before: what an import computes needs memory
    try:
        with torch.device("meta"):  # shapes without memory
            size = _bytes(rebuild(record.model, shape, classes, record.model_args)[0].state_dict())
    except (SparsebenchError, RuntimeError, NotImplementedError):
        size = 0  # a few models compute while they are built
    if size > MOST_MODEL:
        raise SparsebenchError(f"the model {record.model!a} has more than {MOST_MODEL >> 30} GiB")
    return rebuild(record.model, shape, classes, record.model_args)[0].eval()


def _bytes(state: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values())


@contextmanager
def bounded_copy(stream: IO[bytes], most: int) -> Iterator[Path]:
    """Context manager that copies a stream to a temporary file, as safetensors reads files alone.

    Args:
        stream: The stream, of untrusted origin.
        most: The most bytes that are copied.

    Yields:
        The path of the copy, which is deleted afterwards.

    Raises:
        SparsebenchError: The stream is longer.

    Example:
        >>> from io import BytesIO
        >>> with bounded_copy(BytesIO(b"abc"), 3) as path:
        ...     path.read_bytes()
        b'abc'
    """
    with TemporaryDirectory(prefix="sparsebench-") as folder:
        path, length = Path(folder) / "model.safetensors", 0
        with path.open("wb") as file:
            while block := stream.read(min(BLOCK, most + 1 - length)):
                length += len(block)
                if length > most:
                    raise SparsebenchError(f"it is larger than the {most:,} bytes that such a model has")
                file.write(block)
        yield path


def most_bytes(network: nn.Module) -> int:
    """Returns the most bytes that the file of a network's weights may have.

    Args:
        network: The network.

    Returns:
        The bytes of its tensors and of the largest header.

    Example:
        >>> most_bytes(model) - MOST_HEADER
        202440
    """
    return _bytes(network.state_dict()) + MOST_HEADER


def load_weights(path: Path, network: nn.Module, identity: str) -> None:
    """Reads the weights of a file into a network, after all that the file says of them was checked.

    Args:
        path: The file.
        network: The network that its record names; it gets the weights.
        identity: The id of the trial that the file is said to be of.

    Raises:
        SparsebenchError: It is no safetensors file, is the model of another trial, has other tensors than the
            network, or a weight that is not finite.

    Example:
        >>> from sparsebench.bench.models.model_file import save_model
        >>> save_model(model, data, record, Path("model.safetensors"))
        >>> load_weights(Path("model.safetensors"), model, record.id)
        >>> load_weights(Path("model.safetensors"), model, "0" * 16)
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: it is the model of another trial, ...
    """
    from safetensors import SafetensorError, safe_open

    _check_header(path)
    expected = network.state_dict()
    try:
        with safe_open(path, framework="pt") as file:
            if wrong := _differences(file, expected):
                raise SparsebenchError(f"its layers are not those of the network: {wrong}")
        card = read_card(path)
        if card.id != identity:
            raise SparsebenchError(f"it is the model of another trial, {card.id}")
        with safe_open(path, framework="pt") as file, torch.no_grad():
            for name, tensor in expected.items():
                tensor.copy_(file.get_tensor(name))
    except (OSError, SafetensorError) as error:
        raise SparsebenchError(f"it is no intact safetensors file ({printable(str(error), 200)})") from error
    for name, parameter in network.named_parameters():
        if not bool(parameter.isfinite().all()):
            raise SparsebenchError(f"a weight in {name!a} is not finite")
    for name, buffer in network.named_buffers():
        if bool(buffer.isnan().any()):
            raise SparsebenchError(f"a value in {name!a} is not a number")


def _check_header(path: Path) -> None:
    """Raises where a file does not begin as a safetensors file does: no library reads what it declares."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(9)
    declared = int.from_bytes(start[:8], "little")
    if len(start) == 9 and start[8:] == b"{" and declared <= MOST_HEADER and declared + 8 <= size:
        return
    if start.startswith(PICKLES) and start[8:] != b"{":
        raise SparsebenchError(
            "it is no safetensors file but a pickle, which could run code: it is not opened"
        )
    if start[8:] == b"{":
        raise SparsebenchError(
            f"its header is said to have {declared:,} bytes, more than the file or the limit"
        )
    raise SparsebenchError("it is no safetensors file")


def _differences(file: Any, expected: Mapping[str, Tensor]) -> str:
    """Returns in words how the tensors of a file differ from those of a network; empty for equal ones."""
    names, wrong = set(file.keys()), list[str]()
    wrong += [f"it has no {name!a}" for name in sorted(expected.keys() - names)]
    wrong += [f"it has a {name[:80]!a}" for name in sorted(names - expected.keys())]
    for name in sorted(expected.keys() & names):
        found, tensor = file.get_slice(name), expected[name]
        if tuple(found.get_shape()) != tuple(tensor.shape):
            wrong.append(f"{name!a} is {tuple(found.get_shape())}, not {tuple(tensor.shape)}")
        elif found.get_dtype() != DTYPES.get(tensor.dtype):
            wrong.append(f"{name!a} is {found.get_dtype()}, not {DTYPES.get(tensor.dtype, tensor.dtype)}")
    return "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
