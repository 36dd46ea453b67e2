"""The model files of a campaign: one for each confirmed point while it runs, at its end those of the fronts.

The seeds of a point are as many models of one configuration. The one with the best validation accuracy stays
(the lowest seed of equals), the others are deleted: nothing is chosen by the test set.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from ...errors import SparsebenchError
from ...learning import chance_on
from ...records.record import Record
from ...records.store import Store
from ...reports.analysis.boards import on_front
from ...reports.analysis.grouping import by_task, confirmed
from ...reports.analysis.points import Point
from ..output_folder.layout import MODELS, SUFFIX, model_files, model_path, trial_file
from .counted import counted


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
        The file of each point's best seed, by that seed's record id. Points without a file, or with a damaged
        one, are left out.

    Example:
        >>> from sparsebench.bench.models.model_file import save_model
        >>> save_model(model, data, record, model_path(folder / MODELS, record.id))  # of no other point
        >>> list(front_models(folder, records)) == [record.id]
        True
    """
    files = {i: path for i, path in model_files(folder / MODELS).items() if is_model(path, i)}
    chosen = (
        _best_seed((o.record for o in point.outcomes), files.__contains__)
        for point in confirmed_fronts(counted(folder, records))
    )
    return {record.id: files[record.id] for record in chosen if record is not None}


class KeptModels:
    """The model files of a running campaign, reduced to one for each confirmed point: that of its best seed.

    Args:
        folder: The output folder.
        store: Its records so far, from which an interrupted campaign goes on.

    Example:
        >>> kept, models = KeptModels(Path(), Store(Path())), Path(MODELS)
        >>> from sparsebench.bench.models.model_file import save_model
        >>> for seed, accuracy in [(1, 0.92), (2, 0.95), (3, 0.91)]:
        ...     found = {"id": f"{seed:016x}", "seed": seed, "val_accuracy": accuracy}
        ...     trained = record.model_copy(update=found)
        ...     save_model(model, data, trained, model_path(models, trained.id))  # by a worker
        ...     kept.take(trained)
        >>> list(model_files(models))
        ['0000000000000002']
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
        files = {one.id: model_path(self.models, one.id) for one in group}
        chosen = _best_seed(group, lambda identity: is_model(files[identity], identity))
        for identity, path in files.items():
            if chosen is not None and identity != chosen.id and is_model(path, identity):
                _remove(path)


def keep_front_models(folder: Path, records: Iterable[Record]) -> None:
    """Deletes the campaign's models that are on no front; called when it is complete.

    A model is known by its name and its card, and belongs to one of the records; a half-written one is known
    by its name. All other files stay.

    Args:
        folder: The output folder.
        records: The records of the campaign, the latest of each trial.

    Example:
        >>> from sparsebench.bench.models.model_file import save_model
        >>> for one in records:
        ...     save_model(model, data, one, model_path(folder / MODELS, one.id))
        >>> (folder / MODELS / "mine.safetensors").touch()
        >>> keep_front_models(folder, records)
        >>> len(records), len(list((folder / MODELS).iterdir())), len(confirmed_fronts(records))
        (48, 8, 7)
    """
    records = list(records)
    wanted, known = set(front_models(folder, records).values()), {record.id for record in records}
    with suppress(OSError):
        for path in list((folder / MODELS).iterdir()):
            identity = trial_file(path, SUFFIX)
            if (
                identity in known
                and path not in wanted
                and (path.suffix != SUFFIX or is_model(path, identity))
            ):
                _remove(path)


def is_model(path: Path, identity: str) -> bool:
    """Returns whether a file is the whole model of a trial, as its card says; a link is not.

    Args:
        path: The file, which may be missing.
        identity: The trial's id.

    Returns:
        Whether this program wrote it for that trial, and it has all its bytes.

    Example:
        >>> from sparsebench.bench.models.model_file import save_model
        >>> path = Path(f"{record.id}.safetensors")
        >>> save_model(model, data, record, path)
        >>> is_model(path, record.id), is_model(path, "0" * 16)
        (True, False)
    """
    from ..models.model_file import read_card  # imports torch

    try:
        return not path.is_symlink() and read_card(path).id == identity
    except SparsebenchError:
        return False


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
