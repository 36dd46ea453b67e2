"""What a campaign keeps in its folder beside the records, by the names that everybody uses. No torch."""

from pathlib import Path

LOG = "workers.log"
CHECKPOINTS = "checkpoints"
MODELS = "models"  # of confirmed trials
SUFFIX = ".safetensors"


def path_of(models: Path, identity: str) -> Path:
    """The model of a trial in a folder of models."""
    return models / f"{identity}{SUFFIX}"


def kept(models: Path) -> dict[str, Path]:
    """The models in it, by their trials' identities; what is still being written is not among them."""
    return {path.stem: path for path in sorted(models.glob(f"[!.]*{SUFFIX}"))}
