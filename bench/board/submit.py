"""The submission of an archive to a board elsewhere: a clone, a branch and a commit, made with git alone."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...commands import path_word
from ...errors import SparsebenchError, printable
from ..exchange.archive import read_archive
from ..exchange.pack import ENDING
from ..verification.verify import Place
from .git import git, submitter
from .intake import add_archive
from .layout import Submission, read_board

MOST_PUSHED = 100 << 20  # bytes of a file that GitHub takes
GITHUB = re.compile(
    r"(?:https://github\.com/|git@github\.com:|ssh://git@github\.com/)([\w.-]+/[\w.-]+?)(?:\.git)?/?"
)


@dataclass(frozen=True)
class Submitted:
    """A branch that is ready to be pushed.

    Attributes:
        clone: The clone of the board.
        branch: The branch with the submission, one commit.
        files: How many submissions it adds.
        lines: The lines that push it and open the pull request.

    Example:
        >>> done = Submitted(Path("board"), "submit/mine", 1, ["git -C board push origin submit/mine"])
        >>> done.files
        1
    """

    clone: Path
    branch: str
    files: int
    lines: list[str]


def submit(
    archive: Path, to: str, clone: Path | None = None, by: str | None = None, place: Place | None = None
) -> Submitted:
    """Prepares the branch that submits an archive to a board; nothing is pushed, and no token is asked for.

    Args:
        archive: The archive, as `sparsebench pack` makes it.
        to: The repository of the board, or a fork of it: an address or a path that git can clone.
        clone: The folder of the clone, which must not exist; None for `<archive>-board` here.
        by: Who submits; None for the name that git commits with.
        place: Where the data are, and the device of the verification.

    Returns:
        The branch, with the lines that push it and open the pull request.

    Raises:
        SparsebenchError: The archive is damaged, the repository cannot be cloned or is no board.
        IncompatibleResults: The board refuses the results; `reasons` has one line for each reason.

    Example:
        >>> submit(Path("lost.zip"), "board")
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: 'lost.zip' is no archive: make one with `sparsebench pack`
    """
    if not archive.is_file():
        raise SparsebenchError(f"{str(archive)!r} is no archive: make one with `sparsebench pack`")
    read_archive(archive)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", archive.name.removesuffix(ENDING).removesuffix(".zip")).strip(
        "-."
    )
    clone = clone or Path(f"{stem or 'results'}-board")
    if clone.exists():
        raise SparsebenchError(
            f"{str(clone)!r} is there already: remove it, or name another folder with --clone"
        )
    source = str(Path(to).resolve()) if Path(to).exists() else to
    git(Path(), "clone", "--quiet", "--", source, str(clone))
    try:
        main = git(clone, "rev-parse", "--abbrev-ref", "HEAD").strip()
        made = add_archive(read_board(clone), archive, by or submitter(clone), place)
        branch = _committed(clone, made)
    except BaseException:
        shutil.rmtree(clone, ignore_errors=True)  # so that the same command can be tried again
        raise
    large = sum(one.archive.stat().st_size > MOST_PUSHED for one in made)
    return Submitted(clone, branch, len(made), _lines(to, clone, main, branch, large))


def _committed(clone: Path, made: Sequence[Submission]) -> str:
    """Commits submissions on a branch of their own; returns its name."""
    branch = f"submit/{made[0].folder.name}"
    git(clone, "switch", "--quiet", "--create", branch)
    git(clone, "add", "--force", "--", *(str(one.folder.relative_to(clone)) for one in made))
    message = f"Add {', '.join(one.folder.name for one in made)}"
    git(clone, "commit", "--quiet", "--message", printable(message, 500))
    return branch


def _lines(to: str, clone: Path, main: str, branch: str, large: int) -> list[str]:
    """Returns the lines that push a branch and open the pull request, with what stands against it."""
    push = f"git -C {path_word(clone)} push origin {path_word(branch)}"
    found = GITHUB.fullmatch(to)
    if found:
        open_ = f"https://github.com/{found[1]}/compare/{main}...{branch}?expand=1"
    else:
        open_ = f"then ask for {branch} to be merged into {main} of {printable(to, 300)}"
    warning = f"{large} archives have more than {MOST_PUSHED >> 20} MiB, which GitHub does not take: "
    return [*([warning + "pack fewer tasks or entries"] if large else []), push, open_]
