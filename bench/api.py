"""One configured trial from Python: the same as `sparsebench train`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from ..errors import SparsebenchError
from ..methods.api import registry
from ..registry import load_plugin
from . import trial as trials
from .devices import check_device
from .records import Record
from .space import full_knobs, settle, split
from .spec import Recipe, Trial
from .validation import explain


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
    data: str | Path | None = None,
    device: str | None = None,
    plugins: Sequence[str | Path] = (),
    save: str | Path | None = None,
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> Record:
    """Train one configured method once, without a search, and measure it on validation and test data.

    `settings` holds knobs of the method and fields of the recipe alike: `{"depth": 3, "lam": 3e-4, "lr": 0.5,
    "epochs": 30}`. `save` keeps the collapsed model as safetensors; `on_event` hears `{"warning": text}` and
    `{"row": curve row, "steps": total}` while training. Errors: `SparsebenchError`, one sentence.
    """
    for plugin in plugins:
        load_plugin(plugin)
    place = check_device(device)
    torch.set_flush_denormal(True)
    cls = registry[method]
    knobs, rest = split(cls, settings or {})
    try:
        recipe = Recipe(**rest)
    except ValidationError as error:
        raise SparsebenchError(explain(error, Recipe)) from None
    recipe = settle(recipe, cls)
    opened = trials.open_data(dataset, data, dict(data_args or {}))
    trial = Trial(
        suite="single", entry=method, dataset=dataset, dataset_args=dict(data_args or {}),
        data_digest=opened.digest, model=model, model_args=dict(model_args or {}),
        keep_dense=tuple(keep_dense), recipe=recipe, method=method, method_version=cls.version,
        knobs=full_knobs(method, knobs), seed=seed, phase="single",
    )  # fmt: skip
    return trials.run(
        trial, data_root=data, device=place, save=Path(save) if save else None, on_event=on_event
    )
