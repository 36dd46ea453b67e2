"""What a warm process does ahead for the trials that are forked from it: imports of plugins, data opened.

Code of others, a plugin or the opener of its dataset, may leave threads or a GPU's context, after which a
process cannot be forked safely: a trial would hang in its first operator. Therefore it is tried in a process
of its own first. Where it leaves such, it runs in each trial's process, not in the warm one.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from ...registry import awaiting_plugins
from ..system.isolation.forks import left_behind
from ..system.isolation.plugins import load_plugins
from ..training.warm import data_of_others, open_ahead
from .trial_process import Run, TrialProcess


class WarmProcess:
    """This process, which trials are forked from.

    Args:
        closing: Descriptors of this process that those forked from it must not hold.

    Example:
        >>> warm = WarmProcess()
        >>> _ = Path("busy.py").write_text("import threading; threading.Timer(600, print).start()")
        >>> warm.load_plugins(["busy.py"])
        plugins leave 1 thread: each trial imports them in its own process
        >>> import sys
        >>> process = warm.fork(lambda asked: str("plugin_busy" in "".join(sys.modules)))
        >>> process.wait_for_answer(), "plugin_busy" in "".join(sys.modules)
        ('True', False)
        >>> process.end()
    """

    def __init__(self, closing: Iterable[int] = ()) -> None:
        self._closing = tuple(closing)
        self._later: list[Callable[[], object]] = []
        self._unfit: dict[str, bool] = {}  # of the datasets of others that have been tried

    def load_plugins(self, paths: Iterable[str | Path], origins: Mapping[Path, str] | None = None) -> None:
        """Imports installed plugins and plugin files, here or in each trial's process.

        Arguments are those of the function `load_plugins`.

        Raises `SparsebenchError` where a file cannot be imported.
        """
        step = partial(load_plugins, tuple(paths), print, origins)
        left = self._tried(step) if step.args[0] or awaiting_plugins() else ""
        if left and not left.startswith("died"):  # else it dies here too, and the worker's end is told
            print(f"plugins leave {left}: each trial imports them in its own process")
            self._later.append(step)
        else:
            step()

    def open(self, trial: str, data_root: str | None, device: str) -> None:
        """Opens the data of a trial, given as JSON, unless its process has to do it.

        Arguments are those of `open_ahead`. The error of an opener comes again in the trial's process.
        """
        step = partial(open_ahead, trial, data_root, device)
        others = data_of_others(trial)
        if others and others not in self._unfit:
            left = self._tried(step)
            self._unfit[others] = bool(left)
            if left:
                print(f"the dataset of {others} leaves {left}: each trial opens it in its own process")
        if not self._unfit.get(others):
            step()

    def fork(self, run: Run) -> TrialProcess:
        """Returns a process forked from this one, which runs a trial by `run`, as `TrialProcess` does."""
        return TrialProcess(partial(_run_after, tuple(self._later), run), self._closing)

    def _tried(self, step: Callable[[], object]) -> str:
        """Returns what a step leaves that no fork survives, or how it ends the process; empty for neither."""
        process = TrialProcess(partial(_try, step), self._closing)
        said = process.wait_for_answer()
        process.end()
        return said


def _try(step: Callable[[], object], asked: Callable[[], bool]) -> str:
    try:
        step()
    except Exception:
        return ""  # it comes again, where it is told
    return left_behind()


def _run_after(steps: Iterable[Callable[[], object]], run: Run, asked: Callable[[], bool]) -> str:
    for step in steps:
        step()
    return run(asked)
