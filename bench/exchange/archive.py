"""The archive format for results: a ZIP file of five known members and of models, read as untrusted input.

Nothing is executed or unpickled. Members are read by name, up to a size limit; the records are a stream, of
which memory holds a line, and so are the models: only who verifies one copies it to a file.
An archive with any other member, or whose content differs from its manifest, is refused as a whole.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any

from ...errors import SparsebenchError
from ...records.store import FILE
from .manifest import LIMITS, MANIFEST, MIB, MODEL, Manifest, limit_of, model_member, read_manifest

MOST_PACKED = (1 << 31) - 16 * MIB  # from 2 GiB on a ZIP file has a second table of contents
BLOCK = 1 << 20
DIRECTORY = 128 << 10  # bytes; of a model the central directory has some eighty
DAY = (1980, 1, 1, 0, 0, 0)  # the same records give the same archive
END, END64 = b"PK\x05\x06", b"PK\x06\x07"


@dataclass(frozen=True)
class Archive:
    """An archive whose table of contents and small files have been checked.

    Attributes:
        path: The file.
        manifest: Its manifest.
        files: The content of `suite.json` and of `methods.json`, where it has them.

    Example:
        >>> from sparsebench.bench.exchange.archive_writer import write_archive
        >>> archive = read_archive(write_archive(Path("mine.zip"), {"records.jsonl": b"{}"}, {}))
        >>> with archive.records() as lines:
        ...     lines.readline()
        b'{}'
    """

    path: Path
    manifest: Manifest
    files: Mapping[str, bytes]

    @contextmanager
    def records(self) -> Iterator[BufferedReader]:
        """Context manager that opens the records file as a stream.

        Yields:
            The stream. Reading raises `SparsebenchError` where the content exceeds its limit, is no intact
            ZIP data or, at its end, is not what was packed.
        """
        with self._opened(FILE) as stream:
            yield stream

    @contextmanager
    def model(self, identity: str) -> Iterator[BufferedReader]:
        """Context manager that opens the model of a trial as a stream, as `records` does.

        Args:
            identity: The trial's id; `manifest.models` has those of which there is a model.

        Yields:
            The stream, whose end tells whether the content is what was packed.
        """
        with self._opened(model_member(identity)) as stream:
            yield stream

    @contextmanager
    def _opened(self, name: str) -> Iterator[BufferedReader]:
        with zipfile.ZipFile(self.path) as archive, _CheckedStream(archive, name, self.manifest) as stream:
            yield BufferedReader(stream, BLOCK)


def read_archive(path: Path) -> Archive:
    """Returns an archive, of which all but records and models is checked against its length and hash.

    Args:
        path: An existing file, of any origin.

    Returns:
        The archive; its records and models are checked when they are read.

    Raises:
        SparsebenchError: The file is not such an archive, exceeds a size limit, or was changed after packing.

    Example:
        >>> from sparsebench.bench.exchange.archive_writer import write_archive
        >>> path = write_archive(Path("mine.zip"), {"records.jsonl": b"{}"}, {})
        >>> read_archive(path).manifest.files["records.jsonl"].bytes
        2
        >>> _ = path.write_bytes(path.read_bytes()[:-1])
        >>> read_archive(path)
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: it is no archive that `sparsebench pack` made
    """
    if path.stat().st_size > MOST_PACKED:
        raise SparsebenchError(f"it has more than {MOST_PACKED // MIB:,} MiB")
    _check_directory(path)
    with _intact_zip(), zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in _checked(archive.infolist())}
        if MANIFEST not in infos or FILE not in infos:
            raise SparsebenchError(f"it holds no {MANIFEST} or no {FILE}: make it with `sparsebench pack`")
        manifest = read_manifest(_content(archive, MANIFEST))
        if {MANIFEST, *manifest.members} != set(infos):
            raise SparsebenchError("it does not hold what its manifest lists")
        for name, member in manifest.members.items():
            if infos[name].file_size != member.bytes:
                raise SparsebenchError(f"{name} in it is not what was packed: its length differs")
        small = set(manifest.files) - {FILE}
        return Archive(path, manifest, {name: _content(archive, name, manifest) for name in sorted(small)})


@contextmanager
def _intact_zip() -> Iterator[None]:
    """Raises `SparsebenchError` for every error that reading a damaged ZIP file has."""
    try:
        yield
    except SparsebenchError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise SparsebenchError(f"it is no intact ZIP file ({error})") from error


class _CheckedStream(RawIOBase):
    """The unpacked content of a member, read up to its limit whatever its header claims, with its hash."""

    def __init__(self, archive: zipfile.ZipFile, name: str, manifest: Manifest | None = None) -> None:
        self._name, self._length, self._hash = name, 0, sha256()
        self._limit = limit_of(name)
        self._expected = manifest.members.get(name) if manifest else None
        with _intact_zip():
            self._member = archive.open(name)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _intact_zip():
            content = self._member.read(min(len(buffer), self._limit + 1 - self._length))
        self._length += len(content)
        self._hash.update(content)
        if self._length > self._limit:
            raise SparsebenchError(f"a file in it has more than {self._limit // MIB:,} MiB")
        found, wanted = (self._length, self._hash.hexdigest()), self._expected
        if not content and wanted and (wanted.bytes, wanted.sha256) != found:
            raise SparsebenchError(f"{self._name} in it is not what was packed: its hash differs")
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._member.close()
        super().close()


def _content(archive: zipfile.ZipFile, name: str, manifest: Manifest | None = None) -> bytes:
    with _CheckedStream(archive, name, manifest) as stream:
        return stream.readall()


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
        if name not in LIMITS and not MODEL.fullmatch(name):
            raise SparsebenchError(f"it holds {name[:80]!a}, which has no place in an archive of results")
        if name in seen:
            raise SparsebenchError(f"it holds {name} twice")
        if info.is_dir() or stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise SparsebenchError(f"{name} in it is not a plain file")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise SparsebenchError(f"{name} in it is encrypted, or compressed in an unsupported way")
        if info.file_size > limit_of(name):
            raise SparsebenchError(f"{name} in it has more than {limit_of(name) // MIB:,} MiB")
        seen.add(name)
        yield info
