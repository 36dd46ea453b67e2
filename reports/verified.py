"""What is known of the results of each entry beyond their records, as leaderboards show it. No torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ..errors import SparsebenchError
from ..files import write_atomic
from ..validation import validation_message

FILE = "verification.json"  # in the output folder of a board

State = Literal["records only", "weights verified", "retrained by others"]
"""Nothing but records; models whose compression and accuracy were measured again; besides that, another
submitter's trainings agree with it within the interval of the difference."""

States = Mapping[str, Mapping[str, State]]
"""The states by task and entry."""

_ADAPTER = TypeAdapter(dict[str, dict[str, State]])


def read_states(folder: Path) -> States:
    """Returns the states of the entries of an output folder.

    Args:
        folder: The output folder.

    Returns:
        The states by task and entry; empty where nobody has verified anything.

    Raises:
        SparsebenchError: The file is damaged.

    Example:
        >>> read_states(folder)
        {}
    """
    path = folder / FILE
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        raise SparsebenchError(f"{str(path)!r} is damaged: {validation_message(error)}") from error
    except OSError as error:
        raise SparsebenchError(f"{str(path)!r} cannot be read: {error.strerror}") from error


def write_states(folder: Path, states: States) -> Path:
    """Writes the states of the entries into an output folder.

    Args:
        folder: The output folder.
        states: The states by task and entry.

    Returns:
        The path of the file.

    Raises:
        SparsebenchError: It cannot be written.

    Example:
        >>> _ = write_states(folder, {"made_up-net": {"dwf-3": "weights verified"}})
        >>> read_states(folder)["made_up-net"]["dwf-3"]
        'weights verified'
    """
    return write_atomic(folder / FILE, json.dumps(states, indent=1) + "\n")
