"""Pages of the documentation as a reader follows them: their blocks of code, saved, run or typed in order."""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^```(sh|python|toml)\n(.*?)^```$", flags=re.M | re.S)
NAME = re.compile(r"# (\S+\.(?:py|toml))\n")


@dataclass(frozen=True)
class Block:
    """A block of code of a page: its language, and its text."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The name under which a reader saves it, which its first line says; None where it is run."""
        found = NAME.match(self.text)
        return found[1] if found else None

    @property
    def commands(self) -> list[list[str]]:
        """The commands of a block of `sh`, in words, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines() if self.language == "sh" else []
        words = (shlex.split(line, comments=True) for line in lines)
        return [command for command in words if command]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that a reader saves, runs or types, in order; `console` is none of them."""
    return [Block(*found) for found in BLOCK.findall(page.read_text(encoding="utf-8"))]


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every `sparsebench …` of a page, without the name itself."""
    for block in blocks(page):
        yield from (words[1:] for words in block.commands if words[0] == "sparsebench")


def follow(found: list[Block], folder: Path, type_in: Callable[[list[str]], Any]) -> None:
    """Saves and runs blocks in a folder, which is the working one; commands are given to `type_in`. Python is
    run as in one session, in which later blocks have the names of earlier ones."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in found:
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.text, "a page", "exec"), names)
        for command in block.commands:
            type_in(command)
