"""The model files of a campaign: one for each confirmed training while it runs, then those of the boards.

The seeds of a training are as many models of one configuration. The one that is best on validation data where
the board shows the training stays (the lowest seed of equals), the others are deleted: nothing is chosen by
the test set.
"""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ...errors import SparsebenchError
from ...learning import chance_on
from ...records.record import Record
from ...records.store import Store
from ...reports.analysis.boards import on_front
from ...reports.analysis.common_points import compressions_of
from ...reports.analysis.grouping import by_task, confirmed
from ...reports.analysis.points import Point
from ..output_folder.layout import MODELS, SUFFIX, model_files, model_path, trial_file
from ..output_folder.shown_trainings import ShownTraining, shown_trainings
from .counted import counted


def confirmed_fronts(records: Iterable[Record]) -> list[Point]:
    """Returns the points on the confirmed front of every entry on every task, as boards of earlier versions
    have them.

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


def board_trainings(records: Iterable[Record]) -> list[ShownTraining]:
    """Returns the trainings whose models are kept: those that the leaderboards show.

    Args:
        records: The records of a campaign, the latest of each trial that counts.

    Returns:
        The trainings chosen at the common compressions; of tasks of earlier versions the points on the
        confirmed fronts.

    Example:
        >>> [len(training.runs) for training in board_trainings(records)]  # seeds of seven points
        [3, 3, 3, 3, 3, 3, 3]
    """
    tasks = by_task(records).values()
    before = [record for own in tasks if not compressions_of(own) for record in own]
    fronts = [ShownTraining((), tuple(o.record for o in p.outcomes)) for p in confirmed_fronts(before)]
    return fronts + shown_trainings(record for own in tasks if compressions_of(own) for record in own)


def board_models(folder: Path, records: Iterable[Record]) -> dict[str, Path]:
    """Returns the model file of each training that the leaderboards show.

    Args:
        folder: The output folder.
        records: The records of the campaign, the latest of each trial.

    Returns:
        The file of each training's best seed, by that seed's record id. Trainings without a file, or with a
        damaged one, are left out.

    Example:
        >>> from sparsebench.bench.models.model_file import save_model
        >>> save_model(model, data, record, model_path(folder / MODELS, record.id))  # of no other training
        >>> list(board_models(folder, records)) == [record.id]
        True
    """
    files = {i: path for i, path in model_files(folder / MODELS).items() if is_model(path, i)}
    shown = board_trainings(counted(folder, records))
    chosen = (training.best(files.__contains__) for training in shown)
    return {record.id: files[record.id] for record in chosen if record is not None}


class KeptModels:
    """The model files of a running campaign: of each confirmed training that of its best seed alone.

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
        self._runs: dict[tuple[str, str, int, str | None], dict[str, Record]] = defaultdict(dict)
        for record in store:
            if record.phase == "confirm":
                self._note(record)

    def _note(self, record: Record) -> Iterable[Record]:
        """Adds a record to those of its training; returns them, this one included."""
        runs = self._runs[record.task, record.entry, record.replicate, record.confirms]
        runs[record.id] = record
        return runs.values()

    def take(self, record: Record) -> None:
        """Accepts the record of a finished trial, and deletes all models of its training but the best one."""
        if record.phase != "confirm":
            return
        group = tuple(self._note(record))
        files = {one.id: model_path(self.models, one.id) for one in group}
        chosen = ShownTraining((), group).best(lambda identity: is_model(files[identity], identity))
        for identity, path in files.items():
            if chosen is not None and identity != chosen.id and is_model(path, identity):
                _remove(path)


def keep_board_models(folder: Path, records: Iterable[Record]) -> None:
    """Deletes the campaign's models that no leaderboard shows; called when it is complete.

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
        >>> keep_board_models(folder, records)
        >>> len(records), len(list((folder / MODELS).iterdir())), len(confirmed_fronts(records))
        (48, 8, 7)
    """
    records = list(records)
    wanted, known = set(board_models(folder, records).values()), {record.id for record in records}
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
