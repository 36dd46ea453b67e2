"""A finished model as a safetensors file: the plain state dict, and in its metadata what it is."""

from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError
from torch import Tensor, nn

from ...datasets.api import Data
from ...errors import SparsebenchError
from ...files import replacing
from ...records.record import Fraction, Ratio, Record, TrialFields
from ...validation import validation_message

KEY = "sparsebench"  # of the metadata; its value is the card as JSON


class ModelCard(TrialFields):
    """What a model file says of itself: the trial's fields, some of the record's, and the data's.

    `shape` is (C, H, W); an image enters the model as (x − mean)/std by channel, x in the pixels' stored
    units (0 to 255 where they are bytes). Empty where the dataset does not say.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    schema_: Literal[1] = Field(1, alias="schema")
    id: str
    config: str
    recipe: dict[str, Any] = Field(default={})
    val_accuracy: Fraction | None = None
    test_accuracy: Fraction | None = None
    compression: Ratio | None = None
    threshold: float | None = None
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
        """`dwf-3 on mnist-lenet_300_100: compression 31.2, test accuracy 97.10 %`."""
        found = f"{self.entry} on {self.task}"
        if self.compression is not None:
            found += f": compression {self.compression:.4g}"
        split, accuracy = ("test", self.test_accuracy)
        if accuracy is None:
            split, accuracy = ("validation", self.val_accuracy)
        return found if accuracy is None else f"{found}, {split} accuracy {100 * accuracy:.2f} %"

    def to_json(self) -> str:
        return self.model_dump_json(by_alias=True)


class ModelSaveError(SparsebenchError):
    """A model that could not be written; its trial has a `record` all the same."""

    def __init__(self, message: str, record: Record) -> None:
        super().__init__(message)
        self.record = record


def model_card(record: Record, data: Data) -> ModelCard:
    """The card of a record's model, trained on `data`."""
    facts = {"shape": data.shape, "labels": data.labels, "mean": data.mean, "std": data.std}
    return ModelCard.model_validate({**record.model_dump(exclude={"schema_"}), **facts})


def cpu_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """The model's state dict on the CPU, every tensor of its own."""
    return {key: value.detach().cpu().clone().contiguous() for key, value in model.state_dict().items()}


def save_model(model: nn.Module, data: Data, record: Record, path: Path) -> None:
    """Write the finished model of a record, at once or not at all. Errors: `ModelSaveError`."""
    try:
        write_model(cpu_state_dict(model), model_card(record, data), path)
    except Exception as error:  # safetensors has errors of its own for what the system refuses
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelSaveError(f"cannot save to {str(path)!r}: {reason}", record) from error


def write_model(state: dict[str, Tensor], card: ModelCard, path: Path) -> None:
    """Tensors and their card to a safetensors file, in one piece: a reader sees the whole file or none."""
    from safetensors.torch import save_file

    with replacing(path) as temporary:
        save_file(state, temporary, metadata={"format": "pt", KEY: card.to_json()})


def read_card(path: Path) -> ModelCard:
    """The card of a model file. Errors: no such file, or not one that sparsebench wrote."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            content = (file.metadata() or {}).get(KEY)
    except FileNotFoundError:
        raise SparsebenchError(f"there is no file {str(path)!r}") from None
    except (OSError, SafetensorError) as error:
        raise SparsebenchError(f"{str(path)!r} is no safetensors file: {error}") from error
    if content is None:
        raise SparsebenchError(f"{str(path)!r} does not say what it holds; sparsebench did not write it")
    try:
        return ModelCard.model_validate_json(content)
    except ValidationError as error:
        raise SparsebenchError(
            f"{str(path)!r}: its description is damaged: {validation_message(error)}"
        ) from error


def read_model(path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    """The tensors and the card of a model file. Errors: as `read_card`."""
    from safetensors.torch import load_file

    card = read_card(path)
    return load_file(path), card
