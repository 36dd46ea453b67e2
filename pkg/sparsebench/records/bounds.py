"""The bounds of a record's texts and names: what a method or a model says is stored within. No torch."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from ..reasons import LONGEST, shortened
from ..validation import LONGEST_NAME
from .fields import Measurements, TrainingResult

MOST_WARNINGS = 20
MOST_NAMES = 1000  # of diagnostics

T = TypeVar("T")


def bounded_name(name: object) -> str:
    r"""Returns a name as records have it: 1 to 200 printable characters on one line.

    Args:
        name: A name that a method or a model gives; what is no text is written as one.

    Returns:
        The name, the same where it is within the bounds.

    Example:
        >>> bounded_name("fc1.weight"), bounded_name("tail\ud800\n"), bounded_name(7), bounded_name("")
        ('fc1.weight', 'tail\\ud800', '7', 'unnamed')
    """
    return shortened(name if isinstance(name, str) else repr(name), LONGEST_NAME) or "unnamed"


def bounded_names(values: Mapping[str, T]) -> dict[str, T]:
    """Returns a dictionary with bounded names, and at most 1000 of them.

    Args:
        values: Values by name.

    Returns:
        A new dictionary in the same order.

    Example:
        >>> bounded_names({"misalignment": 0.1, "": 2.0})
        {'misalignment': 0.1, 'unnamed': 2.0}
    """
    return {bounded_name(name): value for name, value in list(values.items())[:MOST_NAMES]}


def bounded_warnings(texts: Iterable[str], where: str = "") -> list[str]:
    """Returns warnings as records have them: each once and as one printable line, at most 20.

    Args:
        texts: Warnings of a method, of any number and length.
        where: Where all of them are in full, which a shortened one says; empty for nowhere.

    Returns:
        The warnings in their order. Where there were more, the last one says how many.

    Example:
        >>> bounded_warnings(["a", "b", "a"])
        ['a', 'b']
        >>> bounded_warnings(map(str, range(5000)), where="workers.log")[-1]
        '… and 4981 more warnings (all in workers.log)'
    """
    found = list(dict.fromkeys(texts))
    kept = found if len(found) <= MOST_WARNINGS else found[: MOST_WARNINGS - 1]
    lines = [shortened(text, LONGEST, where) for text in kept]
    if left := len(found) - len(kept):
        lines.append(f"… and {left} more warnings{f' (all in {where})' if where else ''}")
    return lines


def bounded_result(result: TrainingResult, where: str = "") -> TrainingResult:
    """Returns the result of a training with its texts and names within bounds.

    Args:
        result: How training went.
        where: Where texts that are shortened are in full; empty for nowhere.

    Returns:
        A copy; numbers are the same.

    Example:
        >>> bounded_result(TrainingResult(budget={"fine\\ntune": 3})).budget
        {'fine tune': 3}
    """
    update = {
        "reason": result.reason if result.reason is None else shortened(result.reason, LONGEST, where),
        "warnings": bounded_warnings(result.warnings, where),
        "budget": bounded_names(result.budget),
        "diagnostics": bounded_names(result.diagnostics),
        "curve": [bounded_names(row) for row in result.curve],
    }
    return result.model_copy(update=update)


def bounded_layers(measured: Measurements) -> Measurements:
    """Returns measurements whose layers have bounded names: a model may give its modules any.

    Args:
        measured: What was measured on the finished model.

    Returns:
        A copy; numbers and shapes are the same.

    Example:
        >>> from sparsebench.records.fields import Layer
        >>> odd = Measurements(layers=[Layer(name="fc\\x1b.weight", shape=(2,), nonzeros=1)])
        >>> bounded_layers(odd).layers[0].name
        'fc\\\\x1b.weight'
    """
    layers = [layer.model_copy(update={"name": bounded_name(layer.name)}) for layer in measured.layers]
    collapsed = [bounded_name(name) for name in measured.collapsed_layers]
    return measured.model_copy(update={"layers": layers, "collapsed_layers": collapsed})
