"""What a suite says that has no effect: settings of earlier versions, ranges of a method's target."""

from collections.abc import Mapping

from ...methods.api import registry
from .search_space import target_knob
from .suite import Suite, Task


def ignored(suite: Suite) -> list[str]:
    """Returns a sentence for each setting of a suite that does nothing.

    Args:
        suite: The suite, whose methods are registered.

    Returns:
        The sentences: on `budget.points`, `x_max` of tasks, and entries with a search range for their target.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> quick = load_suite("quickstart")
        >>> ignored(quick.model_copy(update={"budget": quick.budget.model_copy(update={"points": 10})}))
        ["budget.points has no effect: what is best at each of the suite's compressions is confirmed"]
    """
    found = []
    if suite.budget.points is not None:
        found.append(
            "budget.points has no effect: what is best at each of the suite's compressions is confirmed"
        )
    if any(task.x_max != Task.model_fields["x_max"].default for task in suite.tasks):
        found.append("x_max of a task has no effect: hypervolumes end at the suite's largest compression")
    for entry in suite.entries:
        target = target_knob(registry[entry.method])
        if target is not None and isinstance(entry.knobs.get(target), Mapping):
            found.append(
                f"the range of {target} of entry {entry.label!r} has no effect: the suite's compressions "
                "are its targets"
            )
    return found
