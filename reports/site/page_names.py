"""The pages' file names: one an entry, one a task, safe on every file system. No torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from ..analysis.boards import TaskLeaderboard
from ..formatting import natural, slug


@dataclass(frozen=True)
class Addresses:
    """File names by entry and by task."""

    entries: dict[str, str]
    tasks: dict[str, str]

    @classmethod
    def of(cls, found: Sequence[TaskLeaderboard]) -> "Addresses":
        entries = {row.entry for board in found for row in board.rows}
        ordered = sorted(entries, key=lambda name: (natural(name), name))
        return cls(_named("entry", ordered), _named("task", [board.task for board in found]))


def _named(kind: str, names: Iterable[str]) -> dict[str, str]:
    """Names that differ in capitals alone are one file on some systems: they get a piece of their hash."""
    taken: set[str] = set()
    found: dict[str, str] = {}
    for name in names:
        stem = slug(name)
        if stem.casefold() in taken:
            stem += f"-{sha256(name.encode()).hexdigest()[:8]}"
        taken.add(stem.casefold())
        found[name] = f"{kind}-{stem}.html"
    return found
