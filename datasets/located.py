"""Paths in a dataset's arguments: relative ones are looked for where they were typed."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..commands import PATH_ENDINGS
from .api import data_root, registry


def path_arguments(name: str) -> list[str]:
    """Returns the names of a dataset's arguments that are paths.

    Args:
        name: The dataset's name in the registry.

    Returns:
        Those whose default is a `Path`, and texts whose names end as in `PATH_ENDINGS`, such as `csv_file`.

    Example:
        >>> path_arguments("image_folder"), path_arguments("digits")
        (['path'], [])
    """
    return [
        key
        for key, default in registry[name].args.items()
        if isinstance(default, Path) or (isinstance(default, str) and key.rpartition("_")[2] in PATH_ENDINGS)
    ]


def located(
    name: str, args: Mapping[str, Any], base: str | Path | None = None, root: str | Path | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Returns a dataset's arguments with absolute paths.

    Args:
        name: The dataset's name in the registry.
        args: Its arguments as they were typed.
        base: The folder of a suite or of a command, in which relative paths are looked for first; None for
            the working directory.
        root: The data root, in which they are looked for then.

    Returns:
        The arguments, and a note for each path that was found in the data root alone.

    Example:
        >>> Path("pets").mkdir()
        >>> args, notes = located("image_folder", {"path": "pets", "size": 32})
        >>> args == {"path": str(Path("pets").resolve()), "size": 32}, notes
        (True, [])
    """
    found, notes = dict(args), []
    for key in path_arguments(name):
        typed = found.get(key)
        if not isinstance(typed, str | os.PathLike) or not os.fspath(typed):
            continue
        path = Path(typed).expanduser()
        here, there = (Path.cwd() if base is None else Path(base)) / path, (data_root(root) / path).absolute()
        if not here.exists() and there.exists():
            notes.append(f"{key} = {str(typed)!r} is not in {str(here.parent)!r}: taken from the data folder")
            here = there
        found[key] = str(here.absolute())
    return found, notes
