"""The records file while a campaign appends to it: what was written stays, whatever others do to the file.

The file stays open, so its lines survive where it is deleted, moved or replaced: they are written again under
its name. Lines that another program cut off or overwrote in the file itself are lost, and that is an error.
"""

import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from shutil import copyfileobj

from ..errors import SparsebenchError
from ..files import replacing, set_aside

Notify = Callable[[str], None]
Place = tuple[int, int]  # device and inode
CONTINUE = "the same command continues, and repeats the trials whose records are missing"


class RecordLog:
    """The records file, open for one process that appends lines to it.

    Args:
        path: The file. The first line creates it.
        notify: Called with a sentence where the file had to be written again.

    Example:
        >>> log = RecordLog(Path("records.jsonl"), print)
        >>> log.append(b"first\\n")
        >>> Path("records.jsonl").unlink()
        >>> log.append(b"second\\n")
        'records.jsonl' was deleted or moved while the campaign ran: it is written again, nothing is missing
        >>> Path("records.jsonl").read_text()
        'first\\nsecond\\n'
        >>> log.close()
    """

    def __init__(self, path: Path, notify: Notify) -> None:
        self.path, self.notify = path, notify
        self._file: int | None = None
        self._folder: Place | None = None
        self._end = 0  # the file's length in bytes, as this process left it
        self._closing: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Opens the file, creates it where it is missing, and locks it against a second process.

        Raises:
            SparsebenchError: Another process appends to it, or it cannot be opened.
        """
        if self._file is not None:
            return
        try:
            self._use(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666))
        except OSError as error:
            raise self._unwritable(error) from error
        self._folder = place_of(self.path.parent)

    def _use(self, file: int) -> None:
        """Takes an open file in place of the one before, which is closed."""
        try:
            self._lock(file)
        except BaseException:
            os.close(file)
            raise
        self.close()
        self._file = file
        self._closing = weakref.finalize(self, os.close, file)
        self._end = os.fstat(file).st_size

    def _lock(self, file: int) -> None:
        try:
            import fcntl
        except ImportError:  # not on Windows
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SparsebenchError(
                f"another campaign writes to {str(self.path)!r}; wait for it, or choose another --out"
            ) from None
        except OSError:  # a file system without locks
            pass

    def close(self) -> None:
        """Closes the file, and so releases its lock."""
        self._closing()
        self._file, self._closing = None, lambda: None

    def append(self, line: bytes) -> None:
        """Writes a line through to the disk.

        Args:
            line: The line, with its newline.

        Raises:
            SparsebenchError: The disk takes no more (the half line is then cut off), or `check` raises.
        """
        self.open()
        self.check(line)
        assert self._file is not None
        try:
            self._write(self._file, line)
        except OSError as error:
            raise self._unwritable(error) from error

    def _write(self, file: int, line: bytes) -> None:
        end, rest = os.fstat(file).st_size, memoryview(line)
        try:
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        except OSError:
            os.truncate(file, end)
            raise
        self._end = end + len(line)

    def check(self, line: bytes = b"") -> None:
        """Checks that the file under the path is the one that was appended to, and has all that was written.

        A file that was deleted, moved or replaced is written again, and `notify` is told; a file in its place
        is set aside. Before an error, `line` is saved where that is possible.

        Args:
            line: A line that is about to be appended.

        Raises:
            SparsebenchError: The folder was moved or deleted, or another program changed the file's length.
        """
        if self._file is None:
            return
        try:
            if place_of(self.path.parent) != self._folder:
                raise SparsebenchError(self._rescue(self._file, line))
            size, there = os.fstat(self._file).st_size, place_of(self.path)
            if size != self._end:
                raise SparsebenchError(self._changed(self._file, size, line))
            if there != place_of(self._file):
                self._restore(self._file, there)
        except OSError as error:
            raise self._unwritable(error) from error

    def _restore(self, file: int, there: Place | None) -> None:
        """Writes the file again under its path, from what is open."""
        what = "deleted or moved"
        if there is not None:
            what = f"replaced by another file, which is now {set_aside(self.path).name!r},"
        self._copy(file, self.path)
        self._use(os.open(self.path, os.O_RDWR | os.O_APPEND))
        self.notify(
            f"{str(self.path)!r} was {what} while the campaign ran: it is written again, nothing is missing"
        )

    def _copy(self, file: int, path: Path, line: bytes = b"") -> None:
        with replacing(path, durable=True) as temporary, temporary.open("wb") as copy:
            with os.fdopen(os.dup(file), "rb") as content:
                content.seek(0)
                copyfileobj(content, copy)
            copy.write(line)

    def _rescue(self, file: int, line: bytes) -> str:
        """Saves the records of a folder that is gone; returns the sentence on where they are."""
        folder = str(self.path.parent)
        gone = f"the output folder {folder!r} was moved, deleted or covered while the campaign ran"
        if os.fstat(file).st_nlink:  # the file is still in the folder, wherever that is now
            self._write(file, line)
            where = ""
            with suppress(OSError):
                where = f" ({Path(f'/proc/self/fd/{file}').readlink().parent})"
            return f"{gone}: its records are in the folder that was moved{where}; run the command on that one"
        names = (f"records.rescued{n or ''}.jsonl" for n in count())
        free = self.path if place_of(self.path) is None else next(
            path for path in map(self.path.with_name, names) if place_of(path) is None
        )  # fmt: skip
        self._copy(file, free, line)
        return f"{gone}: its records are written again to {str(free)!r}; the same command continues"

    def _changed(self, file: int, size: int, line: bytes) -> str:
        """Saves a line in a file that others have changed; returns the sentence on it."""
        tail = os.pread(file, min(size, 1 << 24), max(0, size - (1 << 24)))
        if tail and not tail.endswith(b"\n") and size < self._end:  # the half of a line that was cut off
            size -= len(tail) - tail.rfind(b"\n") - 1
            os.truncate(file, size)
            tail = b"\n"
        wanted = self._end
        if not tail or tail.endswith(b"\n"):
            self._write(file, line)
        return (
            f"another program changed {str(self.path)!r} while the campaign ran: it has {size:,} bytes where "
            f"{wanted:,} were written; {CONTINUE}"
        )

    def _unwritable(self, error: OSError) -> SparsebenchError:
        return SparsebenchError(
            f"cannot write to {str(self.path)!r}: {error.strerror or error}; once that is mended, the same "
            "command continues"
        )


def place_of(path: Path | int) -> Place | None:
    """Returns the device and inode of a file or folder, by which it is known under any name.

    Args:
        path: Its path, or the number of an open file.

    Returns:
        The two numbers; None where nothing is there.

    Example:
        >>> _ = Path("a").write_text(""), Path("b").symlink_to("a")
        >>> place_of(Path("a")) == place_of(Path("b")), place_of(Path("c"))
        (True, None)
    """
    try:
        found = os.fstat(path) if isinstance(path, int) else path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
