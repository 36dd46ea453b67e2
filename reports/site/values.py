"""Values of records as text: short, and on one line whatever they hold. No torch."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ...records.record import Record
from ..formatting import NOTHING, natural, one_line

MOST = 200  # characters of one value
LARGE = 10**15


def value(found: Any) -> str:
    """A setting: floats with four significant digits, everything else as it is written."""
    if found is None:
        return NOTHING
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, int) and abs(found) >= LARGE:
        return (
            f"about {'-' if found < 0 else ''}2^{abs(found).bit_length() - 1}"  # too long to be written out
        )
    if isinstance(found, float):
        return f"{found:.4g}"
    if isinstance(found, Mapping):
        return settings(found) or NOTHING
    if isinstance(found, list | tuple):
        return ", ".join(map(value, found[:20])) + (", …" if len(found) > 20 else "")
    text = one_line(str(found))
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"


def settings(found: Mapping[str, Any]) -> str:
    """`lr 0.1, lam 3e-05`."""
    return ", ".join(f"{name(key)} {value(item)}" for key, item in found.items())


@lru_cache(4096)
def name(text: str) -> str:
    """The same as `one_line`, for names that come back with every record."""
    return one_line(text)


def knobs(record: Record) -> str:
    """What was chosen for a trial: the search's choice, then the method's other knobs."""
    fixed = {key: item for key, item in record.knobs.items() if key not in record.params}
    return settings(record.params | fixed)


def spread(values: Sequence[Any]) -> str:
    """One value, the range of several numbers, or the few different words."""
    different = list(dict.fromkeys(map(value, _distinct(values))))
    if len(different) == 1:
        return different[0]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(values):
        return f"{value(min(numbers))} to {value(max(numbers))}"
    return listed(different)


def _distinct(values: Sequence[Any]) -> Sequence[Any]:
    """The same without repetitions, of which a column of records is full; True is not 1."""
    try:
        return [item for _, item in dict.fromkeys((type(item), item) for item in values)]
    except TypeError:  # a list or a table
        return values


def listed(words: Iterable[str], most: int = 6) -> str:
    """In natural order, the rest as a count."""
    names = sorted(set(words), key=lambda word: (natural(word), word))
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
