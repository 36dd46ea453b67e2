"""The records file under a running campaign: deleted, moved, replaced, cut off, edited, its folder gone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sparsebench.errors import SparsebenchError
from sparsebench.records.record import Record
from sparsebench.records.store import FILE, Store, load_records

Make = Callable[..., Record]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, make_record: Make, said: list[str]) -> Store:
    """Three records on the disk, open for more."""
    (tmp_path / "out").mkdir()
    store = Store(tmp_path / "out", said.append)
    for number in range(3):
        store.append(make_record(number, curve=[{"step": 1.0}]))
    return store


def replaced(path: Path) -> None:
    path.with_name("new").write_text("another file\n")
    path.with_name("new").replace(path)


TAKEN: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "moved": lambda path: path.rename(path.with_name("elsewhere.jsonl")),
    "replaced": replaced,
    "replaced by a folder": lambda path: (path.unlink(), path.mkdir()),
    "replaced by a link to nowhere": lambda path: (path.unlink(), path.symlink_to("nowhere")),
}


@pytest.mark.parametrize("how", TAKEN)
def test_a_file_that_is_taken_away_is_written_again(
    store: Store, make_record: Make, said: list[str], how: str
) -> None:
    whole = store.path.read_bytes()
    TAKEN[how](store.path)
    store.append(make_record(3))
    store.append(make_record(4))
    assert store.path.read_bytes().startswith(whole)
    assert [record.trial for record in load_records(store.path)] == [0, 1, 2, 3, 4]
    assert len(said) == 1
    assert "it is written again, nothing is missing" in said[0]
    assert len(store.reload()) == 5
    if how == "moved":  # the file elsewhere is left as it was
        assert store.path.with_name("elsewhere.jsonl").read_bytes() == whole
    if how == "replaced":
        assert store.path.with_name("records.damaged").read_text() == "another file\n"


def test_it_is_noticed_without_a_further_record(store: Store, said: list[str]) -> None:
    store.check()
    assert not said
    store.path.unlink()
    store.check()
    assert len(load_records(store.path)) == 3
    assert len(said) == 1


@pytest.mark.parametrize("keep", [0, 10, -10, 700])
def test_a_file_that_is_cut_off_is_an_error_and_takes_the_record_at_hand(
    store: Store, make_record: Make, keep: int
) -> None:
    content = store.path.read_bytes()[:keep]
    with store.path.open("r+b") as file:
        file.truncate(len(content))
    with pytest.raises(
        SparsebenchError, match=r"another program changed .* repeats the trials whose records"
    ):
        store.append(make_record(3))
    left = content.count(b"\n")
    assert [record.trial for record in load_records(store.path)] == [*range(left), 3]
    assert len(Store(store.path.parent)) == left + 1


def test_a_file_that_grew_by_other_hands_is_an_error(store: Store, make_record: Make) -> None:
    with store.path.open("a") as file:
        file.write(make_record(7).to_json() + "\n")
    with pytest.raises(SparsebenchError, match="another program changed"):
        store.append(make_record(3))
    assert [record.trial for record in load_records(store.path)] == [0, 1, 2, 7, 3]


def test_records_that_an_edit_in_place_removed_are_missed(store: Store) -> None:
    first, second, third = store.path.read_bytes().splitlines(keepends=True)
    with store.path.open("r+b") as file:
        file.write(first + third + third)
    assert len(second) == len(third)
    with pytest.raises(SparsebenchError, match="lacks 1 of the 3 records"):
        store.reload()


def test_a_folder_that_is_moved_keeps_its_records_and_is_named(store: Store, make_record: Make) -> None:
    folder = store.path.parent
    moved = folder.rename(folder.with_name("moved"))
    with pytest.raises(SparsebenchError, match=f"in the folder that was moved .*{moved}.*; run the command"):
        store.append(make_record(3))
    assert [record.trial for record in load_records(moved)] == [0, 1, 2, 3]
    assert not folder.exists()


@pytest.mark.parametrize("then", ["nothing", "a folder", "another campaign's"])
def test_the_records_of_a_folder_that_is_deleted_are_written_again(
    store: Store, make_record: Make, then: str
) -> None:
    folder = store.path.parent
    shutil.rmtree(folder)
    if then != "nothing":
        folder.mkdir()
    if then == "another campaign's":
        Store(folder).append(make_record(9))
    with pytest.raises(SparsebenchError, match="written again to"):
        store.append(make_record(3))
    file = folder / (FILE if then != "another campaign's" else "records.rescued.jsonl")
    assert [record.trial for record in load_records(file)] == [0, 1, 2, 3]
    if then == "another campaign's":
        assert [record.trial for record in load_records(folder)] == [9]


def test_a_second_process_cannot_append(store: Store, make_record: Make) -> None:
    with pytest.raises(SparsebenchError, match="another campaign writes to"):
        Store(store.path.parent).append(make_record(3))
    store.path.unlink()  # the lock is that of the file which is written again, too
    store.check()
    with pytest.raises(SparsebenchError, match="another campaign writes to"):
        Store(store.path.parent).append(make_record(3))
    store.close()
    Store(store.path.parent).append(make_record(3))


def test_what_is_no_file_of_records_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("my notes\nand a last line without an end")
    with pytest.raises(SparsebenchError, match="line 1"):
        Store(tmp_path)
    assert (tmp_path / FILE).read_text() == "my notes\nand a last line without an end"


def test_open_files_are_closed_with_their_store(tmp_path: Path, make_record: Make) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(20):
        Store(tmp_path).append(make_record(number))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
