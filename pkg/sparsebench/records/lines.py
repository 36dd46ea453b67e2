"""The lines of a records file: read one at a time, and those that were edited after they were written."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import SparsebenchError
from .hashing import intact
from .record import Record, parse

FILE = "records.jsonl"
EDITED = "was edited after it was written, or written anew by another tool"
SHOWN = 10  # the most line numbers in the sentence on edited lines


class Line(NamedTuple):
    r"""A line of a records file.

    Attributes:
        number: Its number in the file, from 1; empty lines count.
        start: Its first byte's place in the file.
        content: Its text, without the newline and surrounding spaces.
        whole: Whether it ends in a newline; one without it was torn by a crash, or lacks the newline alone.

    Example:
        >>> _ = Path("records.jsonl").write_bytes(b'{"id": 1}\n\n{"i')
        >>> [(line.number, line.content, line.whole) for line in read_lines(Path("records.jsonl"))]
        [(1, b'{"id": 1}', True), (3, b'{"i', False)]
    """

    number: int
    start: int
    content: bytes
    whole: bool

    def edited(self, sealed: bool | None) -> bool:
        """Whether the line was changed after it was written, where `sealed` is what `intact` says of it."""
        return sealed is False and (self.whole or self.content.endswith(b"}"))

    def parse(self, path: Path) -> Record:
        """Returns the record in this line of a file; raises `SparsebenchError` where it is none."""
        return parse(self.content.decode("utf-8", errors="replace"), f"{path}, line {self.number}")


def read_lines(path: Path) -> Iterator[Line]:
    r"""Yields the lines of a records file that are not empty, one at a time.

    Args:
        path: The records file.

    Yields:
        The lines in the order written.

    Example:
        >>> _ = Path("records.jsonl").write_bytes(b"{}\r\n")
        >>> list(read_lines(Path("records.jsonl")))
        [Line(number=1, start=0, content=b'{}', whole=True)]
    """
    start = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if content := line.strip():
                yield Line(number, start, content, line.endswith(b"\n"))
            start += len(line)


def records_file(path: str | Path) -> Path:
    """Returns the records file of an output folder.

    Args:
        path: An output folder, or a records file.

    Returns:
        The file.

    Raises:
        SparsebenchError: There is no such file.

    Example:
        >>> records_file(folder).name
        'records.jsonl'
    """
    file = Path(path)
    file = file / FILE if file.is_dir() else file
    if not file.is_file():
        raise SparsebenchError(f"no records in {str(path)!r}: {FILE} is not there")
    return file


def edited_lines(numbers: Sequence[int]) -> str | None:
    """Returns the sentence on lines of a records file that were changed after they were written.

    Args:
        numbers: The numbers of the lines.

    Returns:
        The sentence, with the first ten numbers; None where there are none.

    Example:
        >>> edited_lines(range(1, 12))
        'records.jsonl was edited after it was written, ...: line 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …'
    """
    if not numbers:
        return None
    where = ", ".join(map(str, numbers[:SHOWN])) + (", …" if len(numbers) > SHOWN else "")
    return f"{FILE} {EDITED}: line {where}"


def edits(folder: Path) -> str | None:
    """Returns a sentence on the lines that were changed after they were written, as their seals show.

    Args:
        folder: An output folder, with or without records.

    Returns:
        The sentence, with the numbers of the first ten such lines; None where every sealed line is intact.

    Example:
        >>> _ = Path(FILE).write_text(record.to_json().replace("made_up", "mnist"))
        >>> edits(Path())
        'records.jsonl was edited after it was written, or written anew by another tool: line 1'
    """
    file = folder / FILE
    lines = read_lines(file) if file.is_file() else ()
    return edited_lines([line.number for line in lines if line.edited(intact(line.content))])


def last_line(path: Path) -> tuple[int, bytes]:
    r"""Returns what stands after the last newline of a file, read from its end.

    Args:
        path: The file.

    Returns:
        The place where it starts, and its bytes; none where the file ends in a newline.

    Example:
        >>> _ = Path("records.jsonl").write_bytes(b'{"id": 1}\n{"i')
        >>> last_line(Path("records.jsonl"))
        (10, b'{"i')
    """
    block = 1 << 16
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        while True:
            start = max(0, size - block)
            file.seek(start)
            tail = file.read()
            end = tail.rfind(b"\n") + 1
            if end or not start:
                return start + end, tail[end:]
            block *= 16
