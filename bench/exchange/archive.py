"""The archive format for results: a ZIP file of at most four known members, read as untrusted input.

Nothing is extracted to disk, executed or unpickled. Members are read in memory, by name, up to a size limit.
An archive with any other member, or whose content differs from its manifest, is refused as a whole.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import SparsebenchError
from ...files import write_atomic
from ...records import method_docs
from ...records.store import FILE
from ...validation import validation_message

MANIFEST = "manifest.json"
METHODS = method_docs.FILE
SUITE = "suite.json"
MIB = 1 << 20
LIMITS = {MANIFEST: MIB, SUITE: 4 * MIB, METHODS: MIB, FILE: 256 * MIB}  # bytes of each member, unpacked
MOST_PACKED = 64 * MIB
LONGEST_LINE = 4 * MIB
DIRECTORY = 64 << 10  # bytes; the central directory of four members has some three hundred
DAY = (1980, 1, 1, 0, 0, 0)  # the same records give the same archive
END, END64 = b"PK\x05\x06", b"PK\x06\x07"

Count = Annotated[int, Field(ge=0, le=LIMITS[FILE])]


class Member(BaseModel):
    """Size and hash of one file of an archive, as its manifest lists them.

    Attributes:
        bytes: Length of the unpacked file in bytes, at most the limit for the records file (256 MiB).
        sha256: SHA-256 of the unpacked content, 64 lower-case hexadecimal digits.

    Example:
        >>> Member(bytes=2, sha256=sha256(b"{}").hexdigest()).sha256[:8]
        '44136fa3'
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    bytes: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """Table of the files of an archive with their sizes and hashes, and a description of their origin.

    Attributes:
        format: Marker of the file type; no other value is accepted.
        version: Version of the archive format.
        files: Size and hash of each packed file, by its name; the manifest itself is not listed.
        provenance: Origin of the results (suites, versions, devices) for human readers; no code relies on it.

    Example:
        >>> path = write_archive(Path("mine.zip"), {"records.jsonl": b"{}"}, {"packed_by": "a test"})
        >>> manifest, _ = read_archive(path)
        >>> manifest.files["records.jsonl"].bytes, manifest.provenance
        (2, {'packed_by': 'a test'})
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    format: Literal["sparsebench-results"] = "sparsebench-results"
    version: Literal[1] = 1
    files: dict[Literal["records.jsonl", "suite.json", "methods.json"], Member]
    provenance: dict[str, Any] = {}


def write_archive(path: Path, files: Mapping[str, bytes], provenance: Mapping[str, Any]) -> Path:
    """Writes files and a manifest of their hashes into one archive; equal content gives equal bytes.

    Args:
        path: The archive to write. An existing file is replaced only if it is an archive of results itself.
        files: Contents by name; the names are `records.jsonl`, `suite.json` and `methods.json`.
        provenance: JSON-like description of the origin, stored in the manifest for human readers.

    Returns:
        The path that was written.

    Raises:
        SparsebenchError: A file exceeds its size limit, `path` exists and is no archive of results, or it
            cannot be written.

    Example:
        >>> first = write_archive(Path("a.zip"), {"records.jsonl": b"{}"}, {})
        >>> second = write_archive(Path("b.zip"), {"records.jsonl": b"{}"}, {})
        >>> first.read_bytes() == second.read_bytes()
        True
    """
    _check_target(path)
    for name, content in files.items():
        if len(content) > LIMITS[name]:
            raise SparsebenchError(
                f"{name} has {len(content) // MIB} MiB and an archive takes {LIMITS[name] // MIB}: "
                "pack fewer tasks at a time"
            )
    members = {
        name: Member(bytes=len(content), sha256=sha256(content).hexdigest())
        for name, content in files.items()
    }
    manifest = Manifest(files=members, provenance=dict(provenance))  # type: ignore[arg-type]
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in {MANIFEST: manifest.model_dump_json(indent=1).encode(), **files}.items():
            info = zipfile.ZipInfo(name, DAY)
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return write_atomic(path, buffer.getvalue())


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


def read_archive(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Returns the manifest and the files of an archive, each file checked against its length and hash.

    Args:
        path: An existing file, of any origin.

    Returns:
        The manifest, and the content of each listed file by name.

    Raises:
        SparsebenchError: The file is not such an archive, exceeds a size limit, or was changed after packing.

    Example:
        >>> path = write_archive(Path("mine.zip"), {"records.jsonl": b"{}"}, {})
        >>> read_archive(path)[1]
        {'records.jsonl': b'{}'}
        >>> _ = path.write_bytes(path.read_bytes()[:-1])
        >>> read_archive(path)
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: it is no archive that `sparsebench pack` made
    """
    if path.stat().st_size > MOST_PACKED:
        raise SparsebenchError(f"it has more than {MOST_PACKED // MIB} MiB")
    _check_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = {info.filename: info for info in _checked(archive.infolist())}
            if MANIFEST not in infos or FILE not in infos:
                raise SparsebenchError(
                    f"it holds no {MANIFEST} or no {FILE}: make it with `sparsebench pack`"
                )
            manifest = _manifest(_content(archive, infos.pop(MANIFEST)))
            if set(manifest.files) != set(infos):
                raise SparsebenchError("it does not hold what its manifest lists")
            return manifest, {name: _content(archive, info, manifest) for name, info in infos.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, SparsebenchError):
            raise
        raise SparsebenchError(f"it is no intact ZIP file ({error})") from error


