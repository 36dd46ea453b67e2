"""The names of what a run keeps in its output folder, for all who read or write it. No torch.

Files that belong to one package are named there: `records.jsonl` in `records.store`, `optuna.db` in
`bench.search.storage_mirror`, `mlflow.db` in `bench.tracking.client`, `state.json` in
`bench.progress.state_file`, `leaderboard.*`, the figures and `site/` in `reports.write`.
"""

import re
from pathlib import Path

from ...records.hashing import check_identity

SUITE = "suite.json"  # the suite, the data's digests and the methods' versions that the records belong to
METHODS = "methods.json"  # the methods in words, for reports, which import no method
CAMPAIGN = "campaign.json"  # the campaign's id, which its studies and runs carry, and where it was taken
LOCK = ".lock"
LOG = "workers.log"
CHECKPOINTS = "checkpoints"
MODELS = "models"  # of confirmed trials; at the end those of the fronts
SUFFIX = ".safetensors"
MARK = "here"  # in the folder of checkpoints: a random text by which the nodes of a cluster recognise it
TRIAL_FILE = re.compile(r"\.?([0-9a-f]{16})(\.safetensors|\.pt)(\.\w+\.part)?")  # .part: still being written


def model_path(models: Path, identity: str) -> Path:
    """Returns the file of a trial's finished model.

    Args:
        models: The folder of models.
        identity: The trial's id.

    Returns:
        The path, whether the file is there or not.

    Raises:
        SparsebenchError: It is not the id of a trial, and could name any file.

    Example:
        >>> model_path(Path("run/models"), "0123456789abcdef").as_posix()
        'run/models/0123456789abcdef.safetensors'
    """
    return models / f"{check_identity(identity)}{SUFFIX}"


def trial_file(path: Path, suffix: str) -> str | None:
    """Returns the id of the trial that a file was written for, as its name says.

    Args:
        path: A file in the folder of models or of checkpoints.
        suffix: `.safetensors` for models, `.pt` for checkpoints; also while the file is being written.

    Returns:
        The id; None for any other name, for links and for folders, which this program does not make.

    Example:
        >>> Path(".0123456789abcdef.pt.77.part").touch()
        >>> trial_file(Path(".0123456789abcdef.pt.77.part"), ".pt")
        '0123456789abcdef'
        >>> trial_file(Path("epoch-9.pt"), ".pt") is None
        True
    """
    found = TRIAL_FILE.fullmatch(path.name)
    if not found or found[2] != suffix or path.is_symlink() or not path.is_file():
        return None
    return found[1] if path.name.startswith(".") == bool(found[3]) else None


def model_files(models: Path) -> dict[str, Path]:
    """Returns the finished models in a folder of models.

    Args:
        models: The folder; it may be missing.

    Returns:
        The files by their trials' ids. Files that are still being written, or have other names, are left out.

    Example:
        >>> models = Path("models")
        >>> models.mkdir()
        >>> for name in ("5e5e5e5e5e5e5e5e.safetensors", ".77.safetensors.77.part", "mine.safetensors"):
        ...     (models / name).touch()
        >>> list(model_files(models))
        ['5e5e5e5e5e5e5e5e']
    """
    found = ((trial_file(path, SUFFIX), path) for path in sorted(models.glob(f"[!.]*{SUFFIX}")))
    return {identity: path for identity, path in found if identity}
