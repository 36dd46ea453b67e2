"""The lock of an output folder: one driver at a time, also where its lock file is deleted meanwhile."""

import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ...errors import SparsebenchError
from ...files import set_aside
from ...records.store import FILE
from .layout import LOCK

LOCK_SECONDS = 0.4


class FolderLock:
    """The lock of an output folder, held twice: on the folder itself, and on the file `.lock` in it.

    The lock on the folder cannot be deleted. The one on the file holds where folders take none (NFS), and
    against drivers of older versions; the records file has a third one (see `RecordLog`).

    Args:
        folder: The output folder.

    Example:
        >>> lock = FolderLock(Path())
        >>> lock.acquire()
        >>> Path(LOCK).unlink()
        >>> in_use(Path())
        True
        >>> lock.release()
        >>> in_use(Path())
        False
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = FileLock(folder / LOCK)
        self._handle: int | None = None

    def acquire(self) -> None:
        """Takes the lock; `in_use` asks for it for a moment, so a short wait comes before the refusal.

        Raises:
            SparsebenchError: Another process holds it.
            OSError: The folder cannot be written.
        """
        try:
            self._lock_folder()
            file = self.folder / LOCK
            if (file.is_dir() or file.is_symlink()) and (self.folder / FILE).exists():
                set_aside(file)
            self._file.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            self.release()
            raise _taken(self.folder) from None
        except BaseException:
            self.release()
            raise

    def _lock_folder(self) -> None:
        try:
            import fcntl
        except ImportError:  # not on Windows
            return
        import time

        self._handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise _taken(self.folder) from None
                time.sleep(0.05)
            except OSError:  # a file system that locks no folders
                return
            else:
                return

    def release(self) -> None:
        """Gives the lock back; does nothing where it is not held."""
        with suppress(OSError):
            self._file.release()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def refuse_if_in_use(path: Path) -> None:
    """Raises where a driver holds the folder's lock: before anything is read that takes its time.

    Args:
        path: An output folder, which may not exist.

    Raises:
        SparsebenchError: A driver runs there.

    Example:
        >>> lock = FolderLock(Path())
        >>> lock.acquire()
        >>> refuse_if_in_use(Path())
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: another campaign is running in '.'; wait for it, or choose ...
        >>> lock.release()
    """
    if in_use(path):
        raise _taken(path)


def _taken(folder: Path) -> SparsebenchError:
    return SparsebenchError(
        f"another campaign is running in {str(folder)!r}; wait for it, or choose another --out"
    )


def in_use(path: Path) -> bool | None:
    """Returns whether a driver holds the folder's lock.

    Args:
        path: An output folder.

    Returns:
        True where a driver runs, on this machine or (where the file system passes locks on) on another; None
        where that cannot be told, as for a lock that may not be read.

    Example:
        >>> in_use(Path("nowhere"))
        False
    """
    found = [_locked(path, os.O_DIRECTORY), _locked(path / LOCK), _locked(path / FILE)]
    return True if True in found else found[1]


def _locked(path: Path, flags: int = 0) -> bool | None:
    """Returns whether another process holds an exclusive lock; None where that cannot be told."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return None
    try:
        # A shared lock on what is only read: two that ask at once, or may not write, are answered too.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | flags)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(handle)
    return False
