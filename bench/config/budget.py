"""The budget of a suite: what each entry gets on each task. No torch."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from .trial_spec import COMPRESSIONS

Compression = Annotated[float, Field(gt=1, le=1e6, strict=True)]


class Budget(BaseModel):
    """What each entry gets on each task, the dense baseline too.

    Attributes:
        compressions: The common compressions, at which every finished model is measured; each above 1. Only
            suites of earlier versions have none.
        trials: Trials of a search, to each of which one of the compressions is assigned in turn.
        seeds: Fresh seeds with which the best training at each compression is confirmed.
        searches: Independent searches, each with its own confirmation; from two on, intervals cover them.
        generation: Trials that the sampler proposes before it uses their outcomes.
        points: Accepted from older suites; it has no effect.

    Example:
        >>> budget = Budget(trials=8, seeds=3, compressions=[4, 16, 64, 256])
        >>> budget.trials + budget.most_confirmations  # the most trials of an entry
        23
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    compressions: Annotated[tuple[Compression, ...], Field(max_length=100)] = COMPRESSIONS
    trials: Annotated[int, Field(ge=1, le=100_000, strict=True)] = 16
    seeds: Annotated[int, Field(ge=1, le=1000, strict=True)] = 3
    searches: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    generation: Annotated[int, Field(ge=1, le=1000, strict=True)] = 4
    points: Annotated[int, Field(ge=1, le=100)] | None = Field(default=None, exclude=True)

    @property
    def most_confirmations(self) -> int:
        """The most confirming trials of an entry: of every search the best at 1 and at each compression."""
        return self.searches * self.seeds * min(self.trials, len(self.compressions) + 1)

    @field_validator("compressions")
    @classmethod
    def _ascending(cls, compressions: tuple[float, ...]) -> tuple[float, ...]:
        # As tables name them; 1 is measured always.
        distinct("a compression is given twice", ["1", *(f"{c:g}" for c in compressions)])
        return tuple(sorted(compressions))


def distinct(what: str, names: Sequence[str]) -> None:
    """Raises where a name is given twice.

    Args:
        what: The begin of the sentence, as `two tasks have the same name`.
        names: The names.

    Raises:
        ValueError: A name is given twice; pydantic makes it an error of the field.

    Example:
        >>> distinct("a compression is given twice", ["4", "16", "4"])
        Traceback (most recent call last):
        ValueError: a compression is given twice, '4'
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}, {twice[0]!r}")
