"""Reader of schema 1, whose records have data arguments, dense layers and threads in their command alone."""

import json
import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

from .record import MOST_THREADS, Record


class RecordedArguments(NamedTuple):
    """The arguments of a trial that the two schemas record in different places.

    Attributes:
        dataset_args: Arguments of the dataset as they were given; its defaults hold for the others.
        keep_dense: Layers that are left out of the prunable set P.
        threads: The CPU threads that the trial ran on.

    Example:
        >>> record.schema_, recorded_arguments(record) == RecordedArguments({}, (), threads=1)
        (2, True)
    """

    dataset_args: dict[str, Any]
    keep_dense: tuple[str, ...]
    threads: int


def recorded_arguments(record: Record) -> RecordedArguments:
    """Returns the data arguments, the dense layers and the CPU threads of a record of either schema.

    Args:
        record: The record; one of schema 2 has them as fields, one of schema 1 as options of its command.

    Returns:
        The three arguments; without the option `--threads` a trial ran on one thread.

    Raises:
        ValueError: The command of a record of schema 1 cannot be parsed.

    Example:
        >>> command = "sparsebench train --dataset planted --data-arg n=320 --keep-dense fc3 --threads 2"
        >>> recorded_arguments(record.model_copy(update={"schema_": 1, "command": command}))
        RecordedArguments(dataset_args={'n': 320}, keep_dense=('fc3',), threads=2)
    """
    if record.schema_ != 1:
        return RecordedArguments(record.dataset_args, record.keep_dense, record.threads)
    words = shlex.split(record.command)
    threads = int(next(iter(_after(words, "--threads")), 1))
    if not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"{threads} threads")
    return RecordedArguments(
        dict(_pair(word) for word in _after(words, "--data-arg")),
        tuple(_after(words, "--keep-dense")),
        threads,
    )


def _after(words: Sequence[str], flag: str) -> list[str]:
    return [words[i + 1] for i, word in enumerate(words[:-1]) if word == flag]


def _pair(word: str) -> tuple[str, Any]:
    name, _, text = word.partition("=")
    try:
        return name, json.loads(text)
    except (ValueError, RecursionError):
        return name, text
