"""Archives that nobody should trust: each is refused in a sentence, and nothing of it reaches the disk."""

import io
import json
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from sparsebench.bench.exchange.archive import Archive, read_archive
from sparsebench.bench.exchange.archive_writer import write_archive
from sparsebench.bench.exchange.manifest import LIMITS, MANIFEST, SUITE
from sparsebench.errors import SparsebenchError
from sparsebench.records.store import FILE

LINES = b'{"some": "record"}\n' * 3


def unpacked(path: Path) -> tuple[Archive, dict[str, bytes]]:
    """An archive with the contents of all its files."""
    archive = read_archive(path)
    with archive.records() as stream:
        return archive, {FILE: stream.read(), **archive.files}


def manifest_of(files: dict[str, bytes]) -> bytes:
    members = {n: {"bytes": len(c), "sha256": sha256(c).hexdigest()} for n, c in files.items()}
    return json.dumps({"format": "sparsebench-results", "version": 1, "files": members}).encode()


def member(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def zipped(*members: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the same name twice
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def honest(*more: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    return zipped((MANIFEST, manifest_of({FILE: LINES})), (FILE, LINES), *more)


def lying_about_size() -> bytes:
    """The header says 57 bytes; what is packed there is a hundred MiB of zeros."""
    bomb = b"\0" * (100 << 20)
    data = bytearray(zipped((MANIFEST, manifest_of({FILE: LINES})), (FILE, bomb)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.rfind(signature)
        data[at + offset : at + offset + 4] = struct.pack("<I", len(LINES))
    return bytes(data)


def many_members() -> bytes:
    return zipped(*((f"{i:06}", b"") for i in range(3000)))


def zip64(members: int = 100_000) -> bytes:
    """A second table of contents, which ZIP64 points to, before a small one."""
    table = struct.pack("<4s12H6IH", b"PK\1\2", *[0] * 9, 1, *[0] * 9)[:46] + b"x"
    many = table * members
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, members, members, len(many), 0)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(many), 1)
    start = len(many) + len(record) + len(locator) - 76
    return many + record + locator + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 2, 2, 76, start, 0)


def encrypted() -> bytes:
    data = bytearray(honest())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.rfind(signature)
        data[at + offset] |= 1
    return bytes(data)


def nested() -> bytes:
    deep = b'{"format":"sparsebench-results","version":1,"files":{},"provenance":{"a":' + b"[" * 200_000
    return zipped((MANIFEST, deep), (FILE, LINES))


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "path traversal": (lambda: honest(("../../evil.py", b"x")), "no place"),
    "absolute path": (lambda: honest(("/tmp/evil", b"x")), "no place"),
    "windows path": (lambda: honest(("..\\evil", b"x")), "no place"),
    "a pickle": (lambda: honest(("records.pkl", b"cos\nsystem\n(S'true'\ntR.")), "no place"),
    "html in a name": (lambda: honest(("<script>alert(1)</script>", b"")), "no place"),
    "symlink": (
        lambda: zipped((MANIFEST, manifest_of({FILE: b"/etc/passwd"})),
                       (member(FILE, stat.S_IFLNK | 0o777), b"/etc/passwd")),
        "not a plain file",
    ),
    "device": (
        lambda: zipped((MANIFEST, manifest_of({FILE: LINES})), (member(FILE, stat.S_IFCHR | 0o666), LINES)),
        "not a plain file",
    ),
    "folder": (lambda: honest(("suite.json/", b"")), "no place"),
    "twice": (lambda: honest((FILE, b"{}\n")), "twice"),
    "too large": (
        lambda: zipped((MANIFEST, b"{}"), (FILE, LINES), (SUITE, b" " * (LIMITS[SUITE] + 1))),
        "more than 4 MiB",
    ),
    "a bomb": (lying_about_size, "not what was packed|no intact ZIP"),
    "a second table of contents": (zip64, "table of contents"),
    "many members": (many_members, "table of contents"),
    "encrypted": (encrypted, "encrypted"),
    "nested": (nested, "damaged"),
    "no manifest": (lambda: zipped((FILE, LINES)), f"no {MANIFEST}"),
    "no records": (lambda: zipped((MANIFEST, manifest_of({}))), f"no {FILE}"),
    "not all listed": (lambda: honest((SUITE, b"{}")), "manifest lists"),
    "edited": (
        lambda: zipped((MANIFEST, manifest_of({FILE: LINES})), (FILE, LINES.replace(b"some", b"same"))),
        "hash differs",
    ),
    "huge number": (
        lambda: zipped((MANIFEST, manifest_of({FILE: LINES}).replace(b'"version": 1', b'"version": 1e400')),
                       (FILE, LINES)),
        "damaged",
    ),
    "cut off": (lambda: honest()[:-30], "no archive"),
    "something before": (lambda: b"#!/bin/sh\n" + honest(), "table of contents"),
    "a comment after": (lambda: honest() + b"x", "no archive"),
    "not a zip": (lambda: b"hello", "no archive"),
    "empty": (lambda: b"", "no archive"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    make, said = HOSTILE[kind]
    path = tmp_path / "theirs.zip"
    path.write_bytes(make())
    with pytest.raises(SparsebenchError, match=said) as caught:
        unpacked(path)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["theirs.zip"]


def test_the_bomb_is_not_unpacked_beyond_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIMITS, FILE, 1 << 20)
    read: list[int] = []
    usual = zipfile.ZipExtFile.read

    def counted(self: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        content = usual(self, n)
        read.append(len(content))
        return content

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    path = tmp_path / "bomb.zip"
    path.write_bytes(zipped((MANIFEST, b"{}"), (FILE, b"\0" * (50 << 20))))
    with pytest.raises(SparsebenchError, match="more than 1 MiB"):
        unpacked(path)
    path.write_bytes(lying_about_size())
    with pytest.raises(SparsebenchError):
        unpacked(path)
    assert sum(read) <= 2 << 20


def test_an_archive_too_large_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsebench.bench.exchange.archive.MOST_PACKED", 100)
    path = tmp_path / "large.zip"
    path.write_bytes(honest())
    with pytest.raises(SparsebenchError, match="more than"):
        read_archive(path)


def test_what_is_packed_comes_back_and_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    files = {FILE: LINES, SUITE: b"{}"}
    first = write_archive(tmp_path / "a.zip", files, {"who": "me"})
    second = write_archive(tmp_path / "sub" / "b.zip", files, {"who": "me"})
    assert first.read_bytes() == second.read_bytes()
    archive, content = unpacked(first)
    assert content == files and archive.manifest.provenance == {"who": "me"}
    assert {p.name for p in tmp_path.iterdir()} == {"a.zip", "sub"}


def test_more_than_an_archive_takes_is_said_when_packing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, FILE, 10)
    with pytest.raises(SparsebenchError, match="fewer tasks"):
        write_archive(tmp_path / "a.zip", {FILE: LINES}, {})


def test_only_an_archive_is_replaced_by_an_archive(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    target = tmp_path / "a.zip"
    write_archive(target, {FILE: LINES}, {})
    write_archive(target, {FILE: LINES * 2}, {})
    assert unpacked(target)[1] == {FILE: LINES * 2}
    for path, said in [
        (tmp_path / "folder", "no archive of results"),
        (tmp_path / "file", "no archive of results"),
        (tmp_path / "file" / "a.zip", "cannot write"),
    ]:
        with pytest.raises(SparsebenchError, match=said) as caught:
            write_archive(path, {FILE: LINES}, {})
        assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"
    assert {p.name for p in tmp_path.rglob("*")} == {"a.zip", "file", "folder"}


def test_a_disk_that_refuses_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SparsebenchError, match="No space left"):
        write_archive(tmp_path / "a.zip", {FILE: LINES}, {})
    assert list(tmp_path.iterdir()) == []
