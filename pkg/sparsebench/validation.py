"""Pydantic's validation errors as one sentence: the file, the key, what is wrong, similar keys."""

from collections.abc import Iterable

from pydantic import BaseModel, ValidationError

from .errors import printable, suggest


def explain_validation(error: ValidationError, model: type[BaseModel], where: str = "") -> str:
    """Returns the first problem of a validation error of the user's own file or arguments as one sentence.

    Args:
        error: What Pydantic raised.
        model: The model that was validated; an unknown key is compared with its fields.
        where: What was read, usually a file, to begin the sentence with; empty for nothing.

    Returns:
        The sentence, with the key's path from the root of the model and the value that was given.

    Example:
        >>> class Recipe(BaseModel, extra="forbid"):
        ...     epochs: int
        >>> for given in ({"epochs": 3, "epoch": 4}, {"epochs": "many"}):
        ...     try:
        ...         Recipe.model_validate(given)
        ...     except ValidationError as error:
        ...         print(explain_validation(error, Recipe, "suite.toml"))
        suite.toml: unknown key 'epoch': did you mean 'epochs'?
        suite.toml: epochs: input should be a valid integer, ..., not 'many'
    """
    first = error.errors()[0]
    path = [part for part in first["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
    key = ".".join(printable(str(part)) for part in path)
    prefix = f"{where}: " if where else ""
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, path[:-1])
        return f"{prefix}unknown key {key!r}: {suggest(str(path[-1]), known)}"
    if first["type"] == "missing":
        return f"{prefix}the key {key!r} is missing"
    given = (
        f", not {printable(repr(first['input']), 100)}"
        if not isinstance(first["input"], (dict, list))
        else ""
    )
    message = _plain(first["msg"])
    return f"{prefix}{key}: {message[0].lower()}{message[1:]}{given}" if key else f"{prefix}{message}"


def _plain(message: str) -> str:
    """Returns a message of Pydantic in the words of TOML and JSON, whose lists are tuples in a model."""
    words = message.removeprefix("Value error, ").replace(" after validation", "")
    return words.replace("valid tuple", "valid list").replace("Tuple should", "List should")


def _fields_at(model: type[BaseModel], path: list[int | str]) -> list[str]:
    """The field names that are valid at a path inside a model; follows lists and nested models."""
    current: type[BaseModel] = model
    for part in path:
        if isinstance(part, int):
            continue
        current = _model_in(current.model_fields[part].annotation) or current
    return list(current.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if found := _model_in(argument):
            return found
    return None


LONG = 300  # characters of a message about the content of a file


def validation_message(error: "ValidationError", whole: str = "") -> str:
    r"""Returns the first problem of an untrusted file's content as one printable line.

    The given value is not quoted, and the line is cut at 300 characters.

    Args:
        error: What Pydantic raised.
        whole: What to call the content as a whole, where the problem is not of one of its keys.

    Returns:
        The path of the key, and what is wrong there.

    Example:
        >>> class Point(BaseModel):
        ...     sizes: list[int]
        >>> for given in ({"sizes": [4, "\x1b[31m"]}, "no point"):
        ...     try:
        ...         Point.model_validate(given)
        ...     except ValidationError as error:
        ...         print(validation_message(error, "the record"))
        sizes.1: Input should be a valid integer, unable to parse string as an integer
        the record: Input should be a valid dictionary or instance of Point
    """
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(printable(str(part), 40) for part in first["loc"]) or whole
    said = _plain(first["msg"])
    return printable(f"{where}: {said}" if where else said, LONG)


LONGEST_NAME = 200
"""The most characters of a name, such as an entry's, a layer's or a diagnostic's."""


def odd_name(names: Iterable[str]) -> str | None:
    """Returns why one of the names cannot be a name of a campaign.

    Args:
        names: Names of entries, tasks, layers, knobs and the like, of untrusted origin.

    Returns:
        A phrase, without the name itself; None where every name has 1 to 200 printable characters.

    Example:
        >>> odd_name(["dwf-3", "mnist"]) is None
        True
        >>> odd_name(["dwf-3", ""])
        'a name in it is empty, longer than 200 characters or not printable'
    """
    found = list(names)
    if not all(found) or max(map(len, found), default=0) > LONGEST_NAME or not "".join(found).isprintable():
        return f"a name in it is empty, longer than {LONGEST_NAME} characters or not printable"
    return None
