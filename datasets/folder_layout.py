"""The layout of a folder of images: its splits by their usual names, their classes, and what is left out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SparsebenchError
from .images import Listing, class_folders, list_files

NAME = "image_folder"
# The usual names of splits, in upper or lower case.
SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "development"),
    "test": ("test", "testing"),
}
LARGE_LOSS = 0.1
"""A folder is refused where more than this share of a class's pictures cannot be read."""


@dataclass
class Layout:
    """The files of a folder of images, by split and class.

    Attributes:
        classes: The names of the classes, which every split has.
        splits: The images by "train", "val" and "test", as far as there are such folders, one list a class.
        folders: The names of their folders, by the same keys.
        notes: What was left out, in sentences with numbers.

    Example:
        >>> for file in ("Training/cat/1.png", "Training/dog/2.png", "valid/cat/3.png", "valid/dog/4.png"):
        ...     Path(file).parent.mkdir(parents=True, exist_ok=True)
        ...     Path(file).touch()
        >>> found = read_layout(Path())
        >>> found.classes, {split: sum(map(len, files)) for split, files in found.splits.items()}
        (['cat', 'dog'], {'train': 2, 'val': 2})
    """

    classes: list[str]
    splits: dict[str, list[list[Path]]]
    folders: dict[str, str]
    notes: list[str] = field(default_factory=list)


def read_layout(base: Path) -> Layout:
    """Returns the files of a folder of images.

    Args:
        base: The folder that holds the folders of the splits.

    Returns:
        The layout.

    Raises:
        SparsebenchError: The folder is not understood, or pictures are lost in number: a second folder of a
            split, a folder that is none, classes that differ between splits, classes without images.

    Example:
        >>> Path("pets/train/cat").mkdir(parents=True)
        >>> read_layout(Path("pets"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: dataset 'image_folder': 'pets/train' holds 1 class folders, and
        needs two
    """
    folders = _split_folders(base)
    names = class_folders(NAME, folders["train"])
    if len(names) < 2:
        raise _error(f"{str(folders['train'])!r} holds {len(names)} class folders, and needs two")
    if bad := [name for name in names if name != name.encode(errors="replace").decode()]:
        raise _error(
            f"the name of the class folder {str(folders['train'] / bad[0])!r} is not UTF-8: rename it"
        )
    left_out = Listing()
    splits = {}
    for split, folder in folders.items():
        _check_classes(folder, names, folders["train"])
        splits[split] = [_class_images(folder / name, split, left_out) for name in names]
        if not any(splits[split]):
            raise _error(f"{str(folder)!r} holds no images")
        _outside(folder, sum(map(len, splits[split])), left_out)
    _outside(base, sum(len(images) for split in splits.values() for images in split), left_out)
    return Layout(names, splits, {key: one.name for key, one in folders.items()}, _notes(base, left_out))


def _error(text: str) -> SparsebenchError:
    return SparsebenchError(f"dataset {NAME!r}: {text}")


def _split_folders(base: Path) -> dict[str, Path]:
    """Returns the folder of each split; raises where one is missing, there are two, or another folder."""
    folders = class_folders(NAME, base)
    found = {split: [f for f in folders if f.lower() in names] for split, names in SPLITS.items()}
    if not found["train"]:
        shown = _some(folders) if folders else "no folders"
        raise _error(
            f"there is no folder train/ in {str(base)!r}, which holds {shown}; "
            "images are looked for in train/CLASS/"
        )
    for split, names in found.items():
        if len(names) > 1:
            raise _error(f"{str(base)!r} has {_some(names)}, which all name the {split} split: keep one")
    others = [f for f in folders if not any(f in names for names in found.values())]
    if others := [f for f in others if _holds_pictures(base / f)]:
        known = _some([names[0] for names in found.values() if names])
        raise _error(
            f"{str(base)!r} holds {_some(others)} beside {known}, which is no split: name it train, val or "
            "test, or move it away"
        )
    return {split: base / names[0] for split, names in found.items() if names}


def _holds_pictures(folder: Path) -> bool:
    found = list_files(NAME, folder)
    return bool(found.images or found.unreadable)


def _check_classes(folder: Path, names: list[str], train: Path) -> None:
    found = class_folders(NAME, folder)
    if not found:
        raise _error(f"{str(folder)!r} has no class folders")
    if strangers := sorted(set(found) - set(names)):
        more = f" ({len(strangers)} such classes)" if len(strangers) > 1 else ""
        raise _error(f"{str(folder / strangers[0])!r} is a class that {train.name}/ does not have{more}")
    if missing := sorted(set(names) - set(found)):
        raise _error(
            f"{str(folder)!r} lacks {len(missing)} of the {len(names)} classes, {_some(missing)}: where it "
            "has no images of a class, make an empty folder for it"
        )


def _class_images(folder: Path, split: str, left_out: Listing) -> list[Path]:
    """Returns the images of a class, and adds what is left out to `left_out`."""
    found = list_files(NAME, folder)
    left_out.unreadable += found.unreadable
    left_out.texts += found.texts
    lost = len(found.unreadable)
    if not found.images and (split == "train" or lost or found.texts):
        rest = [*found.unreadable, *found.texts]
        but = f" but {_files(rest)} of other kinds ({_kinds(rest)})" if rest else ""
        raise _error(f"the class folder {str(folder)!r} holds no images{but}: put some there or take it away")
    _check_loss(folder, found.unreadable, len(found.images))
    return found.images


def _check_loss(folder: Path, lost: Sequence[Path], kept: int, why: str = "cannot be read") -> None:
    if len(lost) > LARGE_LOSS * (kept + len(lost)):
        raise _error(
            f"{len(lost)} of {kept + len(lost)} files of {str(folder)!r} {why} ({_kinds(lost)}, such as "
            f"{lost[0].name!r}): convert them to JPEG or PNG in the class folders, or take them out"
        )


def _outside(folder: Path, kept: int, left_out: Listing) -> None:
    """Adds the pictures that lie in a folder itself, not in one of a class; many of them are an error."""
    loose = list_files(NAME, folder, deep=False)
    lost = [*loose.images, *(path for path in loose.unreadable if path.suffix)]
    _check_loss(folder, loose.images, kept, "lie outside of the class folders")
    left_out.unreadable += lost


def _notes(base: Path, left_out: Listing) -> list[str]:
    found = []
    for files, what in ((left_out.unreadable, "cannot be read or lie outside of the class folders"),
                        (left_out.texts, "are no pictures")):  # fmt: skip
        if files:
            example = files[0].relative_to(base).as_posix()
            found.append(f"{_files(files)} ({_kinds(files)}) {what}, such as {example!r}: left out")
    return found


def _files(files: Sequence[Path]) -> str:
    return f"{len(files)} file{'s' if len(files) != 1 else ''}"


def _kinds(files: Sequence[Path]) -> str:
    """Returns the number of files by suffix, such as `30 .heic, 2 .cr2`."""
    counts = Counter(path.suffix.lower() or "without suffix" for path in files)
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(5))


def _some(names: Sequence[str], most: int = 5) -> str:
    """Returns names in quotes, the first few of many."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + rest
