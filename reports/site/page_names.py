"""The file names of the pages of entries and tasks, safe on every file system. No torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from ..analysis.leaderboard import TaskLeaderboard
from ..formatting import natural, slug


@dataclass(frozen=True)
class Addresses:
    """The file names of a site's pages, which links between them use.

    Attributes:
        entries: File names by entry, entries in natural order.
        tasks: File names by task.

    Example:
        >>> Addresses.of([board])
        Addresses(entries={'dense': 'entry-dense.html', 'dwf-3': 'entry-dwf-3.html',
                           'magnitude': 'entry-magnitude.html'},
                  tasks={'made_up-net': 'task-made_up-net.html'})
    """

    entries: dict[str, str]
    tasks: dict[str, str]

    @classmethod
    def of(cls, found: Sequence[TaskLeaderboard]) -> "Addresses":
        """Returns the file names for the boards' entries and tasks."""
        entries = {row.entry for board in found for row in board.rows}
        ordered = sorted(entries, key=lambda name: (natural(name), name))
        return cls(_named("entry", ordered), _named("task", [board.task for board in found]))


def _named(kind: str, names: Iterable[str]) -> dict[str, str]:
    """Returns a file name for each name; those equal but for case, one file on some systems, get a hash."""
    taken: set[str] = set()
    found: dict[str, str] = {}
    for name in names:
        stem = slug(name)
        if stem.casefold() in taken:
            stem += f"-{sha256(name.encode()).hexdigest()[:8]}"
        taken.add(stem.casefold())
        found[name] = f"{kind}-{stem}.html"
    return found
