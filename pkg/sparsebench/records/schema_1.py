"""Records of schema 1: data arguments, dense layers and threads stand in their command alone."""

import json
import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

from .record import Record


class RecordedArguments(NamedTuple):
    """What the two schemas keep in different places."""

    dataset_args: dict[str, Any]
    keep_dense: tuple[str, ...]
    threads: int


def recorded_arguments(record: Record) -> RecordedArguments:
    """The data's arguments, the layers kept dense and the CPU threads of a record of either schema.

    Errors: `ValueError` where the command of a record of schema 1 is no command.
    """
    if record.schema_ != 1:
        return RecordedArguments(record.dataset_args, record.keep_dense, record.threads)
    words = shlex.split(record.command)
    return RecordedArguments(
        dict(_pair(word) for word in _after(words, "--data-arg")),
        tuple(_after(words, "--keep-dense")),
        int(next(iter(_after(words, "--threads")), 1)),
    )


def _after(words: Sequence[str], flag: str) -> list[str]:
    return [words[i + 1] for i, word in enumerate(words[:-1]) if word == flag]


def _pair(word: str) -> tuple[str, Any]:
    name, _, text = word.partition("=")
    try:
        return name, json.loads(text)
    except (ValueError, RecursionError):
        return name, text
