"""Finished models as safetensors files: a plain state dict, and a model card in the metadata."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ConfigDict, Field, ValidationError
from torch import Tensor, nn

from ...datasets.api import Data
from ...errors import SparsebenchError
from ...files import replacing
from ...parsing import parse_json
from ...records.fields import CompressionPoint, Fraction, Identity, Ratio, TrialFields
from ...records.record import Record
from ...validation import validation_message

KEY = "sparsebench"  # of the metadata; its value is the model card as JSON


class ModelCard(TrialFields):
    """The description in a model file: the trial's fields, what was measured on its weights, the data's.

    The weights are those after training, with zeros counted exactly (float32 eps). The accuracies and the
    compression are the file's own, which a record has as `…_exact`; files of earlier versions hold the model
    at the record's validated threshold.

    Attributes:
        schema_: Version of the card's format; `schema` in the file.
        id: The trial's identity, as in its record.
        config: Hash of the trial's content without the seed.
        recipe: The training recipe, as the record has it.
        val_accuracy: Validation accuracy as a fraction; None where it was not measured on these weights.
        test_accuracy: Test accuracy as a fraction; None also for a trial of a search.
        compression: |P| / nonzeros of the prunable weights.
        threshold: Weights of smaller magnitude were set to zero in the file.
        at_compressions: The accuracies of these weights cut to each common compression, as the record has
            them; of a file that was cut those from its own compression on.
        cut_to: The compression that an export cut the weights to, without retraining; None for uncut weights.
        prunable: Names of the prunable weights P in their order; empty in files of earlier versions.
        prunable_share: Prunable weights / all parameters.
        speedup: Theoretical speed-up in multiply-accumulates; None where these weights were not measured.
        classes: The number of logits.
        shape: (C, H, W) of an image.
        labels: Names of the classes in the order of the logits; empty where the dataset has none.
        mean: By channel; an image enters the model as (x − mean)/std, x in the pixels' stored units (0 to
            255 where they are bytes). Empty where the dataset does not specify it.
        std: By channel, like `mean`.
        versions: Versions of the libraries that trained the model.
        device: The device that it was trained on.
        command: The shell command that repeats the trial.

    Example:
        >>> save_model(model, data, record, Path("model.safetensors"))
        >>> card = read_card(Path("model.safetensors"))
        >>> card.entry, card.shape, card.compression == record.compression_exact
        ('dwf-3', (1, 8, 8), True)
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    schema_: Literal[1] = Field(1, alias="schema")
    id: Identity
    config: str
    recipe: dict[str, Any] = Field(default={})
    val_accuracy: Fraction | None = None
    test_accuracy: Fraction | None = None
    compression: Ratio | None = None
    threshold: float | None = None
    at_compressions: list[CompressionPoint] = Field(default=[])
    cut_to: Ratio | None = None
    prunable: tuple[str, ...] = ()
    prunable_share: Fraction | None = None
    speedup: Ratio | None = None
    classes: int
    shape: tuple[int, int, int]
    labels: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    versions: dict[str, str] = Field(default={})
    device: str
    command: str

    @property
    def title(self) -> str:
        """A title such as `dwf-3 on mnist-lenet_300_100: compression 31.2, test accuracy 97.10 %`."""
        found = f"{self.entry} on {self.task}"
        if self.compression is not None:
            found += f": compression {self.compression:.4g}"
        if self.cut_to is not None:
            found += " (cut by magnitude)"
        split, accuracy = ("test", self.test_accuracy)
        if accuracy is None:
            split, accuracy = ("validation", self.val_accuracy)
        if accuracy is None:
            return found if self.cut_to is None else f"{found}, where no accuracy was measured"
        return f"{found}, {split} accuracy {100 * accuracy:.2f} %"

    def to_json(self) -> str:
        """Returns the card as the JSON text of a file's metadata."""
        return self.model_dump_json(by_alias=True, exclude_unset=True)  # old cards lack what came later


class ModelSaveError(SparsebenchError):
    """A finished model that could not be written to its file; its trial is complete and has a record.

    Args:
        message: The path and the reason, one sentence.
        record: The record of the trial, for the caller to store.

    Example:
        >>> Path("folder").mkdir()
        >>> try:
        ...     save_model(model, data, record, Path("folder"))
        ... except ModelSaveError as error:
        ...     print(error.record.entry, "|", error)
        dwf-3 | cannot save to 'folder': Is a directory
    """

    def __init__(self, message: str, record: Record) -> None:
        super().__init__(message)
        self.record = record


def _model_card(record: Record, data: Data, prunable: Sequence[str]) -> ModelCard:
    """Returns the card of a record's model, trained on `data`, with zeros counted exactly."""
    facts = {"shape": data.shape, "labels": data.labels, "mean": data.mean, "std": data.std}
    fields = {**record.model_dump(exclude={"schema_"}), **facts, "schema": 1, "prunable": tuple(prunable)}
    if record.compression_exact is not None:
        fields |= {name: fields[f"{name}_exact"] for name in ("val_accuracy", "test_accuracy", "compression")}
        fields["threshold"] = min(record.threshold or 0.0, torch.finfo(torch.float32).eps)
        fields["speedup"] = record.speedup if record.compression == record.compression_exact else None
    return ModelCard.model_validate(fields)


