"""The identity of a campaign: a random id that everything carries which it writes outside its folder.

Studies in an Optuna storage and experiments, runs and models in MLflow are marked with the id. What has no
mark, or another one, belongs to somebody else: it is read, and never changed, ended or deleted. The id lies
in `campaign.json`, with the place where it was taken; a copy of the folder is at another place.
"""

import json
import os
import socket
from pathlib import Path
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import SparsebenchError
from ...files import set_aside, write_atomic
from ...parsing import parse_json
from ...records.store import FILE as RECORDS
from .layout import CAMPAIGN
from .lock import FolderLock

MOUNTS = Path("/proc/self/mountinfo")

# File systems of one machine. A folder on another kind (NFS, Lustre, …) is the same one from every machine.
LOCAL = {
    "aufs", "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "jfs", "msdos", "ntfs",
    "ntfs3", "overlay", "ramfs", "reiserfs", "squashfs", "tmpfs", "vfat", "xfs", "zfs",
}  # fmt: skip


class CampaignId(BaseModel):
    """The content of campaign.json.

    Attributes:
        id: The campaign's identity, 32 random hex digits.
        parent: The identity of the campaign whose folder this one is a copy of; None for no copy.
        device: Number of the device that the folder lay on when the id was taken.
        inode: Number of the folder on its file system.
        host: Name of the machine.
        path: Absolute path of the folder.
        base: Absolute path of the folder in which relative paths of the suite are looked for; None where no
            campaign has said.

    Example:
        >>> taken = CampaignId.of(folder, parent=None)
        >>> taken.is_of(folder), taken.is_of(folder.parent)
        (True, False)
    """

    model_config = ConfigDict(frozen=True)

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    parent: str | None = Field(None, pattern=r"^[0-9a-f]{32}$")
    device: int
    inode: int
    host: str
    path: str
    base: str | None = None

    @classmethod
    def of(cls, folder: Path, parent: str | None) -> "CampaignId":
        """Returns a new identity for a folder."""
        found = folder.stat()
        return cls(
            id=uuid4().hex, parent=parent, device=found.st_dev, inode=found.st_ino,
            host=socket.gethostname(), path=str(folder.resolve()),
        )  # fmt: skip

    def is_of(self, folder: Path) -> bool:
        """Whether the identity was taken in this folder, or the folder is a copy.

        A copy has another inode; a folder that was moved within its file system has not. A device is numbered
        anew when it is mounted, so the path may stand in for it. From another host (a node of a cluster, a
        container, a machine with a new name) the path has to agree, and the device too unless it is shared.
        """
        found, path = folder.stat(), str(folder.resolve())
        if found.st_ino != self.inode:
            return False
        device = found.st_dev == self.device
        if self.host == socket.gethostname():
            return device or path == self.path
        return path == self.path and (device or _file_system(path) not in LOCAL)


def _file_system(path: str) -> str:
    """Returns the kind of the file system that a path lies on; a local one where that is not known."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return "ext4"
    found = {}
    for line in lines:
        mounted, _, kind = line.partition(" - ")
        place = mounted.split()[4].encode().decode("unicode_escape")  # a space is \040
        if path == place or path.startswith(place.rstrip("/") + "/"):
            found[len(place)] = kind.split()[0]  # of two mounts at one place the later one is seen
    return found[max(found)] if found else "ext4"


def read_campaign_id(folder: Path) -> CampaignId | None:
    """Returns the identity in a folder, whether it was taken there or came with a copy.

    Args:
        folder: An output folder, which may be read-only.

    Returns:
        The content of campaign.json; None where there is none.

    Raises:
        SparsebenchError: The file is damaged.

    Example:
        >>> read_campaign_id(folder) is None  # nothing has been run or published there
        True
    """
    try:
        content = (folder / CAMPAIGN).read_bytes()
        return CampaignId.model_validate(parse_json(content, f"{folder / CAMPAIGN} is damaged"))
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        raise SparsebenchError(f"{folder / CAMPAIGN} is damaged") from error


def take_campaign_id(folder: Path) -> tuple[CampaignId, str | None]:
    """Returns the identity of the campaign in a folder; takes a new one where the folder has none of its own.

    To be called with the folder's lock held. A damaged file is set aside as `campaign.damaged`.

    Args:
        folder: The output folder.

    Returns:
        The identity, and a sentence for the user where a new one was taken for a folder with records.

    Raises:
        OSError: The file cannot be written.

    Example:
        >>> first, said = take_campaign_id(folder)
        >>> print(said)
        campaign.json was not there: from now on this is campaign ...; what was written to Optuna ...
        >>> take_campaign_id(folder) == (first, None)
        True
    """
    try:
        found = read_campaign_id(folder)
        why = "was not there" if found is None else "is of the folder that this one is a copy of"
    except SparsebenchError:
        found, why = None, f"was damaged, and is now {set_aside(folder / CAMPAIGN).name}"
    if found is not None and found.is_of(folder):
        return found, None
    taken = CampaignId.of(folder, parent=found.id if found else None)
    taken = taken.model_copy(update={"base": found.base if found else None})
    write_atomic(folder / CAMPAIGN, json.dumps(taken.model_dump(), indent=1) + "\n")
    records = folder / RECORDS
    if not records.exists() or not records.stat().st_size:
        return taken, None
    left = "what was written to Optuna and MLflow before stays as it is, and the records are published anew"
    return taken, f"{CAMPAIGN} {why}: from now on this is campaign {taken.id[:8]}; {left}"


def own_campaign_id(folder: Path) -> tuple[CampaignId, str | None]:
    """Returns the same as `take_campaign_id`, for one who does not hold the folder's lock.

    Args:
        folder: The output folder, in which a campaign may be running.

    Returns:
        The identity, and a sentence for the user where a new one was taken.

    Raises:
        SparsebenchError: The folder has no identity of its own, and none can be written.

    Example:
        >>> taken, _ = own_campaign_id(folder)
        >>> own_campaign_id(folder)[0] == taken
        True
    """
    try:
        found = read_campaign_id(folder)
    except SparsebenchError:
        found = None
    if found is not None and found.is_of(folder):
        return found, None
    try:
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, os.strerror(13))
        lock = FolderLock(folder)
        lock.acquire()
        try:
            return take_campaign_id(folder)
        finally:
            lock.release()
    except OSError as error:
        raise SparsebenchError(
            f"{str(folder)!r} needs a {CAMPAIGN} of its own and cannot be written ({error.strerror}); "
            "publish from a copy that can"
        ) from error
