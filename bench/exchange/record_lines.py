"""The lines of the records of a source: read in bounds, and copied byte by byte. Memory holds one of them."""

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO

from ...errors import SparsebenchError

LONGEST_LINE = 4 << 20

Opener = Callable[[], AbstractContextManager[IO[bytes]]]


def bounded_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yields the lines of a stream, each cut off one byte above the limit.

    Args:
        stream: The stream, of untrusted origin.

    Yields:
        The lines with their newlines.

    Example:
        >>> from io import BytesIO
        >>> [len(line) for line in bounded_lines(BytesIO(b"x" * 10_000_000 + b"\\n{}"))]
        [4194305, 2]
    """
    while line := stream.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE + 1)


@dataclass(frozen=True)
class RecordLines:
    """The places of the records of a source, from which their lines are copied.

    Attributes:
        open: Opens the records file anew.
        places: Number and hash of the line of each record, by its id.

    Example:
        >>> from io import BytesIO
        >>> lines = RecordLines(lambda: BytesIO(b"a\\n b\\r\\n"), {"second": (2, hash(b"b"))})
        >>> list(lines.copied({"second"}))
        [('second', b'b\\n')]
    """

    open: Opener
    places: Mapping[str, tuple[int, int]]

    def copied(self, wanted: Set[str]) -> Iterator[tuple[str, bytes]]:
        """Yields the ids and lines of these records in the order of the file; raises where it has changed."""
        changed = SparsebenchError("the records changed while they were read; run the command again")
        places = {number: (i, hashed) for i, (number, hashed) in self.places.items() if i in wanted}
        with self.open() as stream:
            for number, line in enumerate(bounded_lines(stream), 1):
                if number in places:
                    identity, hashed = places.pop(number)
                    content = line.strip()
                    if hash(content) != hashed:
                        raise changed
                    yield identity, content + b"\n"
        if places:
            raise changed
