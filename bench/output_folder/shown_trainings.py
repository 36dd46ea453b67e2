"""The trainings that a leaderboard shows at the common compressions, and the seeds whose models stay."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean

from ...errors import SparsebenchError, suggest
from ...records.choice import as_printed, chosen_at, points_of
from ...records.record import Record


@dataclass(frozen=True)
class ShownTraining:
    """A training of a search that a leaderboard shows, with the runs that confirm it.

    Attributes:
        at: The common compressions that it was chosen for, ascending, 1 among them; empty for a point of
            earlier versions, which had no common compressions.
        runs: The records of its confirming runs, one a seed.

    Example:
        >>> shown = ShownTraining((), tuple(r for r in records if r.confirms == record.confirms))
        >>> len(shown.runs), shown.best() in shown.runs
        (3, True)
    """

    at: tuple[float, ...]
    runs: tuple[Record, ...]

    def best(self, has_model: Callable[[str], bool] = lambda _: True) -> Record | None:
        """Returns the run whose model stays: the best on validation data over its whole curve.

        Args:
            has_model: Tells of a record's id whether its model is there.

        Returns:
            The record, the lowest seed of equals; None where no finished run has a model. Neither the test
            set nor where a board shows the training decides, so that it is known before other trainings are.
        """
        finished = [run for run in self.runs if run.status == "ok" and has_model(run.id)]
        return max(finished, key=lambda run: (_validation(run), -run.seed), default=None)


def shown_trainings(records: Iterable[Record]) -> list[ShownTraining]:
    """Returns the trainings that the leaderboards show at their common compressions.

    Args:
        records: The records of a campaign, the latest of each trial.

    Returns:
        The trainings that were chosen for a compression and confirmed, in the order of their search trials;
        none of earlier versions.

    Example:
        >>> shown_trainings(records)  # without common compressions
        []
    """
    held = list(records)
    runs: dict[str | None, list[Record]] = defaultdict(list)
    for record in held:
        if record.phase == "confirm":
            runs[record.confirms].append(record)
    return [ShownTraining(at, tuple(runs[trial])) for trial, at in chosen_at(held).items() if trial in runs]


def training_of(
    records: Iterable[Record],
    entry: str,
    task: str | None,
    at: float | None,
    has_model: Callable[[str], bool],
) -> Record:
    """Returns the run whose model stands for an entry at a common compression.

    Args:
        records: The records of a campaign, the latest of each trial.
        entry: The entry's label.
        task: The task; None where the entry was run on one alone.
        at: The common compression; None where the entry has a single training on its board.
        has_model: Tells of a record's id whether its model is there: such a run comes first.

    Returns:
        The record of the best seed; of several searches that of the best one at this compression, both on
        validation data.

    Raises:
        SparsebenchError: Several tasks or trainings, none at this compression, or no confirmed one.

    Example:
        >>> training_of(records, "dwf-3", None, 64, lambda _: True)
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: 'dwf-3' has no confirmed training at a common compression: ...
    """
    own = [record for record in records if record.entry == entry]
    tasks = sorted({record.task for record in own})
    if task is not None and task not in tasks:
        raise SparsebenchError(f"{entry!r} was not run on {task!r}; {suggest(task, tasks)}")
    if task is None and len(tasks) > 1:
        raise SparsebenchError(f"{entry!r} was run on {len(tasks)} tasks: give --task, {_listed(tasks)}")
    shown = shown_trainings(record for record in own if task in (None, record.task))
    if not shown:
        raise SparsebenchError(
            f"{entry!r} has no confirmed training at a common compression: give the id of a trial"
        )
    compressions = sorted({c for training in shown for c in training.at})
    known = [f"{c:g}" for c in compressions]
    at = at if at is None else as_printed(at, compressions)
    there = [training for training in shown if at is None or at in training.at]
    if at is not None and not there:
        raise SparsebenchError(
            f"{entry!r} has no training on the board for compression {at:g}, but for {', '.join(known)}; "
            "the model of a trial, given by its id, is cut to any"
        )
    if at is None and len(there) > 1:
        raise SparsebenchError(
            f"{entry!r} has {len(there)} trainings on its board: give --at, {_listed(known)}, or a trial's id"
        )
    finished = [run for training in there for run in training.runs if run.status == "ok"]
    if not finished:
        raise SparsebenchError(f"no confirming run of {entry!r} finished there: it has no model")
    return max(finished, key=lambda run: (has_model(run.id), _validation(run, at), -run.seed))


def _validation(run: Record, at: float | None = None) -> float:
    """Returns a run's validation accuracy at a compression; without one its mean over those of its curve, and
    that of the finished model where there is no curve."""
    there = [point.val_accuracy for c, point in points_of(run).items() if at is None or c == at]
    return fmean(there) if there else run.val_accuracy or 0.0


def _listed(names: list[str]) -> str:
    return f"one of {', '.join(names)}" if len(names) > 1 else names[0]
