"""The beginning of a board: its files, among them what continuous integration runs."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from ...errors import SparsebenchError, printable
from ...files import write_atomic
from ..config.suite import load_suite, shipped
from ..system.environment import versions
from .layout import BOARD, SUITES, Board, BoardFile, read_board, suite_text

TEMPLATES = Path(__file__).parent / "templates"
WORKFLOWS = ".github/workflows"
FILES = {
    "README.md": "README.md",
    "RULES.md": "RULES.md",
    "check.yml": f"{WORKFLOWS}/check.yml",
    "comment.yml": f"{WORKFLOWS}/comment.yml",
    "site.yml": f"{WORKFLOWS}/site.yml",
    "requirements.txt": "requirements.txt",
    "gitignore": ".gitignore",
    "gitattributes": ".gitattributes",
}


def start_board(
    folder: Path, name: str | None = None, suites: Sequence[str] = (), requirement: str | None = None
) -> Board:
    """Makes a board: its board.json, frozen suites, pages for people, and workflows for GitHub Actions.

    Args:
        folder: The folder, new or empty but for what a version control system keeps there.
        name: The board's name; None for that of the folder.
        suites: Names of shipped suites or TOML files, which are frozen.
        requirement: What pip installs to check submissions; None for this version of sparsebench.

    Returns:
        The board.

    Raises:
        SparsebenchError: The folder has files already, or cannot be written; or there is no such suite.

    Example:
        >>> board = start_board(Path("board"), "Sparse nets", ["quickstart"])
        >>> board.told.name, list(board.frozen), sorted(path.name for path in Path("board").iterdir())[-3:]
        ('Sparse nets', ['quickstart'], ['board.json', 'requirements.txt', 'suites'])
    """
    if folder.exists() and any(path.name != ".git" for path in folder.iterdir()):
        raise SparsebenchError(f"{str(folder)!r} is not empty: a board is begun in a folder of its own")
    read = {suite.name: (suite, source) for source in suites for suite in [load_suite(source)]}
    frozen = {suite.name: suite_text(suite) for suite, _ in read.values()}
    title = printable(name or folder.resolve().name, 200) or "Board"
    digests = {suite: sha256(content).hexdigest() for suite, content in frozen.items()}
    told = BoardFile(name=title, suites=digests)
    for suite, content in frozen.items():
        write_atomic(folder / SUITES / f"{suite}.json", content)
        source = read[suite][1]
        write_atomic(folder / SUITES / f"{suite}.toml", shipped().get(source, Path(source)).read_bytes())
    wanted = requirement or f"sparsebench=={versions()['sparsebench']}"
    for template, path in FILES.items():
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        write_atomic(folder / path, text.replace("@NAME@", title).replace("@REQUIREMENT@", printable(wanted)))
    write_atomic(folder / BOARD, told.model_dump_json(indent=1) + "\n")
    return read_board(folder)
