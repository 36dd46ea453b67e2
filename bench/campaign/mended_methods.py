"""A damaged methods.json, made again from the registered methods, which import torch."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from ...errors import SparsebenchError
from ...files import set_aside, write_atomic
from ...method_docs import FILE, read_methods
from ...records.record import Record


def mend_methods(folder: Path, records: Iterable[Record], say: Callable[[str], None]) -> None:
    """Sets a damaged methods.json aside, and writes it again; does nothing where it is sound or missing.

    A method is left out that is not registered here, or with another version than in the records: then the
    pages have no equation of it, and the next run of the suite writes it.

    Args:
        folder: The output folder.
        records: Its records, which name the methods.
        say: Called with a sentence where the file was damaged.

    Raises:
        SparsebenchError: The folder cannot be written.

    Example:
        >>> _ = (folder / "methods.json").write_text("{")
        >>> mend_methods(folder, records, print)
        '...methods.json' was damaged: it is now 'methods.damaged', and is written again...
        >>> read_methods(folder)["dense"].name
        'dense'
    """
    path = folder / FILE
    if not _damaged(path):
        return
    used = sorted({(record.method, record.method_version) for record in records})
    described = _described(used)
    try:
        aside = set_aside(path)
    except OSError as error:
        raise SparsebenchError(f"cannot write to {str(folder)!r}: {error.strerror}") from error
    write_atomic(path, json.dumps(described, indent=1) + "\n")
    lacking = [name for name, _ in used if name not in described]
    without = f" without {', '.join(lacking)}, which this installation does not have" if lacking else ""
    say(f"{str(path)!r} was damaged: it is now {aside.name!r}, and is written again{without}")


def _damaged(path: Path) -> bool:
    if path.is_dir():
        return True
    try:
        read_methods(path.parent)
    except SparsebenchError:
        return True
    return False


def _described(used: Iterable[tuple[str, int]]) -> dict[str, object]:
    """Returns the descriptions of the methods that are registered with these versions, by name."""
    try:
        from ...methods.api import registry
        from ..config.method_docs import describe_method
    except ImportError:  # a machine that writes reports alone has no torch
        return {}
    return {
        name: describe_method(name)
        for name, version in used
        if name in registry and registry[name].version == version
    }
