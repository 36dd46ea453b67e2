"""The seeds of a campaign's trials. No torch."""

from hashlib import sha256
from typing import Literal


def seed_of(suite_seed: int, replicate: int, phase: Literal["search", "confirm"], number: int) -> int:
    """Returns a seed of its own for each search, phase and number, the same for all entries.

    Equal seeds of all entries make their runs pairs; no two trainings of one entry share a seed, so that no
    confirmation repeats what its search has seen.

    Args:
        suite_seed: The suite's seed.
        replicate: The number of the independent search.
        phase: The phase of the trial.
        number: The trial's number in the search, or that of the confirming seed.

    Returns:
        A number below 2³¹.

    Example:
        >>> seed_of(0, 0, "search", 0) != seed_of(0, 1, "search", 0)
        True
    """
    text = f"{suite_seed}/{replicate}/{phase}/{number}"
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big") >> 1
