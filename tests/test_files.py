"""Atomic files: what lies in the way, and under which names the new content is written."""

import os
import stat
from pathlib import Path

import pytest
from sparsebench.files import replacing, write_atomic

pytestmark = pytest.mark.smoke


def test_a_temporary_file_is_new_and_never_a_link_or_another_writers(tmp_path: Path) -> None:
    path, other = tmp_path / "state.json", tmp_path / "other"
    other.write_text("untouched")
    (tmp_path / f".state.json.{os.getpid()}.part").symlink_to(other)
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        assert not first.is_symlink() and not second.is_symlink()
        first.write_text("first")
        second.write_text("second")
    assert (path.read_text(), other.read_text()) == ("first", "untouched")


@pytest.mark.parametrize(("umask", "private", "mode"), [(0o022, False, 0o644), (0, True, 0o600)])
def test_a_file_has_the_permissions_of_the_umask(
    tmp_path: Path, umask: int, private: bool, mode: int
) -> None:
    before = os.umask(umask)
    try:
        path = write_atomic(tmp_path / "state.json", "{}", private=private)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_folder_in_the_place_of_a_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "board.csv").mkdir()
    (tmp_path / "board.csv" / "mine").write_text("untouched")
    assert write_atomic(tmp_path / "board.csv", "new").read_text() == "new"
    assert (tmp_path / "board.damaged" / "mine").read_text() == "untouched"
