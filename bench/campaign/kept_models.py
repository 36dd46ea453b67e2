"""The model files of a campaign: one for each confirmed point while it runs, at its end those of the fronts.

The seeds of a point are as many models of one configuration. The one with the best validation accuracy stays
(the lowest seed of equals), the others are deleted: nothing is chosen by the test set.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from ...learning import chance_on
from ...records.record import Record
from ...records.store import Store
from ...reports.analysis.boards import on_front
from ...reports.analysis.grouping import by_task, confirmed
from ...reports.analysis.points import Point
from ..output_folder.layout import MODELS, model_files, model_path


def _best_seed(records: Iterable[Record], has_model: Callable[[str], bool]) -> Record | None:
    """Returns the record, of those of one point, whose model stays; None where none of them has a model."""
    finished = [record for record in records if record.status == "ok" and has_model(record.id)]
    return max(finished, key=lambda record: (record.val_accuracy or 0.0, -record.seed), default=None)


def confirmed_fronts(records: Iterable[Record]) -> list[Point]:
    """Returns the points on the confirmed front of every entry on every task, as the leaderboard has them.

    Args:
        records: Records of any tasks; only those of confirmed points count.

    Returns:
        The points by task and entry, each front by rising compression.

    Example:
        >>> [(p.entry, round(p.compression)) for p in confirmed_fronts(records)]
        [('dense', 1), ('dwf-3', 2), ('dwf-3', 13), ..., ('magnitude', 119)]
    """
    found: list[Point] = []
    for own in by_task(records).values():
        points, _ = confirmed(own, chance_on(own, "test"))
        for entry in dict.fromkeys(point.entry for point in points):
            found += on_front([point for point in points if point.entry == entry])
    return found


def front_models(folder: Path, records: Iterable[Record]) -> dict[str, Path]:
    """Returns the model file of each point on a confirmed front.

    Args:
        folder: The output folder.
        records: The records of the campaign, the latest of each trial.

    Returns:
        The file of each point's best seed, by that seed's record id. Points without a file are left out.

    Example:
        >>> (folder / MODELS).mkdir()
        >>> model_path(folder / MODELS, record.id).touch()  # of the dwf-3 points this one alone has a file
        >>> list(front_models(folder, records)) == [record.id]
        True
    """
    files = model_files(folder / MODELS)
    chosen = (
        _best_seed((o.record for o in point.outcomes), files.__contains__)
        for point in confirmed_fronts(records)
    )
    return {record.id: files[record.id] for record in chosen if record is not None}


class KeptModels:
    """The model files of a running campaign, reduced to one for each confirmed point: that of its best seed.

    Args:
        folder: The output folder.
        store: Its records so far, from which an interrupted campaign goes on.

    Example:
        >>> kept, models = KeptModels(Path(), Store(Path())), Path(MODELS)
        >>> models.mkdir()
        >>> for seed, accuracy in [(1, 0.92), (2, 0.95), (3, 0.91)]:
        ...     model_path(models, f"seed-{seed}").touch()  # a worker has saved the model of this seed
        ...     found = {"id": f"seed-{seed}", "seed": seed, "val_accuracy": accuracy}
        ...     kept.take(record.model_copy(update=found))
        >>> list(model_files(models))
        ['seed-2']
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self.models = folder / MODELS
        self._seeds: dict[tuple[str, str, str | None], dict[str, Record]] = defaultdict(dict)
        for record in store:
            if record.phase == "confirm":
                self._note(record)

    def _note(self, record: Record) -> Iterable[Record]:
        """Adds a record to those of its point; returns them, this one included."""
        seeds = self._seeds[record.task, record.entry, record.confirms]
        seeds[record.id] = record
        return seeds.values()

    def take(self, record: Record) -> None:
        """Accepts the record of a finished trial, and deletes all models of its point but the best one."""
        if record.phase != "confirm":
            return
        group = self._note(record)
        chosen = _best_seed(group, lambda identity: model_path(self.models, identity).is_file())
        for other in group:
            if chosen is not None and other.id != chosen.id:
                _remove(model_path(self.models, other.id))


def keep_front_models(folder: Path, records: Iterable[Record]) -> None:
    """Deletes all files in the folder of models but those of the fronts; called when a campaign is complete.

    Args:
        folder: The output folder.
        records: The records of the campaign, the latest of each trial.

    Example:
        >>> (folder / MODELS).mkdir()
        >>> for one in records:
        ...     model_path(folder / MODELS, one.id).touch()
        >>> (folder / MODELS / ".half.safetensors.17").touch()  # its worker was killed
        >>> keep_front_models(folder, records)
        >>> len(records), len(list((folder / MODELS).iterdir())), len(confirmed_fronts(records))
        (48, 7, 7)
    """
    wanted = set(front_models(folder, records).values())
    for path in (folder / MODELS).glob("*"):
        if path not in wanted:
            _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