def cpu_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """Returns a copy of a model's state dict on the CPU; no two tensors share memory.

    Args:
        model: The model, on any device.

    Returns:
        The tensors by name, contiguous, as a file takes them.

    Example:
        >>> cpu_state_dict(model)["5.weight"].shape
        torch.Size([10, 100])
    """
    return {key: value.detach().cpu().clone().contiguous() for key, value in model.state_dict().items()}


def save_model(
    model: nn.Module, data: Data, record: Record, path: Path, prunable: Sequence[str] = ()
) -> None:
    """Writes the finished model of a record, with its card, atomically: completely or not at all.

    Args:
        model: The finished plain model with its exact zeros, uncut, on any device.
        data: The dataset that it was trained on, for the card's shape, labels, mean and std.
        record: The record of its trial, for the rest of the card.
        path: The safetensors file; an existing one is replaced.
        prunable: Names of the prunable weights, by which an export can cut the model.

    Raises:
        ModelSaveError: The file cannot be written.

    Example:
        >>> save_model(model, data, record, Path("model.safetensors"))
        >>> read_card(Path("model.safetensors")).title
        'dwf-3 on made_up-net: compression ..., test accuracy ... %'
    """
    try:
        write_model(cpu_state_dict(model), _model_card(record, data, prunable), path)
    except Exception as error:  # safetensors wraps the system's errors in its own
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelSaveError(f"cannot save to {str(path)!r}: {reason}", record) from error


def write_model(state: dict[str, Tensor], card: ModelCard, path: Path) -> None:
    """Writes tensors and their card to a safetensors file atomically: a reader sees the whole file or none.

    Args:
        state: A state dict on the CPU, whose tensors are contiguous and share no memory.
        card: The description for the file's metadata.
        path: The file; an existing one is replaced.

    Example:
        >>> save_model(model, data, record, Path("model.safetensors"))
        >>> state, card = read_model(Path("model.safetensors"))
        >>> write_model({key: w.half() for key, w in state.items()}, card, Path("half.safetensors"))
        >>> read_model(Path("half.safetensors"))[0]["1.weight"].dtype
        torch.float16
    """
    from safetensors.torch import save_file

    with replacing(path) as temporary:
        save_file(state, temporary, metadata={"format": "pt", KEY: card.to_json()})


def read_card(path: Path) -> ModelCard:
    """Returns the card of a model file; its tensors are not read.

    Args:
        path: A safetensors file that `save_model` or `write_model` wrote.

    Returns:
        The validated card.

    Raises:
        SparsebenchError: There is no such file, it is no safetensors file, it has no card, or the card is
            damaged.

    Example:
        >>> save_model(model, data, record, Path("model.safetensors"))
        >>> read_card(Path("model.safetensors")).method
        'dwf'
        >>> read_card(Path("absent.safetensors"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: there is no file 'absent.safetensors'
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            content = (file.metadata() or {}).get(KEY)
    except FileNotFoundError:
        raise SparsebenchError(f"there is no file {str(path)!r}") from None
    except (OSError, SafetensorError) as error:
        raise SparsebenchError(f"{str(path)!r} is no safetensors file: {error}") from error
    if content is None:
        raise SparsebenchError(f"{str(path)!r} has no model card: sparsebench did not write it")
    try:
        return ModelCard.model_validate(parse_json(content, f"{str(path)!r}: its model card is damaged"))
    except ValidationError as error:
        raise SparsebenchError(
            f"{str(path)!r}: its model card is damaged: {validation_message(error)}"
        ) from error


def read_model(path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    """Returns the tensors and the card of a model file.

    Args:
        path: A safetensors file that `save_model` or `write_model` wrote.

    Returns:
        The state dict on the CPU, and the card.

    Raises:
        SparsebenchError: As `read_card`.

    Example:
        >>> save_model(model, data, record, Path("model.safetensors"))
        >>> state, card = read_model(Path("model.safetensors"))
        >>> model.load_state_dict(state)
        <All keys matched successfully>
    """
    from safetensors.torch import load_file

    card = read_card(path)
    return load_file(path), card


def check_save_path(path: Path) -> None:
    """Raises before training where a file could not be written after it; makes the file's folder.

    Args:
        path: The file to write later.

    Raises:
        SparsebenchError: The path is a folder, or no file can be made beside it.

    Example:
        >>> check_save_path(Path("models/model.safetensors"))
        >>> check_save_path(Path("models"))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: cannot save to 'models': it is a folder
    """
    if path.is_dir():
        raise SparsebenchError(f"cannot save to {str(path)!r}: it is a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise SparsebenchError(f"cannot save to {str(path)!r}: {error.strerror}") from error
