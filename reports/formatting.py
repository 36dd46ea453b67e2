"""Names and numbers as text, for tables, pages and figures. No torch."""

import re
from collections.abc import Iterable
from hashlib import sha256

from ..escaping import NOTHING as NOTHING
from ..escaping import escape_markdown as escape_markdown
from ..escaping import label as label
from ..escaping import one_line as one_line


def shortened(name: str, most: int = 26) -> str:
    """Returns a name cut to the room of a legend, with an ellipsis where something was cut.

    Args:
        name: Any text.
        most: The largest number of characters of the result.

    Returns:
        One line; two long names may become equal, see `unique_labels`.

    Example:
        >>> shortened("magnitude-pruning", most=10)
        'magnitude…'
    """
    text = one_line(name)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def unique_labels(names: Iterable[str], most: int = 26) -> dict[str, str]:
    """Returns several names cut to the room of a legend such that different names stay different.

    Long names keep as much of their ends as it takes to tell them apart, else they are numbered.

    Args:
        names: The names of one legend.
        most: The largest number of characters of each label.

    Returns:
        The label of each name.

    Example:
        >>> unique_labels(["magnitude-pruning-a", "magnitude-pruning-b", "l1"], most=10)
        {'magnitude-pruning-a': 'magnitud…a', 'magnitude-pruning-b': 'magnitud…b', 'l1': 'l1'}
    """
    texts = {name: one_line(name) for name in names}
    for tail in range(most // 2):
        found = {name: _cut(text, most, tail) for name, text in texts.items()}
        if len(set(found.values())) == len(found):
            return found
    return {name: f"{shortened(text, most - 3)}~{i}" for i, (name, text) in enumerate(texts.items(), 1)}


def _cut(text: str, most: int, tail: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def slug(name: str) -> str:
    """Returns a file name, without a suffix, for the name of a task.

    Args:
        name: Any text; each run of characters other than ASCII letters, digits, `.`, `-` and `_` becomes one
            underscore, and at most 80 characters remain.

    Returns:
        The name itself where it is safe; else what remains and six digits of the name's SHA-256, so that
        different names do not collide.

    Example:
        >>> slug("mnist-lenet"), slug("a/b"), slug("a b")
        ('mnist-lenet', 'a_b-c14cdd', 'a_b-c8687a')
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:80]
    return safe if safe and safe == name else f"{safe or 'task'}-{sha256(name.encode()).hexdigest()[:6]}"


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """Returns a sort key that compares the digits in a name as numbers.

    Args:
        name: Any text.

    Returns:
        The parts of the name, numbers before text.

    Example:
        >>> sorted(["dwf-10", "dwf-2"], key=natural)
        ['dwf-2', 'dwf-10']
    """
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(p)) if p.isdecimal() and p.isascii() else (1, p) for p in parts)


def format_percent(value: float | None, digits: int = 1) -> str:
    """Returns a fraction as a percentage, without the percent sign.

    Args:
        value: The fraction; None is shown as an en dash.
        digits: Decimals of the percentage.

    Returns:
        The text.

    Example:
        >>> format_percent(0.9712), format_percent(0.9712, 0), format_percent(None)
        ('97.1', '97', '–')
    """
    return NOTHING if value is None else f"{100 * value:.{digits}f}"


def format_ratio(value: float | None) -> str:
    """Returns a compression or speed-up with three significant digits, or with all digits of a larger one.

    Args:
        value: The ratio; None is shown as an en dash.

    Returns:
        The text, without an exponent.

    Example:
        >>> [format_ratio(value) for value in (1.0, 14.2, 558.4, 2000.0)]
        ['1.00', '14.2', '558', '2000']
    """
    if value is None:
        return NOTHING
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def format_hypervolume(value: float | None) -> str:
    """Returns a hypervolume, normalised or raw, with three decimals.

    Args:
        value: The hypervolume; None is shown as an en dash.

    Returns:
        The text.

    Example:
        >>> format_hypervolume(0.58674)
        '0.587'
    """
    return NOTHING if value is None else f"{value:.3f}"


def with_sd(text: str, sd: str) -> str:
    """Returns a number with its standard deviation, both formatted already.

    Args:
        text: The number.
        sd: The standard deviation in the same unit; an en dash where there is none.

    Returns:
        `text ± sd`, or `text` alone where one of them is missing.

    Example:
        >>> with_sd("97.1", "0.3"), with_sd("97.1", "–")
        ('97.1 ± 0.3', '97.1')
    """
    return text if NOTHING in (text, sd) else f"{text} ± {sd}"


def span(values: Iterable[int]) -> str:
    """Returns the range of some counts: one number where all are equal.

    Args:
        values: The counts, such as the seeds of each entry.

    Returns:
        `3`, or `2 to 3`, with commas between thousands; `0` without counts.

    Example:
        >>> span([3, 3]), span([3, 2]), span([500, 1500])
        ('3', '2 to 3', '500 to 1,500')
    """
    found = sorted(set(values))
    if not found:
        return "0"
    return f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"
