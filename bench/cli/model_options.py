"""The options of the commands on finished models."""

from pathlib import Path
from typing import Annotated

import typer

from ...errors import SparsebenchError

MOST_IMAGES = 10**5

ModelFile = Annotated[
    Path | None,
    typer.Option(
        help="File to write; its suffix is the format: .pt, .safetensors, .pt2 or .onnx.",
        show_default="<entry>-<trial>.safetensors; <name>.pt for a file; <name>-compact.pt2 with --compact",
    ),
]

ModelOf = Annotated[
    str | None, typer.Argument(help="Label of an entry, or id of a trial or its first characters.")
]

CutTo = Annotated[
    float | None,
    typer.Option(
        "--at",
        help="Compression to cut the model to: its largest weights by magnitude stay, without retraining.",
        show_default="uncut",
    ),
]

RetrainDevice = Annotated[
    str | None, typer.Option(help="Device for --retrain.", show_default="the same kind as in the record")
]

Compact = Annotated[
    bool,
    typer.Option("--compact", help="Write a smaller dense model with the same logits, checked on the data."),
]


def parse_batches(text: str) -> tuple[int, ...]:
    """Returns the batch sizes in a comma-separated argument.

    Args:
        text: The argument, such as `1,64`.

    Returns:
        The numbers, ascending.

    Raises:
        SparsebenchError: A word is no number above 0.

    Example:
        >>> parse_batches("64, 1")
        (1, 64)
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 0 < int(word) <= MOST_IMAGES for word in words):
        raise SparsebenchError(f"--batch {text!r}: write numbers of images as 1,64")
    return tuple(sorted({int(word) for word in words}))
