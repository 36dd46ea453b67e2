"""The lock of an output folder: one driver, whatever happens to the lock file."""

from pathlib import Path

import pytest
from small_suite import DIGESTS, suite
from sparsebench.bench.output_folder.folder import OutputFolder
from sparsebench.bench.output_folder.layout import LOCK
from sparsebench.bench.output_folder.lock import in_use
from sparsebench.errors import SparsebenchError


def test_one_driver_at_a_time(begun: Path) -> None:
    running = OutputFolder(begun, suite(), DIGESTS)
    with running, pytest.raises(SparsebenchError, match="another campaign is running in"):
        OutputFolder(begun, suite(), DIGESTS).__enter__()
    with OutputFolder(begun, suite(), DIGESTS):
        pass


def test_the_lock_outlives_its_file(begun: Path) -> None:
    """A deleted lock file, one made anew, a folder or a link in its place: the second driver is refused."""
    with OutputFolder(begun, suite(), DIGESTS):
        for meddle in (Path.unlink, Path.touch, lambda path: (path.unlink(), path.mkdir())):
            meddle(begun / LOCK)
            assert in_use(begun) is True
            with pytest.raises(SparsebenchError, match="another campaign is running in"):
                OutputFolder(begun, suite(), DIGESTS).__enter__()
    assert in_use(begun) is False


@pytest.mark.parametrize("how", ["a folder", "a link"])
def test_what_lies_in_the_place_of_the_lock_file_is_set_aside(begun: Path, tmp_path: Path, how: str) -> None:
    (begun / LOCK).unlink(missing_ok=True)
    (tmp_path / "mine").write_text("mine")
    (begun / LOCK).mkdir() if how == "a folder" else (begun / LOCK).symlink_to(tmp_path / "mine")
    with OutputFolder(begun, suite(), DIGESTS):
        assert (begun / ".lock.damaged").exists()
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_folder_without_locks_is_held_by_its_lock_file(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS takes no exclusive lock on a folder."""
    import fcntl

    real = fcntl.flock

    def flock(handle: int, how: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().is_dir() and how & fcntl.LOCK_EX:
            raise OSError(9, "Bad file descriptor")
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with OutputFolder(begun, suite(), DIGESTS):
        assert in_use(begun) is True
        with pytest.raises(SparsebenchError, match="another campaign is running in"):
            OutputFolder(begun, suite(), DIGESTS).__enter__()


def test_a_refused_folder_is_not_kept_locked(begun: Path) -> None:
    with pytest.raises(SparsebenchError) as kept:
        OutputFolder(begun, suite(seed=5), DIGESTS).__enter__()
    assert kept.value.__traceback__ is not None  # a notebook keeps it, and with it the folder
    with OutputFolder(begun, suite(), DIGESTS):
        pass
