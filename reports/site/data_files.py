"""What pages load when they need it: rows, points and pairs in files of their own. No torch.

A page that is opened from disk can fetch nothing; it can add a script. Each file is one call of `give`, a
function of `data.js`, with the file's own name and a JSON document.
"""

from collections.abc import Sequence
from typing import Any

from jinja2.utils import htmlsafe_json_dumps

from ..analysis.across_tasks import TasksComparison
from ..analysis.leaderboard import TaskLeaderboard
from ..analysis.pairwise import Pair
from ..formatting import format_hypervolume, one_line
from ..style import style_for
from ..tables.notes import between
from .chart import payload
from .page_names import Addresses
from .table import headings, legend, lines, marks
from .template import JSON, render

INDEX = "data-index.js"


def data_name(kind: str, page: str) -> str:
    """Returns the name of a data file that belongs to a page.

    Args:
        kind: What it holds: "rows" or "pairs".
        page: The file name of the page.

    Returns:
        The file name.

    Example:
        >>> data_name("pairs", "task-made_up-net.html")
        'data-pairs-task-made_up-net.js'
    """
    return f"data-{kind}-{page.removesuffix('.html')}.js"


def data_file(name: str, content: Any) -> str:
    """Returns the text of a data file.

    Args:
        name: Its file name.
        content: What JSON can express.

    Returns:
        A script of one statement.

    Raises:
        ValueError: A number is not finite, which JSON does not have.

    Example:
        >>> print(data_file("data-index.js", ["<b>"]), end="")
        give("data-index.js",["\\u003cb\\u003e"]);
    """
    return f"give({htmlsafe_json_dumps(name, **JSON)},{htmlsafe_json_dumps(content, **JSON)});\n"


def index_data(
    found: Sequence[TaskLeaderboard], at: Addresses, result: TasksComparison | None
) -> dict[str, Any]:
    """Returns what the overview shows of all tasks: the chart without points, the legend, the mean ranks.

    Args:
        found: The leaderboards of all tasks.
        at: File names of all pages.
        result: The comparison over tasks; None where there is none.

    Returns:
        A JSON document; `legend` and `standings` are HTML.

    Example:
        >>> index_data([board], Addresses.of([board]), None)["tasks"][0]["part"]
        'data-rows-task-made_up-net.js'
    """
    looks = marks(found)
    chart = payload(found, style_for(found), points=False)
    for task, board in zip(chart["tasks"], found, strict=True):
        task["part"] = data_name("rows", at.tasks[board.task])
    said = render("legend.html", entries=legend(looks, at, looks))
    rows = render("standings.html", standings=_standings(result, at) if result else [])
    return {**chart, "legend": said, "standings": rows}


def task_data(
    board: TaskLeaderboard,
    number: int,
    at: Addresses,
    found: Sequence[TaskLeaderboard],
    base: str | None = None,
) -> dict[str, Any]:
    """Returns what the overview shows of one task once it is chosen: its rows and its points.

    Args:
        board: The task's leaderboard.
        number: The task's number in the overview.
        at: File names of all pages.
        found: The leaderboards of all tasks.
        base: The folder in which relative paths in commands are looked for; None where it is not known.

    Returns:
        A JSON document: `rows` is HTML, `points` are those of the chart.

    Example:
        >>> part = task_data(board, 0, Addresses.of([board]), [board])
        >>> part["rows"].count("<tr"), len(part["points"])
        (3, 12)
    """
    rows = lines(board, number, at, headings(found), marks(found))
    points = payload([board], style_for(found), style_for(found), base=base)["points"]
    text = render("rows.html", lines=rows, tasks=len(found) > 1)
    return {"rows": text, "points": [{**point, "t": number} for point in points]}


def pairs_data(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Returns the pairs of a task for its page, whose table is made when it is opened.

    Args:
        pairs: The pairs.

    Returns:
        A JSON document: `names` and `verdicts`, and of each pair the numbers of its two names, the texts of
        four cells, and the number of its verdict.

    Example:
        >>> pairs_data(board.pairs)["pairs"]
        [[0, 1, '0.183', '0.175, 0.191', '0.00011', '0.00011', 0]]
    """
    names = {name: i for i, name in enumerate(dict.fromkeys(n for p in pairs for n in (p.first, p.second)))}
    verdicts = {text: i for i, text in enumerate(dict.fromkeys(pair.verdict for pair in pairs))}
    cells = [
        [
            names[pair.first], names[pair.second], format_hypervolume(pair.difference),
            between(pair.interval, format_hypervolume), f"{pair.p:.2g}", f"{pair.p_holm:.2g}",
            verdicts[pair.verdict],
        ]
        for pair in pairs
    ]  # fmt: skip
    return {"names": [*map(one_line, names)], "verdicts": [*verdicts], "pairs": cells}


def _standings(result: TasksComparison, at: Addresses) -> list[dict[str, str]]:
    """Returns a row for each entry; entries that share a letter are not significantly different."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    groups: dict[str, list[str]] = {}
    for i, group in enumerate(result.groups):
        for entry in group:
            groups.setdefault(entry, []).append(letters[i % 26])
    return [
        {
            "entry": one_line(s.entry),
            "page": at.entries[s.entry],
            "rank": f"{s.mean_rank:.2f}",
            "group": " ".join(groups.get(s.entry, ())),
            "merit": format_hypervolume(s.mean_merit),
            "interval": between(s.interval, format_hypervolume),
        }
        for s in result.standings
    ]
