"""One colour, marker and dash an entry, the same in every figure and wherever else entries are coloured."""

from collections.abc import Iterable, Sequence

from .analysis.boards import TaskLeaderboard
from .formatting import natural

Dash = tuple[int, tuple[int, ...]]
Style = tuple[str, str, Dash]

# Okabe and Ito's palette without black (kept for text) and without yellow (unreadable on white), and two
# dark tones of Tol's "muted" palette, which differ from the others in lightness, not in hue alone.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#332288")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
DASHES: tuple[Dash, ...] = ((0, ()), (0, (4, 1)), (0, (1, 1)), (0, (5, 1, 1, 1)))
NEUTRAL = "#404040"
SOLID = DASHES[0]


def style_of(entries: Iterable[str], dense: Iterable[str] = ("dense",)) -> dict[str, Style]:
    """Hex colour, matplotlib marker and dash pattern of each entry; `dense` ones are dark grey.

    Depends on the set of entries alone, not on their order. Entries that follow each other by name, as
    dwf-2 and dwf-3 do, get hues far apart. The combinations of colour and dash repeat after 32 entries,
    those of colour and marker after 88.
    """
    neutral = set(dense)
    names = sorted(set(entries), key=lambda name: (natural(name), name))
    styles: dict[str, Style] = {name: (NEUTRAL, "*", SOLID) for name in names if name in neutral}
    for number, name in enumerate(name for name in names if name not in neutral):
        colour = COLOURS[number % len(COLOURS)]
        marker = MARKERS[number % len(MARKERS)]
        dash = DASHES[number // len(COLOURS) % len(DASHES)]
        styles[name] = colour, marker, dash
    return styles


def style_for(found: Sequence[TaskLeaderboard]) -> dict[str, Style]:
    """One style for each entry over all tasks, so that colours agree between figures."""
    rows = [row for board in found for row in board.rows]
    return style_of((row.entry for row in rows), {row.entry for row in rows if row.baseline})
