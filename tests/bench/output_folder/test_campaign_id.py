"""The identity of a campaign: kept where the folder stays or moves, new where the folder is a copy."""

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.output_folder import campaign_id
from sparsebench.bench.output_folder.campaign_id import (
    CampaignId,
    own_campaign_id,
    read_campaign_id,
    take_campaign_id,
)
from sparsebench.bench.output_folder.layout import CAMPAIGN
from sparsebench.errors import SparsebenchError
from sparsebench.records.record import Record
from sparsebench.records.store import Store


@pytest.fixture
def begun(tmp_path: Path, make_record: Callable[..., Record]) -> Path:
    """A folder with a record and an identity."""
    folder = tmp_path / "one"
    folder.mkdir()
    Store(folder).append(make_record())
    take_campaign_id(folder)
    return folder


def written(folder: Path) -> CampaignId:
    found = read_campaign_id(folder)
    assert found is not None
    return found


def test_the_identity_stays_with_a_folder_that_is_used_again_or_moved(begun: Path) -> None:
    first, before = written(begun), (begun / CAMPAIGN).read_bytes()
    assert (len(first.id), first.parent, first.host) == (32, None, socket.gethostname())
    assert take_campaign_id(begun) == (first, None)
    moved = begun.rename(begun.with_name("two"))
    assert take_campaign_id(moved) == own_campaign_id(moved) == (first, None)
    assert (moved / CAMPAIGN).read_bytes() == before


@pytest.mark.parametrize("original", ["stays", "is deleted"])
def test_a_copy_that_is_continued_takes_a_new_one_and_names_its_parent(begun: Path, original: str) -> None:
    first, copy = written(begun), begun.with_name("copy")
    shutil.copytree(begun, copy)
    if original == "is deleted":
        shutil.rmtree(begun)
    else:
        assert take_campaign_id(begun) == (first, None)
    taken, said = take_campaign_id(copy)
    assert taken.id != first.id
    assert taken.parent == first.id
    assert said is not None and "is a copy" in said and taken.id[:8] in said
    assert take_campaign_id(copy) == (taken, None)
    # A copy of the copy, and one over a folder that has an identity
    again = copy.with_name("again")
    shutil.copytree(copy, again)
    assert take_campaign_id(again)[0].parent == taken.id
    shutil.copytree(copy, again, dirs_exist_ok=True)
    assert take_campaign_id(again)[0].parent == taken.id


ELSEWHERE = {"host": "node7"}
RENUMBERED = {"device": -1}


@pytest.mark.parametrize(
    ("changed", "kind", "same"),
    [
        (RENUMBERED, "ext4", True),  # mounted again, after a reboot
        ({"path": "/before"}, "ext4", True),  # moved
        (RENUMBERED | {"path": "/before"}, "ext4", False),  # on another disk, by chance with that inode
        ({"inode": -1}, "ext4", False),  # a copy at the place of the original
        ({"inode": -1}, "nfs4", False),
        (ELSEWHERE, "ext4", True),  # the machine was renamed, or is a new container with the same volume
        (ELSEWHERE | RENUMBERED, "nfs4", True),  # a node of a cluster, on a file system that all share
        (ELSEWHERE | RENUMBERED, "lustre", True),
        (ELSEWHERE | RENUMBERED, "overlay", False),  # two containers of one image
        (ELSEWHERE | RENUMBERED, "ext4", False),  # the same path on two machines
        (ELSEWHERE | {"path": "/before"}, "nfs4", False),
    ],
)
def test_what_counts_as_the_same_folder(
    begun: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], kind: str, same: bool
) -> None:
    monkeypatch.setattr(campaign_id, "_file_system", lambda _: kind)
    assert written(begun).model_copy(update=changed).is_of(begun) is same


def test_the_kind_of_a_file_system_is_that_of_the_innermost_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw",
        "22 21 0:50 / /home rw,relatime shared:1 - nfs4 server:/home rw",
        "23 22 0:51 / /home/a\\040b rw - tmpfs tmpfs rw",
    ]
    monkeypatch.setattr(campaign_id, "MOUNTS", tmp_path / "mountinfo")
    assert campaign_id._file_system("/home/run") in campaign_id.LOCAL  # unknown
    (tmp_path / "mountinfo").write_text("\n".join(lines) + "\n")
    found = [campaign_id._file_system(path) for path in ("/run", "/home/run", "/home/a b/run", "/homes/run")]
    assert found == ["ext4", "nfs4", "tmpfs", "ext4"]


@pytest.mark.parametrize("damage", ["lost", "", "{", "[]", '{"id": "../x"}', "\x00", "a folder"])
def test_a_lost_or_damaged_identity_is_replaced_with_one_line(begun: Path, damage: str) -> None:
    first = written(begun)
    (begun / CAMPAIGN).unlink()
    if damage == "a folder":
        (begun / CAMPAIGN).mkdir()
    elif damage != "lost":
        (begun / CAMPAIGN).write_text(damage)
        with pytest.raises(SparsebenchError, match=r"campaign\.json is damaged"):
            read_campaign_id(begun)
    taken, said = own_campaign_id(begun)
    assert taken.id != first.id and taken.parent is None
    assert said is not None and said.count("\n") == 0 and ("damaged" in said) == (damage != "lost")
    assert written(begun) == taken
    assert (begun / "campaign.damaged").exists() == (damage != "lost")  # it might be somebody's own file


def test_a_new_folder_is_given_one_without_a_word(tmp_path: Path) -> None:
    taken, said = take_campaign_id(tmp_path)
    assert said is None
    assert json.loads((tmp_path / CAMPAIGN).read_text()) == taken.model_dump()


def test_a_folder_that_cannot_be_written_is_one_sentence(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = written(begun)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert own_campaign_id(begun) == (first, None)
    shutil.copytree(begun, begun.with_name("copy"))
    with pytest.raises(SparsebenchError, match="publish from a copy that can"):
        own_campaign_id(begun.with_name("copy"))
