"""Which entries figures show, and the colour, marker and dash pattern of each entry everywhere."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from statistics import fmean

from .analysis.leaderboard import TaskLeaderboard
from .formatting import natural

Dash = tuple[int, tuple[int, ...]]
Style = tuple[str, str, Dash]

# Okabe and Ito's palette without black (used for text) and without yellow (unreadable on white), and two
# dark tones of Tol's "muted" palette, which differ from the others in lightness, not in hue alone.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#332288")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
DASHES: tuple[Dash, ...] = ((0, ()), (0, (4, 1)), (0, (1, 1)), (0, (5, 1, 1, 1)))
SHADES = (0.0, -0.4, 0.45, -0.7)  # of a colour, in place of the dashes
NEUTRAL = "#404040"
SOLID = DASHES[0]
MOST_PICTURED = len(COLOURS) * len(DASHES)  # lines of a figure that can be told apart


def style_of(entries: Iterable[str], dense: Iterable[str] = ("dense",)) -> dict[str, Style]:
    """Returns the hex colour, matplotlib marker and dash pattern of each entry.

    The style depends on the set of entries alone, not on their order. Entries that follow each other by name,
    as dwf-2 and dwf-3 do, get hues far apart. The combinations of colour and dash repeat after 32 entries,
    those of colour and marker after 88.

    Args:
        entries: Names of all entries that appear together; repetitions do not matter.
        dense: Names of the dense baselines among them, which are dark grey with a star.

    Returns:
        `(colour, marker, dash)` by entry.

    Example:
        >>> style_of(["dwf-3", "dense", "dwf-2"])["dwf-2"]
        ('#0072B2', 'o', (0, ()))
    """
    return dict(_styles(frozenset(entries), frozenset(dense)))


@lru_cache(8)  # every page and figure of a report asks for the same
def _styles(entries: frozenset[str], neutral: frozenset[str]) -> dict[str, Style]:
    names = sorted(entries, key=lambda name: (natural(name), name))
    styles: dict[str, Style] = {name: (NEUTRAL, "*", SOLID) for name in names if name in neutral}
    for number, name in enumerate(name for name in names if name not in neutral):
        colour = COLOURS[number % len(COLOURS)]
        marker = MARKERS[number % len(MARKERS)]
        dash = DASHES[number // len(COLOURS) % len(DASHES)]
        styles[name] = colour, marker, dash
    return styles


def shades_of(styles: Mapping[str, Style]) -> dict[str, str]:
    """Returns a colour of its own for each entry, for charts whose lines have neither markers nor dashes.

    Args:
        styles: The styles of all entries that appear together.

    Returns:
        `#rrggbb` by entry: the colour of its style; for the second to fourth entry of a colour darker,
        lighter and much darker; then all repeat.

    Example:
        >>> shades_of({"a": ("#E69F00", "o", SOLID), "b": ("#E69F00", "s", DASHES[1])})
        {'a': '#E69F00', 'b': '#8A5F00'}
    """
    return {entry: _shade(colour, SHADES[DASHES.index(dash)]) for entry, (colour, _, dash) in styles.items()}


def _shade(colour: str, light: float) -> str:
    """The colour mixed with white where `light` is positive, with black where it is negative."""
    ends = 255 if light > 0 else 0
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(part + (ends - part) * abs(light)):02X}" for part in parts)


def style_for(found: Sequence[TaskLeaderboard]) -> dict[str, Style]:
    """Returns one style for each entry over all tasks, so that colours agree between figures.

    Args:
        found: The leaderboards of all tasks of a report.

    Returns:
        `(colour, marker, dash)` by entry; those of method "dense" are dark grey, whatever their name.

    Example:
        >>> {entry: colour for entry, (colour, marker, dash) in style_for([board]).items()}
        {'dense': '#404040', 'dwf-3': '#0072B2', 'magnitude': '#D55E00'}
    """
    rows = [row for board in found for row in board.rows]
    return style_of((row.entry for row in rows), {row.entry for row in rows if row.baseline})


def pictured(found: Sequence[TaskLeaderboard]) -> list[str]:
    """Returns the entries that a figure shows: all but the baselines, of more than 32 the best.

    A figure of hundreds of lines shows nothing; the tables and the site have every entry.

    Args:
        found: The leaderboards of the figure.

    Returns:
        The entries, best first: in the order of the leaderboard, or of their mean places on several.

    Example:
        >>> pictured([board])
        ['dwf-3', 'magnitude']
    """
    places: dict[str, list[int]] = {}
    for board in found:
        for place, row in enumerate(row for row in board.rows if not row.baseline):
            places.setdefault(row.entry, []).append(place)
    most = max(map(len, places.values()), default=0)
    # Entries of fewer tasks come last, as their places are among fewer.
    best = sorted(places, key=lambda entry: (len(places[entry]) < most, fmean(places[entry])))
    return best[:MOST_PICTURED]


def shown(board: TaskLeaderboard) -> list[str]:
    """Returns the entries that a figure of one task shows where the baselines belong to it.

    Args:
        board: The leaderboard of the task.

    Returns:
        Those of `pictured`, then the baselines.

    Example:
        >>> shown(board)
        ['dwf-3', 'magnitude', 'dense']
    """
    return [*pictured([board]), *(row.entry for row in board.rows if row.baseline)]


def left_out(found: Sequence[TaskLeaderboard]) -> str:
    """Returns what the title of a figure says of the entries that it leaves out.

    Args:
        found: The leaderboards of the figure.

    Returns:
        The words, with a space before them; empty where every entry is shown.

    Example:
        >>> left_out([board])
        ''
    """
    every = {row.entry for board in found for row in board.rows if not row.baseline}
    return f" (the best {MOST_PICTURED} of {len(every)} entries)" if len(every) > MOST_PICTURED else ""
