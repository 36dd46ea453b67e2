"""The parts of a record: what was asked for, how training went, what was measured. No torch."""

import math
from typing import Annotated, Any, Literal

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field
from pydantic.dataclasses import dataclass

from .hashing import IDENTITY

MOST_DIMENSIONS = 16
LARGEST = 10**15  # far above any count, ratio or time of a trial

Fraction = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(ge=1)]
Finite = Annotated[float, AllowInfNan(False)]
Granularity = Literal["weights", "channels"]
Phase = Literal["search", "confirm", "single"]
Status = Literal["ok", "diverged", "failed"]
Metric = Literal["accuracy", "balanced_accuracy"]
Identity = Annotated[str, Field(pattern=IDENTITY)]
Dimension = Annotated[int, Field(ge=1, le=LARGEST)]


class Layer(BaseModel):
    """One prunable tensor of the finished model.

    Attributes:
        name: The parameter's name in the model, such as "fc1.weight".
        shape: The tensor's shape; at most 16 dimensions.
        nonzeros: Its weights that are not zero, after weights below the record's `threshold` were zeroed.

    Example:
        >>> layer = Layer(name="fc1.weight", shape=(300, 784), nonzeros=23_520)
        >>> layer.size, layer.size / layer.nonzeros
        (235200, 10.0)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    shape: Annotated[tuple[Dimension, ...], Field(max_length=MOST_DIMENSIONS)]
    nonzeros: Annotated[int, Field(ge=0)]

    @property
    def size(self) -> int:
        """Number of weights, zeros included."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))  # small: a campaign has many
class CompressionPoint:
    """What a finished model is worth at one of the common compressions.

    A model that is already that sparse is measured as it is; of a denser one the weights of largest magnitude
    over all of P are kept, without retraining. The rule is the same for every method.

    Attributes:
        at: The common compression c; 1 is the whole model.
        val_accuracy: Validation accuracy there.
        nonzeros: Nonzero weights of P: at most k(c), the number that a target of c leaves.
        cut: Whether weights were cut to get there; False where the method reached it by itself.
        test_accuracy: Test accuracy there; None in the search phase, which reads no test data.
        speedup: Theoretical speed-up there: multiply-accumulates of the dense model over the sparse one's;
            None in records of versions that did not count it.

    Example:
        >>> point = CompressionPoint(at=64, val_accuracy=0.95, nonzeros=4159, cut=True)
        >>> point.at, point.test_accuracy is None
        (64.0, True)
    """

    at: Ratio
    val_accuracy: Fraction
    nonzeros: Annotated[int, Field(ge=0)]
    cut: bool
    test_accuracy: Fraction | None = None
    speedup: Ratio | None = None


class TrialFields(BaseModel):
    """The fields that a trial, its record and its model's card share: the request, without the recipe.

    A trial's recipe is validated, a record's is preserved as it was written.

    Attributes:
        suite: The suite's name; "single" for `sparsebench train`.
        entry: The entry's label, as on the leaderboard.
        dataset: The dataset's registered name.
        dataset_args: Arguments of the dataset as they were given; its defaults hold for the others.
        data_digest: SHA-256 of the data that were read and of their split.
        start_digest: SHA-256 of the file that the weights start from, such as that of `checkpoint_path`; None
            where there is no such file.
        model: The model's registered name.
        model_args: Arguments of the model's constructor.
        keep_dense: Layers that are left out of the prunable set P.
        method: The method's registered name.
        method_version: The version of the method, which changes with its results.
        knobs: Every knob of the method with its value, defaults included.
        params: The values that the search chose, under Optuna's names; empty for a single trial.
        seed: Seeds initialisation, data order, augmentation and whatever the method draws.
        phase: "search"; "confirm" for a chosen training with a fresh seed; "single" for `sparsebench train`.
        confirms: The id of the search trial whose point a confirming trial repeats; None for other trials.
        compressions: The common compressions at which the finished model is measured, beside 1.
        aim: The common compression that the search assigned to the trial; None outside searches.
        replicate: The number of the independent search that the trial belongs to, from 0.
        granularity: What is removed to get to a common compression, and what that counts: single weights and
            nonzeros in P, or whole channels and multiply-accumulates.

    Example:
        >>> isinstance(record, TrialFields), record.task, record.entry, record.phase, record.seed
        (True, 'made_up-net', 'dwf-3', 'confirm', 1000)
    """

    model_config = ConfigDict(frozen=True)
    suite: str
    entry: str
    dataset: str
    dataset_args: dict[str, Any] = {}
    data_digest: str
    start_digest: str | None = None
    model: str
    model_args: dict[str, Any] = {}
    keep_dense: tuple[str, ...] = ()
    method: str
    method_version: int = 1
    knobs: dict[str, Any]
    params: dict[str, Any] = {}
    seed: int
    phase: Phase
    confirms: Identity | None = None
    compressions: tuple[Ratio, ...] = ()
    aim: Ratio | None = None
    replicate: Annotated[int, Field(ge=0)] = 0
    granularity: Granularity = "weights"

    @property
    def task(self) -> str:
        """Name of the task on charts and in studies: dataset-model, or dataset-model-channels."""
        return task_name(self.dataset, self.model, self.granularity)


