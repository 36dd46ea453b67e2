"""The names of what a run keeps in its output folder, for all who read or write it. No torch.

Files that belong to one package are named there: `records.jsonl` in `records.store`, `optuna.db` in
`bench.search.storage_mirror`, `mlflow.db` in `bench.tracking.client`, `state.json` in
`bench.progress.state_file`, `leaderboard.*`, the figures and `site/` in `reports.write`.
"""

from pathlib import Path

SUITE = "suite.json"  # the suite, the data's digests and the methods' versions that the records belong to
METHODS = "methods.json"  # the methods in words, for reports, which import no method
LOCK = ".lock"
LOG = "workers.log"
CHECKPOINTS = "checkpoints"
MODELS = "models"  # of confirmed trials; at the end those of the fronts
SUFFIX = ".safetensors"


def model_path(models: Path, identity: str) -> Path:
    """Returns the file of a trial's finished model.

    Args:
        models: The folder of models.
        identity: The trial's id.

    Returns:
        The path, whether the file is there or not.

    Example:
        >>> model_path(Path("run/models"), "0123456789abcdef").as_posix()
        'run/models/0123456789abcdef.safetensors'
    """
    return models / f"{identity}{SUFFIX}"


def model_files(models: Path) -> dict[str, Path]:
    """Returns the finished models in a folder of models.

    Args:
        models: The folder; it may be missing.

    Returns:
        The files by their trials' ids. Files that are still being written are left out.

    Example:
        >>> models = Path("models")
        >>> models.mkdir()
        >>> for name in ("a.safetensors", ".b.safetensors.77.part"):
        ...     (models / name).touch()
        >>> list(model_files(models))
        ['a']
    """
    return {path.stem: path for path in sorted(models.glob(f"[!.]*{SUFFIX}"))}
