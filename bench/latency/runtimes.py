"""The runtimes that a network is timed in: eager torch, torch.compile, ONNX Runtime where it is installed."""

import logging
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import SparsebenchError
from ...reasons import reason, root_cause
from ..export.formats import onnx_program

Call = Callable[[Tensor], Tensor]
EAGER, COMPILED, ONNX = "eager", "torch.compile", "ONNX Runtime"
NEEDED = ("onnx", "onnxscript", "onnxruntime")


def onnx_is_there() -> bool:
    """Returns whether ONNX Runtime can be used.

    Returns:
        Whether the packages are installed that it and the export to it need.

    Example:
        >>> isinstance(onnx_is_there(), bool)
        True
    """
    return all(map(find_spec, NEEDED))


def compiled(model: nn.Module, images: Tensor) -> Call:
    """Returns a network compiled for a batch of this size.

    Args:
        model: The network, in eval mode.
        images: A batch.

    Returns:
        The compiled network, which has run once.

    Raises:
        SparsebenchError: torch cannot compile it here, as where there is no C++ compiler.

    Example:
        >>> from unittest.mock import patch
        >>> with patch("torch.compile", side_effect=RuntimeError("no compiler")):
        ...     compiled(model, torch.zeros(2, 1, 8, 8))
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: torch.compile: RuntimeError: no compiler
    """
    for name in ("torch._inductor", "torch.utils.cpp_extension"):  # they tell what a machine lacks
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            made: Call = torch.compile(model, dynamic=False)
            made(images)
    except Exception as error:
        raise SparsebenchError(f"{COMPILED}: {reason(root_cause(error))}") from error
    return made


def onnx_runtime(model: nn.Module, shape: tuple[int, ...], threads: int) -> Call:
    """Returns a network in ONNX Runtime on the CPU.

    Args:
        model: The network, on the CPU, in eval mode.
        shape: (C, H, W) of an image.
        threads: CPU threads.

    Returns:
        A function of a batch of any size.

    Raises:
        SparsebenchError: torch cannot export the network, or ONNX Runtime cannot read it.

    Example:
        >>> call = onnx_runtime(model.eval(), (1, 8, 8), threads=1)
        >>> call(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 10])
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    try:
        content = onnx_program(model, shape).model_proto.SerializeToString()
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise SparsebenchError(f"{ONNX}: {reason(root_cause(error))}") from error
    return partial(_run, session)


def _run(session: Any, images: Tensor) -> Tensor:
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
