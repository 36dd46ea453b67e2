"""The file that results travel in: a ZIP of four known members, read with suspicion.

Nothing is ever extracted to disk, executed or unpickled. Members are read in memory, by name, up to a limit;
whatever is not one of the four, or not what the manifest says, refuses the whole archive.
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
from ...records import method_docs as described
from ...records.store import FILE
from ...validation import validation_message

MANIFEST = "manifest.json"
METHODS = described.FILE
SUITE = "suite.json"
MIB = 1 << 20
LIMITS = {MANIFEST: MIB, SUITE: 4 * MIB, METHODS: MIB, FILE: 256 * MIB}  # bytes of each member, unpacked
MOST_PACKED = 64 * MIB
LONGEST_LINE = 4 * MIB
DIRECTORY = 64 << 10  # bytes; that of four members has some three hundred
DAY = (1980, 1, 1, 0, 0, 0)  # the same records give the same archive
END, END64 = b"PK\x05\x06", b"PK\x06\x07"

Count = Annotated[int, Field(ge=0, le=LIMITS[FILE])]


class Member(BaseModel):
    """What the manifest says of a file: how long it is, and its SHA-256."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    bytes: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What is in an archive and where it comes from. `provenance` is for people; nothing relies on it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    format: Literal["sparsebench-results"] = "sparsebench-results"
    version: Literal[1] = 1
    files: dict[Literal["records.jsonl", "suite.json", "methods.json"], Member]
    provenance: dict[str, Any] = {}


def write_archive(path: Path, files: Mapping[str, bytes], provenance: Mapping[str, Any]) -> Path:
    """Pack the files with a manifest of their hashes; the same content gives the same bytes.

    Errors: more than an archive may hold; a file that cannot be written, or that is there and no archive.
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
    """An archive may replace an older one and nothing else: a mistaken name would cost records."""
    if not path.exists():
        return
    try:
        if not path.is_file():
            raise SparsebenchError("it is no file")
        read_archive(path)
    except SparsebenchError as error:
        raise SparsebenchError(
            f"{str(path)!r} is there and no archive of results ({error}); choose another --out"
        ) from None


def read_archive(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the files of an archive, every one checked against its length and hash.

    Errors: not such an archive, or one that was changed after it was packed.
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
    """Refuse a large table of contents before it is read: it can hold millions of members."""
    with path.open("rb") as file:
        size = path.stat().st_size
        file.seek(max(0, size - 42))
        before, tail = (last := file.read(42))[:-22], last[-22:]
    if len(tail) < 22 or not tail.startswith(END) or tail[20:] != b"\0\0":
        raise SparsebenchError("it is no archive that `sparsebench pack` made")
    length = int.from_bytes(tail[12:16], "little")
    elsewhere = before.startswith(END64)  # it would point to another table of contents, of any length
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
            raise SparsebenchError(f"{name} in it is encrypted, or packed in a way that is not read")
        if info.file_size > LIMITS[name]:
            raise SparsebenchError(f"{name} in it has more than {LIMITS[name] // MIB} MiB")
        seen.add(name)
        yield info


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, manifest: Manifest | None = None) -> bytes:
    """A member, never more of it than its limit whatever its header says."""
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
