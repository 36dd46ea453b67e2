"""Names and numbers as text: what a user named must not break a table, a page or a picture. No torch."""

import re
from collections.abc import Iterable
from hashlib import sha256

NOTHING = "–"


def one_line(name: str) -> str:
    """One line of printable text."""
    if not name.isprintable():
        name = "".join(c if c.isprintable() else " " for c in name)
    return " ".join(name.split()) or NOTHING


def markdown(name: str) -> str:
    """Text for a cell of a Markdown table: HTML, pipes and emphasis stand for themselves."""
    escaped = one_line(name).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|$~])", r"\\\1", escaped)


def label(name: str) -> str:
    """Text for a figure: the dollar sign does not begin mathematics."""
    return one_line(name).replace("$", r"\$")


def shortened(name: str, most: int = 26) -> str:
    """A name that a legend has room for."""
    text = one_line(name)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def unique_labels(names: Iterable[str], most: int = 26) -> dict[str, str]:
    """The same for several names, which stay different: the end of a long one is kept as far as needed."""
    texts = {name: one_line(name) for name in names}
    for tail in range(most // 2):
        found = {name: _cut(text, most, tail) for name, text in texts.items()}
        if len(set(found.values())) == len(found):
            return found
    return {name: f"{shortened(text, most - 3)}~{i}" for i, (name, text) in enumerate(texts.items(), 1)}


def _cut(text: str, most: int, tail: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def slug(name: str) -> str:
    """A file name for a task; names that lose characters get a piece of their hash, so none collide."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:80]
    return safe if safe and safe == name else f"{safe or 'task'}-{sha256(name.encode()).hexdigest()[:6]}"


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key that puts dwf-10 after dwf-2."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(p)) if p.isdecimal() and p.isascii() else (1, p) for p in parts)


def format_percent(value: float | None, digits: int = 1) -> str:
    """A fraction as a percentage without its sign: 0.9712 is 97.1."""
    return NOTHING if value is None else f"{100 * value:.{digits}f}"


def format_ratio(value: float | None) -> str:
    """A compression or speed-up with three significant digits: 1.00, 14.2, 558."""
    if value is None:
        return NOTHING
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def format_hypervolume(value: float | None) -> str:
    """A normalised hypervolume with three decimals."""
    return NOTHING if value is None else f"{value:.3f}"


def with_sd(text: str, sd: str) -> str:
    return text if NOTHING in (text, sd) else f"{text} ± {sd}"


def span(values: Iterable[int]) -> str:
    """`3`, or `2 to 3` where they differ."""
    found = sorted(set(values))
    if not found:
        return "0"
    return f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"
