"""The manifest of an archive: what it may hold, how large, and the size and hash of each file that it has."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ... import method_docs
from ...errors import SparsebenchError
from ...records.fields import Identity
from ...records.measured import latency
from ...records.store import FILE
from ...validation import validation_message

MANIFEST = "manifest.json"
METHODS = method_docs.FILE
SUITE = "suite.json"
MIB = 1 << 20
LATENCY = latency.FILE
LIMITS = {  # bytes of each member, unpacked
    MANIFEST: MIB, SUITE: 4 * MIB, METHODS: MIB, LATENCY: 64 * MIB, FILE: 16 << 30,
}  # fmt: skip
MODEL = re.compile(r"models/([0-9a-f]{16})\.safetensors")
MOST_MODEL = 4 << 30  # bytes of a model, unpacked; who verifies it knows how many it has
MOST_MODELS = 1500  # fits into the table of contents that is read

Count = Annotated[int, Field(ge=0, le=LIMITS[FILE])]


def limit_of(name: str) -> int:
    """Returns the most bytes that a member may have, unpacked.

    Args:
        name: The name of a member that an archive may have.

    Returns:
        The limit.

    Example:
        >>> limit_of("suite.json") >> 20, limit_of(model_member("0123456789abcdef")) >> 30
        (4, 4)
    """
    return MOST_MODEL if MODEL.fullmatch(name) else LIMITS[name]


def model_member(identity: str) -> str:
    """Returns the name of the member that is the model of a trial.

    Args:
        identity: The trial's id.

    Returns:
        The name.

    Example:
        >>> model_member("0123456789abcdef")
        'models/0123456789abcdef.safetensors'
    """
    return f"models/{identity}.safetensors"


class Member(BaseModel):
    """Size and hash of one file of an archive, as its manifest lists them.

    Attributes:
        bytes: Length of the unpacked file in bytes, at most the limit for the records file (256 MiB).
        sha256: SHA-256 of the unpacked content, 64 lower-case hexadecimal digits.

    Example:
        >>> from hashlib import sha256
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
        models: Size and hash of each packed model, by the id of its trial.
        test_sets: Digest of the test set that accuracies were measured on, by task, where models are packed.
        provenance: Origin of the results (suites, versions, devices) for human readers; no code relies on it.

    Example:
        >>> from sparsebench.bench.exchange.archive import read_archive
        >>> from sparsebench.bench.exchange.archive_writer import write_archive
        >>> from pathlib import Path
        >>> path = write_archive(Path("mine.zip"), {"records.jsonl": b"{}"}, {"packed_by": "a test"})
        >>> manifest = read_archive(path).manifest
        >>> manifest.files["records.jsonl"].bytes, manifest.provenance
        (2, {'packed_by': 'a test'})
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    format: Literal["sparsebench-results"] = "sparsebench-results"
    version: Literal[1] = 1
    files: dict[Literal["records.jsonl", "suite.json", "methods.json", "latency.json"], Member]
    models: Annotated[dict[Identity, Member], Field(max_length=MOST_MODELS)] = {}
    test_sets: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = {}
    provenance: dict[str, Any] = {}

    @property
    def members(self) -> dict[str, Member]:
        """Size and hash of every file but the manifest, by its name in the archive."""
        found: dict[str, Member] = dict(self.files.items())
        return found | {model_member(identity): m for identity, m in self.models.items()}

    def to_json(self) -> bytes:
        """Returns the content of the manifest; what only archives with models have is left out of others."""
        without = {name for name in ("models", "test_sets") if not getattr(self, name)}
        return self.model_dump_json(indent=1, exclude=without).encode()


def read_manifest(content: bytes) -> Manifest:
    """Returns the manifest of an archive.

    Args:
        content: The text of the file, of any origin.

    Returns:
        The validated manifest.

    Raises:
        SparsebenchError: It is damaged.

    Example:
        >>> read_manifest(Manifest(files={}).to_json()).version
        1
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise SparsebenchError(f"its {MANIFEST} is damaged: {validation_message(error)}") from error
