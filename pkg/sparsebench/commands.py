"""Commands that are shown to be typed again: those of files that anybody may have written."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .start_file import start_paths

PLAIN = re.compile("[A-Za-z0-9_@%+=:,./ -]*")  # what needs no quotes, and is split at its spaces
CAMPAIGN = "campaign.json"
UNKNOWN = "(not a command of sparsebench)"
TRAIN = (
    "--dataset", "--model", "--method", "--set", "--epochs", "--data-arg", "--model-arg", "--keep-dense",
    "--seed", "--threads", "--device", "--plugin",
)  # fmt: skip


PATH_ENDINGS = ("path", "dir", "folder", "file")
"""The last words of the names of arguments that are paths, such as `csv_file`."""


def shown_command(text: str, base: str | None = None) -> str:
    """Returns a stored command as it may be shown: all of it is words of a sparsebench command.

    Args:
        text: A command that was read from a file.
        base: The folder in which its relative paths are looked for, as `base_of` gives it; None where that is
            not known.

    Returns:
        `sparsebench run …`, or `sparsebench train …` with the options that describe a trial, every word
        quoted for a shell, and `cd BASE &&` before it where an argument is a relative path. For anything
        else a text that is no command.

    Example:
        >>> shown_command("sparsebench train --model lenet5 --seed 0")
        'sparsebench train --model lenet5 --seed 0'
        >>> shown_command("sparsebench train --model lenet5; rm -rf ~")
        '(not a command of sparsebench)'
        >>> shown_command("sparsebench run 'my suite.toml' --out `id`")
        "sparsebench run 'my suite.toml' --out '`id`'"
        >>> shown_command("sparsebench train --data-arg path=pets --seed 0", "/my data")
        "cd '/my data' && sparsebench train --data-arg path=pets --seed 0"
    """
    try:
        words = text.split() if PLAIN.fullmatch(text) else shlex.split(text)
    except ValueError:
        return UNKNOWN
    if not text.isprintable() or words[:1] != ["sparsebench"] or words[1:2] not in (["run"], ["train"]):
        return UNKNOWN
    if words[1] == "train" and (len(words) % 2 or not set(words[2::2]) <= set(TRAIN)):
        return UNKNOWN
    shown = shlex.join(words)
    return f"cd {shlex.quote(base)} && {shown}" if base and any(map(_relative, _paths(words))) else shown


def _relative(path: str) -> bool:
    return not Path(path).expanduser().is_absolute()


def _paths(words: list[str]) -> Iterator[str]:
    """Yields the arguments of a command's dataset and model that are paths."""
    for flag, word in zip(words[2::2], words[3::2], strict=False):
        key, _, text = word.partition("=")
        value = _value(text)
        if flag == "--model-arg":
            yield from start_paths({"pretrained": True, key: value}).values()
        elif flag == "--data-arg" and isinstance(value, str) and value:
            yield from [value] if key.rpartition("_")[2] in PATH_ENDINGS or "/" in value else []


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def base_of(folder: str | Path) -> str | None:
    """Returns the folder in which relative paths of a campaign's suite are looked for.

    Args:
        folder: The output folder of the campaign.

    Returns:
        An absolute path; None where the folder does not say, or what it says is not there, as on another
        machine.

    Example:
        >>> _ = Path("campaign.json").write_text(json.dumps({"base": str(Path.cwd())}))
        >>> base_of(".") == str(Path.cwd()), base_of("elsewhere") is None
        (True, True)
    """
    try:
        found = json.loads((Path(folder) / CAMPAIGN).read_bytes())["base"]
        known = isinstance(found, str) and found.isprintable() and Path(found).is_absolute()
        return found if known and Path(found).is_dir() else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def path_word(path: str | Path) -> str:
    """Returns a path as a word of a command that is printed to be typed: quoted, and never an option.

    Args:
        path: The path of a file or folder.

    Returns:
        The word, which a shell reads as the path.

    Example:
        >>> path_word("runs/first"), path_word("my $runs"), path_word("-x")
        ('runs/first', "'my $runs'", './-x')
    """
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def plugin_words(files: Iterable[str]) -> str:
    """Returns the end of a command that needs plugin files.

    Args:
        files: The files.

    Returns:
        ` --plugin FILE` for each, quoted for a shell.

    Example:
        >>> "sparsebench train ..." + plugin_words(["/home/me/my methods.py"])
        "sparsebench train ... --plugin '/home/me/my methods.py'"
    """
    return "".join(f" --plugin {path_word(file)}" for file in files)