def _check_directory(path: Path) -> None:
    """Refuses a large central directory before `zipfile` reads it: it can list millions of members."""
    with path.open("rb") as file:
        size = path.stat().st_size
        file.seek(max(0, size - 42))
        before, tail = (last := file.read(42))[:-22], last[-22:]
    if len(tail) < 22 or not tail.startswith(END) or tail[20:] != b"\0\0":
        raise SparsebenchError("it is no archive that `sparsebench pack` made")
    length = int.from_bytes(tail[12:16], "little")
    elsewhere = before.startswith(END64)  # a ZIP64 locator: it points to a second directory of any length
    if elsewhere or length > DIRECTORY or int.from_bytes(tail[16:20], "little") + length + 22 != size:
        raise SparsebenchError("its table of contents is not what `sparsebench pack` writes")


def _checked(infos: list[zipfile.ZipInfo]) -> Iterator[zipfile.ZipInfo]:
    seen: set[str] = set()
    for info in infos:
        name = info.filename
        if name not in LIMITS:
            raise SparsebenchError(f"it holds {name[:80]!a}, which has no place in an archive of results")
        if name in seen:
            raise SparsebenchError(f"it holds {name} twice")
        if info.is_dir() or stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise SparsebenchError(f"{name} in it is not a plain file")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise SparsebenchError(f"{name} in it is encrypted, or compressed in an unsupported way")
        if info.file_size > LIMITS[name]:
            raise SparsebenchError(f"{name} in it has more than {LIMITS[name] // MIB} MiB")
        seen.add(name)
        yield info


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, manifest: Manifest | None = None) -> bytes:
    """Returns the content of a member, reading at most its size limit whatever its header claims."""
    with archive.open(info) as file:
        content = _bounded(file, LIMITS[info.filename])
    expected = manifest.files.get(info.filename) if manifest else None  # type: ignore[call-overload]
    if expected and (expected.bytes, expected.sha256) != (len(content), sha256(content).hexdigest()):
        raise SparsebenchError(f"{info.filename} in it is not what was packed: its hash differs")
    return content


def _bounded(file: IO[bytes], limit: int) -> bytes:
    content = file.read(limit + 1)
    if len(content) > limit:
        raise SparsebenchError(f"a file in it has more than {limit // MIB} MiB")
    return content


def _manifest(content: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise SparsebenchError(f"its {MANIFEST} is damaged: {validation_message(error)}") from error
