"""Values of records as short texts, each on one line, whatever the value. No torch."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ...records.record import Record
from ..formatting import NOTHING, natural, one_line

MOST = 200  # characters of one value
LARGE = 10**15  # whole numbers from here on are given as a power of two


def value(found: Any) -> str:
    """Returns the text of a setting: floats with four significant digits, lists and tables item by item.

    Args:
        found: A value of a record, of any type that JSON has; None gives "–".

    Returns:
        One line; of words at most `MOST` characters, of a list at most 20 items.

    Example:
        >>> value(0.0123456), value(True), value([1, 2]), value(2**60)
        ('0.01235', 'yes', '1, 2', 'about 2^60')
    """
    if found is None:
        return NOTHING
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, int) and abs(found) >= LARGE:
        return f"about {'-' if found < 0 else ''}2^{abs(found).bit_length() - 1}"  # too long in decimals
    if isinstance(found, float):
        return f"{found:.4g}"
    if isinstance(found, Mapping):
        return settings(found) or NOTHING
    if isinstance(found, list | tuple):
        return ", ".join(map(value, found[:20])) + (", …" if len(found) > 20 else "")
    text = one_line(str(found))
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"


def settings(found: Mapping[str, Any]) -> str:
    """Returns settings as one text of names and values.

    Args:
        found: Values by name.

    Returns:
        The settings in their order; empty for none.

    Example:
        >>> settings({"lr": 0.1, "lam": 3e-5})
        'lr 0.1, lam 3e-05'
    """
    return ", ".join(f"{_name(key)} {value(item)}" for key, item in found.items())


@lru_cache(4096)
def _name(text: str) -> str:
    """Returns the same as `one_line`, cached for names that every record has."""
    return one_line(text)


def knobs(record: Record) -> str:
    """Returns what was chosen for a trial as text: the search's choice, then the method's other knobs.

    Args:
        record: The record of a trial; `params` is the search's choice, which may override `knobs`.

    Returns:
        Names and values; empty where the method has no knobs and nothing was searched.

    Example:
        >>> knobs(record)
        'lr 0.02189, weight_decay 0.0001985, strength 1.585'
    """
    fixed = {key: item for key, item in record.knobs.items() if key not in record.params}
    return settings(record.params | fixed)


def value_range(values: Sequence[Any]) -> str:
    """Returns the values of a setting over records: one value, a range of numbers, or the different words.

    Args:
        values: The setting's value in each record, at least one.

    Returns:
        One line.

    Example:
        >>> value_range([0.1, 0.1]), value_range([0.1, 0.01, 0.03]), value_range(["sgd", "adam", "sgd"])
        ('0.1', '0.01 to 0.1', 'adam, sgd')
    """
    different = list(dict.fromkeys(map(value, _distinct(values))))
    if len(different) == 1:
        return different[0]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(values):
        return f"{value(min(numbers))} to {value(max(numbers))}"
    return listed(different)


def _distinct(values: Sequence[Any]) -> Sequence[Any]:
    """Returns the values without repetitions (True and 1 differ), or as they are where one is unhashable."""
    try:
        return [item for _, item in dict.fromkeys((type(item), item) for item in values)]
    except TypeError:  # a list or a table cannot be hashed
        return values


def listed(words: Iterable[str], most: int = 6) -> str:
    """Returns words in natural order without repetitions, the rest as a count.

    Args:
        words: The words, in any order.
        most: How many of them are named.

    Returns:
        The words with commas; empty for none.

    Example:
        >>> listed(["dwf-10", "dwf-2", "l1"], most=2)
        'dwf-2, dwf-10 and 1 more'
    """
    names = sorted(set(words), key=lambda word: (natural(word), word))
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
