"""How models are measured. No torch: the command line makes it before torch is imported."""

from dataclasses import dataclass

from ...errors import SparsebenchError

BATCHES = (1, 64)
SINGLE, HALF = "float32", "float16"


@dataclass(frozen=True)
class Options:
    """How a folder's models are measured.

    Attributes:
        device: The device.
        threads: CPU threads.
        seconds: Seconds for each model and batch size, after the warm-up.
        batches: Images in a pass.
        short: Whether eager and compacted alone are measured.
        precision: `SINGLE`, or `HALF` on a GPU, whose kernels for 2:4 read no other.

    Example:
        >>> Options().batches
        (1, 64)
    """

    device: str = "cpu"
    threads: int = 1
    seconds: float = 1.0
    batches: tuple[int, ...] = BATCHES
    short: bool = False
    precision: str = SINGLE


def checked_options(
    device: str, threads: int, seconds: float, batches: tuple[int, ...], precision: str
) -> Options:
    """Returns the options of a whole measurement.

    Args:
        device: The device.
        threads: CPU threads.
        seconds: Seconds for each model and batch size.
        batches: Images in a pass.
        precision: `SINGLE` or `HALF`.

    Returns:
        The options.

    Raises:
        SparsebenchError: There is no such precision, or not on this device.

    Example:
        >>> checked_options("cpu", 1, 1.0, (1,), "float16")
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: --precision float16 is for GPUs; the device is cpu
    """
    if precision not in (SINGLE, HALF):
        raise SparsebenchError(f"--precision is {SINGLE} or {HALF}, not {precision!r}")
    if precision == HALF and not device.startswith("cuda"):
        raise SparsebenchError(f"--precision {HALF} is for GPUs; the device is {device}")
    return Options(device, threads, seconds, batches, precision=precision)
