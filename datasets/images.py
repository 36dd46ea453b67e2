"""Image files: their listing in class folders, with what is left out, and their digest."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from pathlib import Path

from ..errors import SparsebenchError

SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".ppm", ".pgm", ".pbm", ".pnm",
    ".tif", ".tiff", ".webp",
})  # fmt: skip
# Files beside pictures that are none, and what viewers and archives leave behind.
TEXTS = frozenset({
    ".txt", ".json", ".jsonl", ".xml", ".csv", ".tsv", ".md", ".rst", ".yaml", ".yml", ".toml", ".html",
    ".htm", ".log", ".ini", ".cfg", ".py", ".url",
})  # fmt: skip
LITTER = frozenset({"thumbs.db", "desktop.ini", "@eadir", "__macosx", "lost+found"})


@dataclass
class Listing:
    """The files of a folder of images, sorted by path: none vanishes but hidden ones and viewers' leftovers.

    Attributes:
        images: Files with a suffix in `SUFFIXES`, in upper or lower case.
        unreadable: Files of other kinds, such as HEIC and RAW: pictures, as far as can be told.
        texts: Files that are no pictures, such as notes and labels.

    Example:
        >>> for file in ("a.png", "b.heic", "c.HEIC", "labels.txt"):
        ...     Path(file).touch()
        >>> found = list_files("mine", Path())
        >>> len(found.images), len(found.unreadable), len(found.texts)
        (1, 2, 1)
    """

    images: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)
    texts: list[Path] = field(default_factory=list)


def class_folders(name: str, folder: Path) -> list[str]:
    """Returns the names of the folders in a folder, sorted; hidden ones and viewers' leftovers are left out.

    Args:
        name: The dataset's name, for error messages.
        folder: The folder of one split.

    Returns:
        The names; a name's index is its label. Empty where there are only files.

    Raises:
        SparsebenchError: The folder does not exist or may not be read.

    Example:
        >>> for kind in ("cat", "ant", ".thumbnails"):
        ...     Path("pets", kind).mkdir(parents=True)
        >>> class_folders("mine", Path("pets"))
        ['ant', 'cat']
    """
    return sorted(entry.name for entry in _scan(name, folder) if entry.is_dir() and not is_litter(entry.name))


def images_in(name: str, folder: Path) -> list[Path]:
    """Returns all image files below a class folder, sorted by path; hidden files and folders are left out.

    Args:
        name: The dataset's name, for error messages.
        folder: The class folder, which may have folders of its own.

    Returns:
        The paths of the files with a suffix in `SUFFIXES`, in upper or lower case.

    Raises:
        SparsebenchError: There is no image, or a folder does not exist or may not be read.

    Example:
        >>> Path("birds/jay").mkdir(parents=True)
        >>> for file in ("wren.png", "jay/1.JPG", "notes.txt"):
        ...     Path("birds", file).touch()
        >>> [path.as_posix() for path in images_in("mine", Path("birds"))]
        ['birds/jay/1.JPG', 'birds/wren.png']
    """
    found = list_files(name, folder).images
    if not found:
        raise SparsebenchError(f"dataset {name!r}: the class folder {str(folder)!r} holds no images")
    return found


def list_files(name: str, folder: Path, *, deep: bool = True) -> Listing:
    """Returns all files below a folder by kind, sorted by path.

    Args:
        name: The dataset's name, for error messages.
        folder: The folder, which may have folders of its own.
        deep: Whether these are looked into.

    Returns:
        The files; hidden ones, hidden folders and viewers' leftovers are left out.

    Raises:
        SparsebenchError: A folder does not exist or may not be read.

    Example:
        >>> Path("raw").mkdir()
        >>> for file in ("wren.png", "jay.cr2", ".DS_Store", "Thumbs.db"):
        ...     Path("raw", file).touch()
        >>> found = list_files("mine", Path("raw"))
        >>> found.images[0].name, found.unreadable[0].name, found.texts
        ('wren.png', 'jay.cr2', [])
    """
    found = Listing()
    waiting = [folder]
    while waiting:
        for entry in _scan(name, waiting.pop()):
            path = Path(entry.path)
            suffix = path.suffix.lower()
            if is_litter(entry.name):
                continue
            if _is_folder(name, entry):
                waiting += [path] if deep else []
            elif suffix in SUFFIXES:
                _check_regular(name, entry)
                found.images.append(path)
            else:
                (found.texts if suffix in TEXTS else found.unreadable).append(path)
    for files in (found.images, found.unreadable, found.texts):
        files.sort(key=lambda path: path.relative_to(folder).as_posix())
    return found


def _is_folder(name: str, entry: os.DirEntry[str]) -> bool:
    """Returns whether an entry is a folder, itself or by a link; raises for a link in a circle."""
    try:
        found = entry.is_dir()
    except OSError:  # a link to itself
        found = True
    if found and entry.is_symlink():
        target = os.path.realpath(entry.path)
        link = Path(entry.path).absolute()
        if target == str(link) or target in map(os.path.realpath, link.parents):
            raise SparsebenchError(
                f"dataset {name!r}: the link {entry.path!r} leads to a folder that it lies in: take it away"
            )
    return found


def _check_regular(name: str, entry: os.DirEntry[str]) -> None:
    """Raises for what would be waited for or never end when it is read: a pipe, a socket, a device."""
    if not entry.is_file() and Path(entry.path).exists():  # a link to nowhere is said when it is read
        raise SparsebenchError(
            f"dataset {name!r}: {entry.path!r} is no file but a pipe, a socket or a device: take it away"
        )


def is_litter(name: str) -> bool:
    """Returns whether a file or folder is hidden or what viewers and archives leave behind.

    Args:
        name: Its name, without its folder.

    Returns:
        True for names that begin with a dot, and for Thumbs.db and the like.

    Example:
        >>> is_litter(".DS_Store"), is_litter("Thumbs.db"), is_litter("cat.png")
        (True, True, False)
    """
    return name.startswith(".") or name.lower() in LITTER


def _scan(name: str, folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except PermissionError:
        raise SparsebenchError(f"dataset {name!r}: the folder {str(folder)!r} is not readable") from None
    except OSError as error:
        raise SparsebenchError(
            f"dataset {name!r}: the folder {str(folder)!r} cannot be listed ({error.strerror})"
        ) from None


def digest_files(name: str, base: Path, paths: Iterable[Path], definition: str) -> str:
    r"""Returns a sha256 of files that does not depend on the place of their folder.

    Args:
        name: The dataset's name, for error messages.
        base: The folder to which the paths are made relative.
        paths: The files, in the order in which they are hashed.
        definition: What else the dataset depends on, such as the rule of its split.

    Returns:
        The digest, in hex, over each file's relative path, its length and its bytes, then the definition.

    Raises:
        SparsebenchError: A file cannot be read.

    Example:
        >>> _ = Path("a.png").write_bytes(b"pixels")
        >>> digest = digest_files("mine", Path(), [Path("a.png")], "no split")
        >>> digest == sha256(b"a.png\0" b"6\0" b"pixels" b"no split").hexdigest()
        True
    """
    return hash_files(name, base, paths, definition)[0]


def hash_files(name: str, base: Path, paths: Iterable[Path], definition: str) -> tuple[str, list[bytes]]:
    """Returns `digest_files` and a hash of each file's bytes alone, by which copies are found.

    Args:
        name: The dataset's name, for error messages.
        base: The folder to which the paths are made relative.
        paths: The files, in the order in which they are hashed.
        definition: What else the dataset depends on.

    Returns:
        The digest of all files, and their hashes.

    Raises:
        SparsebenchError: A file cannot be read.

    Example:
        >>> for file in ("a.png", "b.png"):
        ...     _ = Path(file).write_bytes(b"pixels")
        >>> _, (first, second) = hash_files("mine", Path(), [Path("a.png"), Path("b.png")], "no split")
        >>> first == second
        True
    """
    total, each = sha256(), []
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SparsebenchError(
                f"dataset {name!r}: {str(path)!r} cannot be read ({error.strerror})"
            ) from None
        # A name of other bytes than UTF-8's has surrogates for them.
        place = path.relative_to(base).as_posix().encode(errors="surrogateescape")
        total.update(b"%b\0%d\0" % (place, len(content)))
        total.update(content)
        each.append(blake2b(content, digest_size=16).digest())
    total.update(definition.encode())
    return total.hexdigest(), each
