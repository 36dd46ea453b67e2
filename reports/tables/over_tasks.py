"""The printed notes on the comparison of entries over tasks. No torch."""

from ..analysis.across_tasks import TasksComparison
from ..formatting import one_line


def over_tasks(result: TasksComparison) -> list[str]:
    """Returns the notes on the result of the comparison over tasks.

    Args:
        result: The comparison.

    Returns:
        The sentences: Friedman's test and the critical difference, Wilcoxon's tests, entries left out.

    Example:
        >>> from dataclasses import replace
        >>> from sparsebench.reports.analysis.across_tasks import compare_over_tasks
        >>> print(over_tasks(compare_over_tasks([replace(board, task=f"task {i}") for i in range(6)]))[1])
        Wilcoxon's signed-rank test with Holm's correction over 1 pairs tells apart: dwf-3 above magnitude.
    """
    test = "Wilcoxon's" if result.friedman is None else "Friedman's"
    p = result.pairs[0].p if result.friedman is None else result.friedman
    found = "the entries differ" if result.differ else "no difference can be shown"
    lines = [
        f"Rank 1 is the largest {result.merit} of a task; {len(result.tasks)} tasks. {test} test: "
        f"p = {p:.2g}, {found}. Mean ranks less than {result.critical_difference:.2f} apart are not "
        "distinguishable (Nemenyi's critical difference, 5%).",
        _wilcoxon(result),
    ]
    left_out = ", ".join(one_line(name) for name in result.left_out)
    return [
        *lines,
        *([f"Not run and confirmed on every task, so not compared here: {left_out}."] if left_out else []),
    ]


def _wilcoxon(result: TasksComparison) -> str:
    distinct = [f"{one_line(p.first)} above {one_line(p.second)}" for p in result.pairs if p.distinct]
    count = f"Wilcoxon's signed-rank test with Holm's correction over {len(result.pairs)} pairs"
    if result.least_p >= 0.05:
        return f"{count} can find nothing with so few tasks: its smallest possible p is {result.least_p:.2g}."
    rest = f" and {len(distinct) - 12} more" if len(distinct) > 12 else ""
    return f"{count} tells apart: {', '.join(distinct[:12]) or 'none'}{rest}."
