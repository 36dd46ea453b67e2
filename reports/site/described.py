"""What a campaign's methods.json says of its methods: equation, reference, knobs. No torch."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ...errors import SparsebenchError

FILE = "methods.json"


class KnobText(BaseModel):
    """A knob as a reader needs it; bounds of None are open."""

    model_config = ConfigDict(frozen=True)
    name: str
    default: Any = None
    searched: list[float | None] | None = None
    scale: str | None = None
    allowed: list[float | None] | None = None
    choices: list[Any] = []
    doc: str = ""


class MethodText(BaseModel):
    """A method as a reader needs it. `doc` begins with the equation, and empty lines part its paragraphs."""

    model_config = ConfigDict(frozen=True)
    name: str
    doc: str = ""
    reference: str = ""
    version: int = 1
    knobs: list[KnobText] = []


_METHODS = TypeAdapter(dict[str, MethodText])


def read_methods(folder: Path) -> dict[str, MethodText]:
    """By name; empty where the folder has none, as records from elsewhere. Errors: a file that is damaged."""
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        return _METHODS.validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise SparsebenchError(
            f"{path} is damaged ({said}); without it the report lacks equations"
        ) from error
