"""git, as a program: never through a shell, and never asking for a password or a token."""

import os
import shutil
import subprocess
from pathlib import Path

from ...errors import SparsebenchError, printable

PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
SECONDS = 600


def git(folder: Path, *words: str) -> str:
    """Runs git in a folder.

    Args:
        folder: The folder.
        words: The command and its arguments.

    Returns:
        What it prints.

    Raises:
        SparsebenchError: git is not installed, or the command fails; the message has git's last line.

    Example:
        >>> git(Path(), "version")[:11]
        'git version'
        >>> git(Path(), "log", "-1", "no-such-branch")
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: git log: fatal: ...
    """
    if shutil.which("git") is None:
        raise SparsebenchError("this needs git: install it from your system's packages or git-scm.com")
    environment = {name: value for name, value in os.environ.items() if name not in PLACES}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SparsebenchError(f"git {words[0]} did not run: {printable(str(error), 200)}") from error
    if done.returncode:
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        # git says what is wrong in its first "fatal:" or "error:", and then what one might do
        told = next(
            (line for line in lines if line.startswith(("fatal:", "error:"))), (lines or ["no reason"])[-1]
        )
        raise SparsebenchError(f"git {words[0]}: {printable(told, 300)}")
    return done.stdout.decode(errors="surrogateescape")


def submitter(folder: Path) -> str:
    """Returns the name under which git would commit in a folder.

    Args:
        folder: The folder, in a repository or not.

    Returns:
        The name of `git config user.name`.

    Raises:
        SparsebenchError: git does not know it.

    Example:
        >>> import os
        >>> _ = Path("config").write_text("[user]\\n\\tname = Ada\\n")
        >>> os.environ["GIT_CONFIG_GLOBAL"] = str(Path("config").absolute())
        >>> submitter(Path())
        'Ada'
        >>> del os.environ["GIT_CONFIG_GLOBAL"]
    """
    try:
        return git(folder, "config", "--get", "user.name").strip()
    except SparsebenchError as error:
        raise SparsebenchError(
            "git does not know your name: run `git config --global user.name NAME`, or give --by NAME"
        ) from error


def changed_files(folder: Path, since: str) -> dict[str, str]:
    """Returns the files of a folder that differ from those of an earlier commit.

    Args:
        folder: The folder of a repository, or one inside it.
        since: The commit, as git names it.

    Returns:
        Git's letter for what happened (A added, M modified, D deleted, T another type) by the file's path,
        relative to the folder. A renamed file is one that was deleted and one that was added.

    Raises:
        SparsebenchError: There is no such commit.

    Example:
        >>> changed_files(Path("/"), "HEAD")
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: git ...
    """
    if since.startswith("-"):
        raise SparsebenchError(f"{since!r} is no commit")
    commit = git(folder, "rev-parse", "--verify", "--end-of-options", f"{since}^{{commit}}").strip()
    words = git(folder, "diff", "--name-status", "--no-renames", "--relative", "-z", commit, "HEAD").split(
        "\0"
    )
    return dict(zip(words[1::2], words[0::2], strict=False))
