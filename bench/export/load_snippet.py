"""The Python lines that load an exported model without the harness, and the description of its input."""

import ast
import keyword
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...errors import SparsebenchError, printable
from ..models.factory import rebuild
from ..models.model_file import ModelCard
from ..models.networks import OURS

HOW = {
    ".pt": ("torch", "torch.load({file}, weights_only=True)"),
    ".safetensors": ("safetensors.torch", "safetensors.torch.load_file({file})"),
}


def build_network(card: ModelCard, state: Mapping[str, Tensor] | None = None) -> nn.Module:
    """Returns the plain network of a model card.

    Args:
        card: The model card; its name, image shape, classes and arguments make the network.
        state: The state dict of the card's model; None leaves newly initialised weights.

    Returns:
        The network, on the CPU.

    Example:
        >>> from sparsebench.bench.models.model_file import read_card
        >>> from sparsebench.bench.training.trial import run
        >>> _ = run(trial, save=Path("model.safetensors"))
        >>> build_network(read_card(Path("model.safetensors")))[-1]
        Linear(in_features=100, out_features=10, bias=True)
    """
    network = rebuild(card.model, card.shape, card.classes, card.model_args)[0]
    if state is not None:
        network.load_state_dict(state)
    return network


def load_lines(card: ModelCard, path: Path, network: nn.Module | None = None) -> list[str]:
    """Returns three lines of Python that load an exported file.

    Afterwards `model` is the network in eval mode. For ONNX the last line computes `logits` from `images`,
    an array as `input_description` describes it.

    Args:
        card: The model card.
        path: The file, whose suffix is one of `formats.SUFFIXES`.
        network: The network that was written, such as a compacted one; by default that of the card.

    Returns:
        The lines. They need torch (or onnxruntime) alone, except for the tensors of a network that is not a
        sequence of layers of torch.nn, which need timm or sparsebench.

    Raises:
        SparsebenchError: The card's arguments are not names and literals: a file of a stranger may hold code.

    Example:
        >>> from sparsebench.bench.models.model_file import read_card
        >>> from sparsebench.bench.training.trial import run
        >>> _ = run(trial, save=Path("model.safetensors"))
        >>> print("\\n".join(load_lines(read_card(Path("model.safetensors")), Path("model.pt"))))
        import torch, torch.nn as nn
        model = nn.Sequential(nn.Flatten(start_dim=1, end_dim=-1), nn.Linear(...), ...).eval()
        model.load_state_dict(torch.load('model.pt', weights_only=True))
    """
    file = repr(str(path))
    if path.suffix == ".onnx":
        return [
            "import onnxruntime",
            f"session = onnxruntime.InferenceSession({file})",
            'logits = session.run(None, {"images": images})[0]',
        ]
    if path.suffix == ".pt2":
        return ["import torch", f"program = torch.export.load({file})", "model = program.module()"]
    module, load = HOW[path.suffix]
    imports, made = _network(card, network)
    names = dict.fromkeys([module, *imports])
    return [
        f"import {', '.join(names)}" + ("" if network is not None else _registered_elsewhere(card)),
        f"model = {made}.eval()",
        f"model.load_state_dict({load.format(file=file)})",
    ]


def input_description(card: ModelCard) -> str:
    """Returns a description of the images that a model takes: type, shape and normalisation.

    Args:
        card: The model card.

    Returns:
        One line; N is the number of images.

    Example:
        >>> from sparsebench.bench.models.model_file import read_card
        >>> from sparsebench.bench.training.trial import run
        >>> _ = run(trial, save=Path("model.safetensors"))
        >>> input_description(read_card(Path("model.safetensors")))
        'images: float32 (N, 1, 8, 8), as they are stored'
    """
    shape = f"float32 (N, {', '.join(map(str, card.shape))})"
    if not card.mean:
        return f"images: {shape}, normalised as the dataset {card.dataset!r} hands them out"
    if set(card.mean) == {0.0} and set(card.std) == {1.0}:
        return f"images: {shape}, as they are stored"
    mean, std = (", ".join(f"{x:.6g}" for x in values) for values in (card.mean, card.std))
    return f"images: {shape}, (x - mean)/std of the stored pixels x; by channel mean {mean}, std {std}"


def _network(card: ModelCard, network: nn.Module | None) -> tuple[list[str], str]:
    """Returns the modules to import, and an expression that builds the network from them."""
    model, arguments = network, dict[str, Any]()
    if model is None:
        model, arguments = rebuild(card.model, card.shape, card.classes, card.model_args)
    if isinstance(model, nn.Sequential) and all(
        type(part).__module__.startswith("torch.nn") for part in model
    ):
        parts = ", ".join(f"nn.{part!r}" for part in model)  # torch prints these as they are made
        return ["torch.nn as nn"], _calls_alone(f"nn.Sequential({parts})")
    words = ", ".join(f"{_keyword(name)}={_literal(value)}" for name, value in arguments.items())
    if card.model in OURS:
        made = f"sparsebench.bench.networks.{card.model}({words})"
        return ["sparsebench.bench.networks"], _calls_alone(made)
    return ["timm"], _calls_alone(f"timm.create_model({card.model!r}, {words})")


def _keyword(name: str) -> str:
    """Returns an argument's name; raises where it is none, and would be read as code."""
    if not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name):
        raise SparsebenchError(f"{printable(repr(name), 60)} is not the name of an argument of a model")
    return name


def _literal(value: Any) -> str:
    """Returns a value of JSON as Python writes it; raises for what no literal stands for."""
    text = repr(value)
    try:
        if ast.literal_eval(text) == value:
            return text
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        pass
    raise SparsebenchError(f"the model's argument {printable(text, 60)} cannot be written as Python")


def _calls_alone(expression: str) -> str:
    """Returns an expression that calls constructors with literals; raises for any other."""
    allowed = (
        ast.Expression, ast.Call, ast.Attribute, ast.Name, ast.Load, ast.keyword, ast.Constant, ast.Tuple,
        ast.List, ast.Dict, ast.UnaryOp, ast.USub,
    )  # fmt: skip
    try:
        nodes = list(ast.walk(ast.parse(expression, mode="eval")))
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        nodes = [ast.AST()]
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    if not all(isinstance(node, allowed) for node in nodes) or not names <= {"nn", "timm", "sparsebench"}:
        raise SparsebenchError("the model of this file cannot be written as lines of Python")
    return expression


def _registered_elsewhere(card: ModelCard) -> str:
    """Returns a comment on the import line for a model of a plugin: timm knows it once that is imported."""
    if card.model in OURS:
        return ""
    from ..models.timm_registry import home

    where = home(card.model)
    return "" if where.partition(".")[0] == "timm" else f"  # and what registers {card.model!r} with timm"
