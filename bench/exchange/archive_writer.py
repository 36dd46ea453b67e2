"""The writer of archives: a stream of records, never a whole file in memory, and a manifest of the hashes."""

import stat
import zipfile
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...errors import SparsebenchError
from ...files import replacing
from .archive import DAY, MOST_PACKED, read_archive
from .manifest import MANIFEST, MIB, MODEL, Manifest, Member, limit_of

Content = bytes | Callable[[], Iterable[bytes]]


def write_archive(
    path: Path,
    files: Mapping[str, Content],
    provenance: Mapping[str, Any],
    test_sets: Mapping[str, str] | None = None,
) -> Path:
    """Writes files and a manifest of their hashes into one archive; equal content gives equal bytes.

    Args:
        path: The archive to write. An existing file is replaced only if it is an archive of results itself.
        files: Contents by name: bytes, or a function that returns the parts of a content. It is called twice,
            and nothing of it stays in memory. The names are `records.jsonl`, `suite.json`, `methods.json`,
            and those that `model_member` gives models.
        provenance: JSON-like description of the origin, stored in the manifest for human readers.
        test_sets: Digest of the test set of each task, where there are models.

    Returns:
        The path that was written.

    Raises:
        SparsebenchError: A file exceeds its size limit, `path` exists and is no archive of results, or it
            cannot be written.

    Example:
        >>> first = write_archive(Path("a.zip"), {"records.jsonl": b"{}"}, {})
        >>> second = write_archive(Path("b.zip"), {"records.jsonl": lambda: [b"{", b"}"]}, {})
        >>> first.read_bytes() == second.read_bytes()
        True
    """
    _check_target(path)
    members = {name: _measured(name, _parts(content)) for name, content in files.items()}
    models = {found[1]: members[name] for name in members if (found := MODEL.fullmatch(name))}
    manifest = Manifest(
        files={name: one for name, one in members.items() if not MODEL.fullmatch(name)},  # type: ignore[misc]
        models=models, test_sets=dict(test_sets or {}), provenance=dict(provenance),
    )  # fmt: skip
    everything = {MANIFEST: manifest.to_json(), **files}
    try:
        with replacing(path) as temporary:
            with zipfile.ZipFile(temporary, "w") as archive:
                for name, content in everything.items():
                    _write_member(archive, name, members[name].bytes if name in members else 0, content)
            if temporary.stat().st_size > MOST_PACKED:
                raise SparsebenchError(_too_large(path.name, MOST_PACKED))
    except OSError as error:
        raise SparsebenchError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    return path


def _parts(content: Content) -> Iterable[bytes]:
    return [content] if isinstance(content, bytes) else content()


def _measured(name: str, parts: Iterable[bytes]) -> Member:
    """Returns length and hash of a content; raises where it is longer than its limit."""
    length, hashed = 0, sha256()
    for part in parts:
        hashed.update(part)
        length += len(part)
        if length > limit_of(name):
            raise SparsebenchError(_too_large(name, limit_of(name)))
    return Member(bytes=length, sha256=hashed.hexdigest())


def _too_large(name: str, limit: int) -> str:
    few = "pack fewer tasks or entries at a time, with --task and --entry"
    return f"{name} has more than {limit // MIB:,} MiB: {few}"


def _write_member(archive: zipfile.ZipFile, name: str, size: int, content: Content) -> None:
    info = zipfile.ZipInfo(name, DAY)
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    info.file_size = size  # decides whether the member's header has the lengths of ZIP64
    with archive.open(info, "w") as member:
        for part in _parts(content):
            member.write(part)


def _check_target(path: Path) -> None:
    """Raises if `path` exists and is no archive of results: a mistyped name must not destroy records."""
    if not path.exists():
        return
    try:
        if not path.is_file():
            raise SparsebenchError("it is not a file")
        read_archive(path)
    except SparsebenchError as error:
        raise SparsebenchError(
            f"{str(path)!r} is there, but no archive of results ({error}); choose another --out"
        ) from None
