"""Where a campaign's folder keeps the finished models of its confirmed trials. No torch."""

from pathlib import Path

MODELS = "models"
SUFFIX = ".safetensors"


def path_of(models: Path, identity: str) -> Path:
    """The model of a trial in a folder of models."""
    return models / f"{identity}{SUFFIX}"


def kept(models: Path) -> dict[str, Path]:
    """The models in it, by their trials' identities; what is still being written is not among them."""
    return {path.stem: path for path in sorted(models.glob(f"[!.]*{SUFFIX}"))}
