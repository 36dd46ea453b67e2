"""`sparsebench.train`: one configured trial from Python, the same as the command `sparsebench train`."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...errors import NotTrainable, SparsebenchError
from ...methods.api import Sparsifier, registry
from ...reasons import reason
from ...records.fields import Granularity
from ...records.record import Record
from ...validation import explain_validation
from ..config.search_space import full_knobs, settle_recipe, split_settings
from ..config.trial_spec import COMPRESSIONS, Recipe, Trial
from ..data.opened import forget_data
from ..models.start_file import start_digest
from ..system.devices import check_device
from ..system.isolation.plugins import load_plugins, warn
from ..system.isolation.process_state import kept_state
from ..system.isolation.torch_settings import flushed_denormals
from . import trial as trials
from .warm import is_own, load_ahead

MAX_SEED = 2**32


def train(
    dataset: str,
    model: str,
    method: str,
    *,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    data_args: Mapping[str, Any] | None = None,
    model_args: Mapping[str, Any] | None = None,
    keep_dense: Sequence[str] = (),
    compressions: Sequence[float] = COMPRESSIONS,
    granularity: Granularity = "weights",
    data: str | Path | None = None,
    device: str | None = None,
    plugins: Sequence[str | Path] = (),
    save: str | Path | None = None,
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> Record:
    """Trains one configured method once, without a search, and returns its record with test accuracy.

    It runs in this process, whose state is the same afterwards: what the method has changed (settings of
    torch, replaced functions, the working folder, signal handlers) is set back with a warning that names it,
    random generators without one. What is still changed, as by a thread that runs on, is marked in it.

    Args:
        dataset: Name of a registered dataset, such as "mnist".
        model: Name of a model, sparsebench's own or timm's.
        method: Name of a registered method, such as "dwf".
        settings: Knobs of the method and fields of the recipe alike: `{"depth": 3, "lam": 3e-4, "lr": 0.5,
            "epochs": 30}`. The others have their defaults.
        seed: 0 to 2³²; decides initialisation, order of the data, augmentation and what a method draws.
        data_args: Arguments of the dataset.
        model_args: Arguments of the model, such as `patch_size`.
        keep_dense: Layers that are not prunable: names, or patterns such as `blocks.0.*`.
        compressions: The compressions at which the finished model is measured, each above 1; larger ones than
            it has prunable weights are left out.
        granularity: What is removed to get there: "weights", counted by nonzeros in P, or whole "channels",
            counted by multiply-accumulates.
        data: The folder of datasets; SPARSEBENCH_DATA or the user's cache where it is None.
        device: "cpu", "mps" or a GPU such as "cuda:0"; None takes the first GPU, else MPS, else the CPU.
        plugins: Python files that register methods, datasets or models when imported.
        save: A safetensors file for the finished model.
        on_event: Called with `{"warning": text}` and `{"row": curve row, "steps": total}` while training.

    Returns:
        The record, whose `status` is "ok" or "diverged".

    Raises:
        SparsebenchError: Something that the caller can correct, such as an unknown name, a value out of
            range or a file that cannot be written; one sentence.

    Example:
        >>> record = train("planted", "lenet_300_100", "magnitude", settings={"sparsity": 0.9, "epochs": 1},
        ...                data_args={"n": 320, "valid": 64})
        >>> record.compression
        10.0
    """
    say = warn if on_event is None else partial(_tell, on_event)
    with ExitStack() as stack:
        stack.enter_context(flushed_denormals())  # before a plugin starts threads: it holds for later ones
        load_ahead()
        load_plugins(plugins, say)
        stack.enter_context(kept_state(say, f"the method {method!r}"))
        place, cls = check_device(device), registry[method]
        knobs, rest = split_settings(cls, settings or {})
        recipe, compressions = _recipe(cls, rest), _checked(compressions)
        _check(seed, save)
        base = str(Path.cwd())
        opened = trials.open_data(dataset, data, dict(data_args or {}), base)
        for note in opened.notes:
            say(note)
        trial = Trial(
            suite="single", entry=method, dataset=dataset, dataset_args=dict(data_args or {}),
            data_digest=opened.digest, start_digest=start_digest(model_args or {}, base), model=model,
            model_args=dict(model_args or {}), keep_dense=tuple(keep_dense), recipe=recipe, method=method,
            method_version=cls.version, knobs=full_knobs(method, knobs), seed=seed, base=base,
            phase="single", compressions=compressions, granularity=granularity,
        )  # fmt: skip
        return _trained(trial, data_root=data, device=place, save=save, on_event=on_event)


def _tell(on_event: Callable[[dict[str, Any]], None], sentence: str) -> None:
    on_event({"warning": sentence})


def _checked(compressions: Sequence[float]) -> tuple[float, ...]:
    if wrong := [c for c in compressions if not 1 < c < math.inf]:
        raise SparsebenchError(f"compressions: write finite numbers above 1, not {wrong[0]:g}")
    return tuple(sorted({float(c) for c in compressions}))


def _check(seed: int, save: str | Path | None) -> None:
    if save is not None:
        trials.check_save_path(Path(save))
    if not 0 <= seed <= MAX_SEED:
        raise SparsebenchError(f"seed = {seed} is out of range: 0 to {MAX_SEED}")


def _trained(trial: Trial, *, save: str | Path | None, **options: Any) -> Record:
    """Returns the record of a trial; what the model or the method raises becomes a sentence."""
    try:
        return trials.run(trial, save=Path(save) if save else None, **options)
    except NotTrainable as error:
        named = f"model {trial.model!r}: "  # as the factory's own sentence begins
        raise NotTrainable(named + str(error).removeprefix(named)) from None
    except SparsebenchError:
        raise
    except Exception as error:
        raise NotTrainable(f"{trial.method} on {trial.task} cannot be trained: {reason(error)}") from error
    finally:
        if not is_own(trial):
            forget_data()  # the images have been in its hands


def _recipe(cls: type[Sparsifier], given: Mapping[str, Any]) -> Recipe:
    """Returns the complete recipe; raises for a setting that the method does not leave to the recipe."""
    try:
        recipe = Recipe(**given)
    except ValidationError as error:
        raise SparsebenchError(explain_validation(error, Recipe)) from None
    if "optimizer" in given and recipe.optimizer not in cls.optimizers:
        raise SparsebenchError(
            f"method {cls.name!r} supports only the optimizer {' or '.join(cls.optimizers)}"
        )
    asked = {name: getattr(recipe, name) for name in ("lr", "weight_decay") if name in given}
    return settle_recipe(recipe, cls, asked)
