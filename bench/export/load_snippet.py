"""How a finished model is loaded without the harness: three lines of Python, and what goes into it."""

from pathlib import Path

from torch import nn

from ..models.factory import rebuild
from ..models.model_file import ModelCard
from ..models.networks import OURS

HOW = {
    ".pt": ("torch", "torch.load({file}, weights_only=True)"),
    ".safetensors": ("safetensors.torch", "safetensors.torch.load_file({file})"),
}


def build_network(card: ModelCard) -> nn.Module:
    """The plain network of a card, with fresh weights."""
    return rebuild(card.model, card.shape, card.classes, card.model_args)[0]


def load_lines(card: ModelCard, path: Path) -> list[str]:
    """Three lines that load the file: `model` (or for ONNX `logits`, from `input_description`) is there afterwards."""
    file = repr(str(path))
    if path.suffix == ".onnx":
        return [
            "import onnxruntime",
            f"session = onnxruntime.InferenceSession({file})",
            'logits = session.run(None, {"images": images})[0]',
        ]
    module, load = HOW[path.suffix]
    imports, network = _network(card)
    names = dict.fromkeys([module, *imports])
    return [
        f"import {', '.join(names)}" + _registered_elsewhere(card),
        f"model = {network}.eval()",
        f"model.load_state_dict({load.format(file=file)})",
    ]


def input_description(card: ModelCard) -> str:
    """What goes into the model, in a few words."""
    shape = f"float32 (N, {', '.join(map(str, card.shape))})"
    if not card.mean:
        return f"images: {shape}, normalised as the dataset {card.dataset!r} hands them out"
    if set(card.mean) == {0.0} and set(card.std) == {1.0}:
        return f"images: {shape}, as they are stored"
    mean, std = (", ".join(f"{x:.6g}" for x in values) for values in (card.mean, card.std))
    return f"images: {shape}, (x - mean)/std of the stored pixels x; by channel mean {mean}, std {std}"


def _network(card: ModelCard) -> tuple[list[str], str]:
    """Modules to import, and an expression that builds the network from them."""
    model, arguments = rebuild(card.model, card.shape, card.classes, card.model_args)
    if isinstance(model, nn.Sequential) and all(
        type(part).__module__.startswith("torch.nn") for part in model
    ):
        parts = ", ".join(f"nn.{part!r}" for part in model)  # torch prints these as they are made
        return ["torch.nn as nn"], f"nn.Sequential({parts})"
    words = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    if card.model in OURS:
        return [
            "sparsebench.bench.models.networks"
        ], f"sparsebench.bench.models.networks.{card.model}({words})"
    return ["timm"], f"timm.create_model({card.model!r}, {words})"


def _registered_elsewhere(card: ModelCard) -> str:
    """A model of a plugin is known to timm only after that is imported."""
    if card.model in OURS:
        return ""
    from ..models.timm_registry import home

    where = home(card.model)
    return "" if where.partition(".")[0] == "timm" else f"  # and what registers {card.model!r} with timm"
