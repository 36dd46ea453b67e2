"""What a finished campaign deletes in its output folder: only files that were written for its trials."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from ...records.record import Record
from ..output_folder.layout import CHECKPOINTS, MARK, trial_file
from ..training.checkpointing import checkpoint_identity
from .kept_models import keep_board_models


def clean_up(folder: Path, records: Sequence[Record]) -> None:
    """Deletes what a complete campaign needs no longer: its checkpoints, and its models that no board shows.

    Args:
        folder: The output folder.
        records: The records of the campaign, the latest of each trial.

    Example:
        >>> from sparsebench.bench.models.model_file import save_model
        >>> off_board = next(one for one in records if one.phase == "search")
        >>> for one in (record, off_board):
        ...     save_model(model, data, one, folder / "models" / f"{one.id}.safetensors")
        >>> clean_up(folder, records)
        >>> [path.stem for path in (folder / "models").iterdir()] == [record.id]
        True
    """
    clear_checkpoints(folder, records)
    keep_board_models(folder, records)


def clear_checkpoints(folder: Path, records: Iterable[Record]) -> None:
    """Deletes the checkpoints of a campaign, and their folder where nothing else is in it.

    A checkpoint is known by its name, and belongs to a trial of the records or holds that name. Links,
    folders and files of other names stay.

    Args:
        folder: The output folder.
        records: The records of the campaign.

    Example:
        >>> checkpoints = folder / CHECKPOINTS
        >>> checkpoints.mkdir()
        >>> for name in (f"{record.id}.pt", f".{record.id}.pt.77.part", "my-epoch-9.pt"):
        ...     (checkpoints / name).touch()
        >>> clear_checkpoints(folder, [record])
        >>> [path.name for path in checkpoints.iterdir()]
        ['my-epoch-9.pt']
    """
    place = folder / CHECKPOINTS
    known = {record.id for record in records}
    with suppress(OSError):
        for path in list(place.iterdir()):
            identity = trial_file(path, ".pt")
            if identity and (identity in known or checkpoint_identity(path) == identity):
                path.unlink(missing_ok=True)
        if [path.name for path in place.iterdir()] == [MARK]:
            (place / MARK).unlink()
        place.rmdir()
