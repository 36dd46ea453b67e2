"""The finished models that a campaign keeps: one for each confirmed point, in the end those of the fronts.

The seeds of a point are as many models of one configuration. The one with the best validation accuracy is
kept (the first of equals): nothing is chosen by the test set.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from ...records.record import Record
from ...records.store import Store
from ...reports.analysis.boards import on_front
from ...reports.analysis.points import Point, by_task, chance_of, confirmed
from ..output_folder.layout import MODELS, model_files, model_path


def best_seed(records: Iterable[Record], there: Callable[[str], bool]) -> Record | None:
    """Of the seeds of a point, the one whose model is kept; None where none of them is `there`."""
    finished = [record for record in records if record.status == "ok" and there(record.id)]
    return max(finished, key=lambda record: (record.val_accuracy or 0.0, -record.seed), default=None)


def confirmed_fronts(records: Iterable[Record]) -> list[Point]:
    """The points on the confirmed front of every entry on every task, as the leaderboard draws them."""
    found: list[Point] = []
    for own in by_task(records).values():
        points, _ = confirmed(own, chance_of(own))
        for entry in dict.fromkeys(point.entry for point in points):
            found += on_front([point for point in points if point.entry == entry])
    return found


def front_models(folder: Path, records: Iterable[Record]) -> dict[str, Path]:
    """The kept model of each point on a front, by its trial's identity; points without one are left out."""
    there = model_files(folder / MODELS)
    chosen = (
        best_seed((o.record for o in point.outcomes), there.__contains__)
        for point in confirmed_fronts(records)
    )
    return {record.id: there[record.id] for record in chosen if record is not None}


class KeptModels:
    """Keeps the models in a campaign's folder few while it runs: its driver tells it of every record."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.models = folder / MODELS
        self._seeds: dict[tuple[str, str, str | None], dict[str, Record]] = defaultdict(dict)
        for record in store:
            if record.phase == "confirm":
                self._note(record)

    def _note(self, record: Record) -> Iterable[Record]:
        """The confirming records of the same point, this one among them."""
        seeds = self._seeds[record.task, record.entry, record.confirms]
        seeds[record.id] = record
        return seeds.values()

    def take(self, record: Record) -> None:
        """A trial has ended, its record as the store keeps it: of the models of its point the best stays."""
        if record.phase != "confirm":
            return
        group = self._note(record)
        chosen = best_seed(group, lambda identity: model_path(self.models, identity).is_file())
        for other in group:
            if chosen is not None and other.id != chosen.id:
                _remove(model_path(self.models, other.id))


def keep_front_models(folder: Path, records: Iterable[Record]) -> None:
    """A campaign is over: the models of the fronts stay, all else in its folder of models goes."""
    wanted = set(front_models(folder, records).values())
    for path in (folder / MODELS).glob("*"):
        if path not in wanted:
            _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
