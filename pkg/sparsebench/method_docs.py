"""The schema of methods.json, which describes methods and knobs to readers without their code. No torch."""

from pathlib import Path
from typing import Annotated

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .errors import SparsebenchError
from .parsing import parse_json
from .validation import validation_message

FILE = "methods.json"
MOST = 1000  # methods in a file, knobs of a method, choices of a knob
LARGE = 10**15

Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=20_000)]
Whole = Annotated[int, Field(ge=-LARGE, le=LARGE)]
Number = Annotated[float, AllowInfNan(False)]
Word = Annotated[str, Field(max_length=200)]
Scalar = bool | Whole | Number | Word | None
Bounds = Annotated[list[Number | None], Field(min_length=2, max_length=2)]


class KnobDoc(BaseModel):
    """One knob as a methods.json describes it.

    Attributes:
        name: The name that `--set name=value` takes.
        default: The value where neither the user nor a search chooses one.
        searched: Lower and upper end of the search range; None for a knob without one.
        scale: How the range is sampled: "linear", "log", "minus_log" or "density"; None without a range.
        allowed: Smallest and largest valid value, None for an open end; None where both ends are open.
        choices: The valid values of a categorical knob; empty for other knobs.
        operating: Whether the knob moves the method towards sparser networks.
        doc: One line on what the knob does.

    Example:
        >>> knob = KnobDoc.model_validate_json('{"name": "lam", "default": 3e-4, "allowed": [0, null]}')
        >>> knob.allowed  # from 0, without an upper limit
        [0.0, None]
    """

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
    """One method as a methods.json describes it.

    Attributes:
        name: The name under which the method is registered.
        doc: Its description: the equation first, then paragraphs separated by empty lines.
        reference: The source paper, such as "arXiv:2502.02496"; empty where there is none.
        version: Raised whenever a change of the method changes its results.
        optimizers: The optimizers that the method works with, its preferred one first.
        knobs: The method's own knobs, then the recipe's as the method uses them.

    Example:
        >>> method = MethodDoc(name="l1", doc="min L(w) + λ·Σ|w|", knobs=[KnobDoc(name="lam", default=1e-4)])
        >>> [(knob.name, knob.default) for knob in method.knobs]
        [('lam', 0.0001)]
    """

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
    """Returns the methods that the content of a methods.json describes.

    Args:
        content: The bytes of the file: one JSON object of `MethodDoc` objects by method name.

    Returns:
        The methods by name.

    Raises:
        SparsebenchError: The content is not JSON of this schema (the first problem is named), or a key is not
            the printable name of the method under it.

    Example:
        >>> parse_methods(b'{"l1": {"name": "l1", "optimizers": ["sgd"]}}')["l1"].optimizers
        ['sgd']
        >>> parse_methods(b'{"l1": {"name": "l2"}}')
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: 'l1' is not the name of the method described there
    """
    try:
        found = _METHODS.validate_python(parse_json(content, "the file"))
    except ValidationError as error:
        raise SparsebenchError(validation_message(error)) from error
    odd = next((key for key, text in found.items() if key != text.name or not key.isprintable()), None)
    if odd is not None:
        raise SparsebenchError(f"{odd[:40]!a} is not the name of the method described there")
    return found


def methods_json(methods: Methods) -> str:
    """Returns methods as the content of a methods.json; `parse_methods` reads it back.

    Args:
        methods: The methods by name.

    Returns:
        Indented JSON that ends with a newline.

    Example:
        >>> methods = {"l1": MethodDoc(name="l1", reference="Tibshirani, 1996")}
        >>> parse_methods(methods_json(methods).encode()) == methods
        True
    """
    return _METHODS.dump_json(methods, indent=1).decode() + "\n"


def read_methods(folder: Path) -> Methods:
    """Returns the methods that an output folder's methods.json describes.

    Args:
        folder: The output folder of a campaign, or any other folder with records.

    Returns:
        The methods by name; empty where the folder has no methods.json, as with records from elsewhere.

    Raises:
        SparsebenchError: The file cannot be read or is damaged.

    Example:
        >>> read_methods(Path())  # an empty folder
        {}
        >>> _ = Path(FILE).write_text(methods_json({"l1": MethodDoc(name="l1", version=2)}))
        >>> read_methods(Path())["l1"].version
        2
    """
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
