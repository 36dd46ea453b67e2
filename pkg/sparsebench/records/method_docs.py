"""What a methods.json says of methods, for readers who do not have them: equation and knobs. No torch."""

from pathlib import Path
from typing import Annotated

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ..errors import SparsebenchError
from ..validation import validation_message

FILE = "methods.json"
MOST = 1000  # methods, knobs of one, choices of a knob
LARGE = 10**15

Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=20_000)]
Whole = Annotated[int, Field(ge=-LARGE, le=LARGE)]
Number = Annotated[float, AllowInfNan(False)]
Word = Annotated[str, Field(max_length=200)]
Scalar = bool | Whole | Number | Word | None
Bounds = Annotated[list[Number | None], Field(min_length=2, max_length=2)]


class KnobDoc(BaseModel):
    """A knob as a reader needs it; bounds of None are open."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    name: Name
    default: Scalar | Annotated[list[Scalar], Field(max_length=MOST)] = None
    searched: Bounds | None = None
    scale: Name | None = None
    allowed: Bounds | None = None
    choices: Annotated[list[Scalar], Field(max_length=MOST)] = []
    operating: bool = False
    doc: Text = ""


class MethodDoc(BaseModel):
    """A method as a reader needs it. `doc` begins with the equation, and empty lines part its paragraphs."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    name: Name
    doc: Text = ""
    reference: Text = ""
    version: Whole = 1
    optimizers: Annotated[list[Name], Field(max_length=MOST)] = []
    knobs: Annotated[list[KnobDoc], Field(max_length=MOST)] = []


Methods = dict[str, MethodDoc]
_METHODS = TypeAdapter(Annotated[Methods, Field(max_length=MOST)])


def parse_methods(content: bytes) -> Methods:
    """The methods by name. Errors: anything else than what `describe` says of methods, in a few words."""
    try:
        found = _METHODS.validate_json(content)
    except ValidationError as error:
        raise SparsebenchError(validation_message(error)) from error
    odd = next((key for key, text in found.items() if key != text.name or not key.isprintable()), None)
    if odd is not None:
        raise SparsebenchError(f"{odd[:40]!a} is not the name of the method described there")
    return found


def methods_json(methods: Methods) -> str:
    """The same methods as the content of a methods.json."""
    return _METHODS.dump_json(methods, indent=1).decode() + "\n"


def read_methods(folder: Path) -> Methods:
    """By name; empty where the folder has none, as records from elsewhere. Errors: a file that is damaged."""
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        return parse_methods(path.read_bytes())
    except (SparsebenchError, OSError) as error:
        said = error if isinstance(error, SparsebenchError) else error.strerror
        raise SparsebenchError(
            f"{path} is damaged ({said}); without it the report lacks equations"
        ) from error
