"""The changes to a suite that the command line asks for. No torch."""

from pydantic import ValidationError

from ...errors import SparsebenchError, UnknownName
from ...validation import explain_validation
from .suite import Suite


def override(
    suite: Suite,
    *,
    methods: list[str] | None = None,
    trials: int | None = None,
    epochs: int | None = None,
    seeds: int | None = None,
    searches: int | None = None,
) -> Suite:
    """Returns a suite with the changes that the command line asks for; None changes nothing.

    Args:
        suite: The suite.
        methods: Labels or methods: the other entries are dropped.
        trials: Trials of each search.
        epochs: Epochs of every task's recipe.
        seeds: Seeds with which each chosen training is confirmed.
        searches: Independent searches of each entry.

    Returns:
        The changed suite, validated anew.

    Raises:
        UnknownName: No entry has such a label or method.
        SparsebenchError: A number is out of range.

    Example:
        >>> from sparsebench.bench.config.suite import load_suite
        >>> small = override(load_suite("quickstart"), methods=["dense", "dwf"], trials=4)
        >>> [entry.label for entry in small.entries], small.budget.trials
        (['dense', 'dwf-2', 'dwf-3', 'dwf-4'], 4)
    """
    content = suite.model_dump(mode="json")
    if methods is not None:
        known = {name for entry in suite.entries for name in (entry.label, entry.method)}
        for name in methods:
            if name not in known:
                raise UnknownName("method or label in this suite", name, known)
        content["entries"] = [e for e in content["entries"] if {e["label"], e["method"]} & set(methods)]
    for key, value in (("trials", trials), ("seeds", seeds), ("searches", searches)):
        if value is not None:
            content["budget"][key] = value
    if epochs is not None:
        for task in content["tasks"]:
            task["recipe"]["epochs"] = epochs
    content["budget"]["points"] = suite.budget.points  # which is in no dump
    try:
        return Suite(**content)
    except ValidationError as error:
        raise SparsebenchError(explain_validation(error, Suite)) from None
