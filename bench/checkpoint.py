"""A training's whole state, and back: it goes on bit for bit on a CPU. Tensors and plain values only."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch

from .train import Training

_CLOCK = ("step", "round", "round_step", "round_steps", "lr")


def state_of(training: Training) -> dict[str, Any]:
    """Model, storage, masks, optimizers, method, clock, data order and random generators.

    Everything can be written by `torch.save` and read with `weights_only=True`.
    """
    cuda = training.device.type == "cuda"
    return {
        "net": training.net.snapshot(),
        "optimizers": [optimizer.state_dict() for optimizer in training.optimizers.all],
        "method": training.method.state,
        "clock": {name: getattr(training.clock, name) for name in _CLOCK},
        "stream": (training.stream.epoch, training.stream.position),
        "meter": training.meter.state(),
        "outcome": asdict(training.outcome),
        "rng": torch.get_rng_state(),
        "device_rng": torch.cuda.get_rng_state(training.device) if cuda else None,
        "generator": training.net.generator.get_state(),
    }


def load_state(training: Training, state: Mapping[str, Any]) -> None:
    """Put a fresh training (same model, method, recipe, data and seed) where the saved one stood."""
    for optimizer, saved in zip(training.optimizers.all, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    training.method.state.clear()
    training.method.state.update(state["method"])
    training.net.restore(state["net"], masks=True)  # a method may read its state to compose the weights
    for name, value in state["clock"].items():
        setattr(training.clock, name, value)
    training.stream.go_to(*state["stream"])
    training.meter.load(state["meter"])
    for name, value in state["outcome"].items():
        setattr(training.outcome, name, value)
    torch.set_rng_state(state["rng"].cpu())  # a generator's state lies on the CPU, whatever it draws for
    if state["device_rng"] is not None:
        torch.cuda.set_rng_state(state["device_rng"].cpu(), training.device)
    training.net.generator.set_state(state["generator"].cpu())
