"""Pydantic's errors as one sentence: where, which key, what is wrong, what comes near."""

from pydantic import BaseModel, ValidationError

from .errors import printable, suggest


def explain_validation(error: ValidationError, model: type[BaseModel], where: str = "") -> str:
    """The first problem of a validation error, for a person. `model` is what was being read."""
    first = error.errors()[0]
    path = [part for part in first["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
    key = ".".join(printable(str(part)) for part in path)
    prefix = f"{where}: " if where else ""
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, path[:-1])
        return f"{prefix}unknown key {key!r}: {suggest(str(path[-1]), known)}"
    if first["type"] == "missing":
        return f"{prefix}the key {key!r} is missing"
    given = f", not {first['input']!r}" if not isinstance(first["input"], (dict, list)) else ""
    message = first["msg"].removeprefix("Value error, ")
    return f"{prefix}{key}: {message[0].lower()}{message[1:]}{given}" if key else f"{prefix}{message}"


def _fields_at(model: type[BaseModel], path: list[int | str]) -> list[str]:
    """The names that could stand at a place inside a model: follows lists and nested models."""
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


LONG = 300  # characters of what a file brings into a message


def validation_message(error: "ValidationError", whole: str = "") -> str:
    """The first problem of what a file holds: where, and what. `whole` stands for all of it."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(printable(str(part), 40) for part in first["loc"]) or whole
    said = first["msg"].removeprefix("Value error, ")
    return printable(f"{where}: {said}" if where else said, LONG)
