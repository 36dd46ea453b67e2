"""The datasets that this process has open, each checked once: images and labels are what training takes."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...datasets.api import Data, open_dataset, registry
from ...datasets.located import located
from .checks import OURS, checked

Guard = Callable[[Callable[[str], None], str], AbstractContextManager[None]]
"""Called with a function that takes a sentence, and the name of what runs within."""


def unguarded(say: Callable[[str], None], who: str) -> AbstractContextManager[None]:
    """Returns a context that does nothing, as a `Guard`.

    Args:
        say: Not called.
        who: Not used.

    Returns:
        The context.

    Example:
        >>> with unguarded(print, "the dataset 'mine'"):
        ...     pass
    """
    return nullcontext()


@lru_cache(maxsize=4)
def _opened(name: str, root: str | None, args: tuple[tuple[str, Any], ...], guard: Guard) -> Data:
    return _guarded(name, root, dict(args), guard)


def open_data(
    name: str,
    root: str | Path | None = None,
    args: dict[str, Any] | None = None,
    base: str | Path | None = None,
    guard: Guard = unguarded,
) -> Data:
    """Returns a dataset, which the process keeps open: the next trial on it need not read it again.

    The four datasets that were opened last are cached.

    Args:
        name: Name of a registered dataset.
        root: The folder of datasets; SPARSEBENCH_DATA or the user's cache where it is None.
        args: Arguments of the dataset.
        base: The folder in which relative paths among them are looked for before the folder of datasets; None
            for the working directory.
        guard: Surrounds the opening of a dataset that is not one of sparsebench's own.

    Returns:
        The opened dataset; the same object for the same arguments.

    Raises:
        SparsebenchError: As `open_dataset`; or what it has is not what training takes, as `checked` says.

    Example:
        >>> planted = open_data("planted", args={"n": 320, "valid": 64})
        >>> planted.shape, planted is open_data("planted", args={"valid": 64, "n": 320})
        ((1, 8, 8), True)
    """
    places, notes = located(name, args or {}, base, root)
    data = _open(name, root, places, guard)
    return replace(data, notes=(*notes, *data.notes)) if notes else data


def forget_data() -> None:
    """Closes the datasets that are open, after code of others that may have changed their images.

    Example:
        >>> planted = open_data("planted", args={"n": 320, "valid": 64})
        >>> forget_data()
        >>> planted is open_data("planted", args={"n": 320, "valid": 64})
        False
    """
    _opened.cache_clear()


def _open(name: str, root: str | Path | None, args: dict[str, Any], guard: Guard) -> Data:
    key = tuple(sorted(args.items()))
    try:
        hash(key)
    except TypeError:  # such as a list: no dataset takes one, and opening it raises
        return _guarded(name, root, args, guard)
    return _opened(name, None if root is None else str(root), key, guard)


def _guarded(name: str, root: str | Path | None, args: dict[str, Any], guard: Guard) -> Data:
    """Opens and checks a dataset, one of others within the guard; what that says becomes a note."""
    if registry[name].open.__module__.startswith(f"{OURS}."):
        return checked(name, open_dataset(name, root, **args))
    notes: list[str] = []
    with guard(notes.append, f"the dataset {name!r}"):
        data = checked(name, open_dataset(name, root, **args))
    return replace(data, notes=(*data.notes, *notes)) if notes else data
