"""What a campaign keeps in its folder beside the records, by the names that everybody uses. No torch."""

from pathlib import Path

LOG = "workers.log"
CHECKPOINTS = "checkpoints"
MODELS = "models"  # of confirmed trials
SUFFIX = ".safetensors"


def model_path(models: Path, identity: str) -> Path:
    """The model of a trial in a folder of models."""
    return models / f"{identity}{SUFFIX}"


def model_files(models: Path) -> dict[str, Path]:
    """The models in it, by their trials' identities; what is still being written is not among them."""
    return {path.stem: path for path in sorted(models.glob(f"[!.]*{SUFFIX}"))}


SUITE = "suite.json"
METHODS = "methods.json"  # the methods in words, for reports, which cannot ask them
LOCK = ".lock"