def task_name(dataset: str, model: str, granularity: Granularity) -> str:
    """Returns the name of a task on charts and in studies.

    Args:
        dataset: The dataset's registered name.
        model: The model's registered name.
        granularity: What is removed on the task.

    Returns:
        The names with a hyphen; what removes channels is a task of its own.

    Example:
        >>> task_name("mnist", "lenet5", "weights"), task_name("mnist", "lenet5", "channels")
        ('mnist-lenet5', 'mnist-lenet5-channels')
    """
    return f"{dataset}-{model}" + (f"-{granularity}" if granularity != "weights" else "")


class TrainingResult(BaseModel):
    """What training reports beside the model; mutable, as a training fills it in while it runs.

    Attributes:
        status: "ok"; "diverged", which is a result; or "failed" by an error, to be run again.
        reason: Why the status is not "ok"; None where it is.
        warnings: The method's warnings before training, such as a decay budget out of reach.
        steps: Forward and backward passes over a batch, scoring before training included.
        budget: The steps by purpose: rounds by name, and "scoring" before training.
        training_flops_ratio: Multiply-accumulates of training relative to dense training.
        training_memory_ratio: Bytes of weights, factors, buffers and masks relative to dense training.
        diagnostics: The method's own scalars at the end, such as "misalignment".
        curve: Rows over the steps, with "step", "train_loss", "val_accuracy", "compression" and others.

    Example:
        >>> result = TrainingResult()
        >>> result.curve.append({"step": 10, "train_loss": 2.1})
        >>> result.status, len(result.curve)
        ('ok', 1)
    """

    status: Status = "ok"
    reason: str | None = None
    warnings: list[str] = []
    steps: Annotated[int, Field(ge=0)] = 0
    budget: dict[str, int] = {}
    training_flops_ratio: Finite | None = None
    training_memory_ratio: Finite | None = None
    diagnostics: dict[str, Finite] = {}
    curve: list[dict[str, Finite]] = []


class Measurements(BaseModel):
    """What was measured on the finished plain model. Accuracies are fractions, compressions ratios.

    `compression`, `val_accuracy` and `test_accuracy` hold at `threshold`: the validated one for methods that
    leave no exact zeros of themselves, 0 for the others, where the `_exact` triple equals them.

    Attributes:
        classes: Number of classes of the dataset.
        val_accuracy: Accuracy on the held-out part of the training set; balanced over the classes where the
            recipe's `metric` says so, as all accuracies of the record then are.
        test_accuracy: Accuracy on the test set; None in the search phase, which reads no test data.
        val_chance: Accuracy of guessing on the validation split, see `learning.py`: the share of its largest
            class; of the balanced accuracy one over the number of its classes. None in old records.
        test_chance: The same of the test set; None in the search phase.
        val_balanced_accuracy: Mean over the classes of the validation split of the accuracy on each.
        test_balanced_accuracy: The same on the test set; None in the search phase.
        compression: |P| / nonzeros in P, P being the prunable weights.
        compression_exact, val_accuracy_exact, test_accuracy_exact: The same three at float32 eps (1.19e-7).
        threshold: Weights smaller in magnitude were set to zero.
        target: The target as a compression, 1/(1 − sparsity); None for a method without one.
        missed_by: Nonzeros above (+) or below (−) the target.
        total_compression: All parameters / all nonzero parameters.
        effective_compression: |P| / weights of P on an input-output path; None with LayerNorm or attention.
        speedup: Theoretical: multiply-accumulates of the dense model / of the sparse one.
        collapsed: Whether the net has no path left from its input to a logit; None in older records.
        empty_layers: Names of the prunable tensors without a nonzero; a collapse where no path avoids them.
        collapsed_layers: The `empty_layers` of older records, which counted each as a collapse.
        prunable_share: |P| / all parameters of the model: what part of it the compression speaks of.
        layers: The prunable tensors with their nonzeros.
        at_compressions: The model's accuracy at compression 1 and at each common one, ascending; empty in
            records without common compressions, and where training diverged.

    Example:
        >>> f"{record.compression:.2f}× at {record.threshold}, {record.compression_exact:.2f}× at float32 eps"
        '1.62× at 0.001, 1.34× at float32 eps'
    """

    model_config = ConfigDict(frozen=True)
    classes: Annotated[int, Field(ge=1)] | None = None
    val_accuracy: Fraction | None = None
    test_accuracy: Fraction | None = None
    val_chance: Fraction | None = None
    test_chance: Fraction | None = None
    val_balanced_accuracy: Fraction | None = None
    test_balanced_accuracy: Fraction | None = None
    compression: Ratio | None = None
    compression_exact: Ratio | None = None
    val_accuracy_exact: Fraction | None = None
    test_accuracy_exact: Fraction | None = None
    threshold: Annotated[float, Field(ge=0)] | None = None
    target: Ratio | None = None
    missed_by: int | None = None
    total_compression: Ratio | None = None
    effective_compression: Ratio | None = None
    speedup: Ratio | None = None
    collapsed: bool | None = None
    empty_layers: list[str] | None = None
    collapsed_layers: list[str] = []
    prunable_share: Fraction | None = None
    layers: list[Layer] = []
    at_compressions: list[CompressionPoint] = []

    @property
    def has_collapsed(self) -> bool:
        """Whether the net collapsed; of an older record, whether it has an empty layer."""
        return bool(self.collapsed_layers) if self.collapsed is None else self.collapsed
