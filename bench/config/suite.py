"""A suite: the TOML file of tasks, entries and budget, validated. No torch until entries are checked."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...errors import SparsebenchError, UnknownName
from ...records.hashing import digest
from ...validation import explain_validation
from .trial_spec import Recipe

SHIPPED = Path(__file__).parent.parent / "suites"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Budget(_Table):
    """What each entry gets on each task, the dense baseline too."""

    trials: Annotated[int, Field(ge=1, le=100_000)] = 16
    seeds: Annotated[int, Field(ge=1, le=1000)] = 3
    points: Annotated[int, Field(ge=1, le=100)] = 8
    generation: Annotated[int, Field(ge=1, le=1000)] = 4


class Task(_Table):
    """A dataset, a model and the recipe that every entry shares.

    `x_max` is log10 of the compression at which the hypervolume is cut off.
    """

    dataset: str
    data_args: dict[str, Any] = {}
    model: str
    model_args: dict[str, Any] = {}
    keep_dense: tuple[str, ...] = ()
    recipe: Recipe = Recipe()
    x_max: Annotated[float, Field(gt=0, le=10)] = 3.0

    @field_validator("data_args", "model_args")
    @classmethod
    def _recordable(cls, args: dict[str, Any]) -> dict[str, Any]:
        digest(args)  # TOML has dates, nan and inf; records have not
        return args

    @property
    def name(self) -> str:
        return f"{self.dataset}-{self.model}"


class Entry(BaseModel):
    """A configured method: a knob given here is fixed (or, as a table, narrowed); the rest is searched."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    method: str
    label: str = ""

    @model_validator(mode="before")
    @classmethod
    def _labelled(cls, value: Any) -> Any:
        if isinstance(value, dict) and "method" in value:
            return {"label": value["method"], **value}
        return value

    @property
    def knobs(self) -> dict[str, Any]:
        """What the entry says of the method's and the recipe's knobs."""
        return dict(self.model_extra or {})


class Suite(_Table):
    """Everything that decides a campaign."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    summary: str = ""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    budget: Budget = Budget()
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    entries: Annotated[tuple[Entry, ...], Field(min_length=1)]

    @field_validator("tasks")
    @classmethod
    def _distinct_tasks(cls, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        _distinct("two tasks have the same dataset and model", [task.name for task in tasks])
        return tasks

    @field_validator("entries")
    @classmethod
    def _distinct_entries(cls, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        _distinct("two entries have the same label", [entry.label for entry in entries])
        return entries


def _distinct(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}, {twice[0]!r}")


def shipped() -> dict[str, Path]:
    """The suites that come with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def load_suite(name: str | Path) -> Suite:
    """A shipped suite by name, or a TOML file. Errors name the file, the key and the nearest valid name."""
    known = shipped()
    path = known.get(str(name), Path(name))
    if not path.is_file():
        if path.suffix == ".toml" or len(path.parts) > 1:
            what = "is no file" if path.exists() else "does not exist"
            raise SparsebenchError(f"suite file {str(name)!r} {what}")
        raise UnknownName("suite", str(name), known)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SparsebenchError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SparsebenchError(f"{path}: is not TOML: {error}") from error
    content = _with_entry_list(content, str(path))
    try:
        suite = Suite(**content)
    except ValidationError as error:
        raise SparsebenchError(explain_validation(error, Suite, str(path))) from None
    check(suite, str(path))
    return suite


def _with_entry_list(content: dict[str, Any], where: str) -> dict[str, Any]:
    """A suite may take the entries of a shipped list, `entry_list = "paper"`, before its own."""
    name = content.pop("entry_list", None)
    if name is None:
        return content
    known = {path.stem: path for path in sorted((SHIPPED / "entries").glob("*.toml"))}
    if name not in known:
        raise UnknownName("entry_list", str(name), known, where=f"{where}: ")
    listed = tomllib.loads(known[name].read_text(encoding="utf-8"))["entries"]
    own = content.get("entries", [])
    return {**content, "entries": [*listed, *own] if isinstance(own, list) else own}


def check(suite: Suite, where: str) -> None:
    """Every method, knob, value and dataset that a suite names exists. Errors say where it does not."""
    from ...datasets.api import registry as datasets
    from ...methods.api import configure, knobs_of, registry
    from .search_space import free_knobs, settle_recipe, split_settings

    for index, task in enumerate(suite.tasks):
        try:
            dataset = datasets[task.dataset]
            for name in task.data_args:
                if name not in dataset.args:
                    raise UnknownName(f"argument of dataset {task.dataset!r}", name, dataset.args)
        except SparsebenchError as error:
            raise SparsebenchError(f"{where}: tasks.{index}: {error}") from None
    for index, entry in enumerate(suite.entries):
        try:
            cls = registry[entry.method]
            for name in (*knobs_of(cls),):
                if name in Recipe.model_fields:
                    raise SparsebenchError(
                        f"method {entry.method!r}: the knob {name!r} belongs to the recipe"
                    )
            fixed = {key: value for key, value in entry.knobs.items() if not isinstance(value, dict)}
            for task in suite.tasks:
                free_knobs(task.recipe, cls, entry.knobs)
                knobs, rest = split_settings(cls, fixed)
                settle_recipe(task.recipe, cls, rest)
                configure(entry.method, knobs)
        except SparsebenchError as error:
            raise SparsebenchError(f"{where}: entries.{index} ({entry.label}): {error}") from None


def override(
    suite: Suite,
    *,
    methods: list[str] | None = None,
    trials: int | None = None,
    epochs: int | None = None,
    seeds: int | None = None,
) -> Suite:
    """A suite with what the command line says instead. `methods` picks entries by label or method."""
    content = suite.model_dump(mode="json")
    if methods is not None:
        known = {name for entry in suite.entries for name in (entry.label, entry.method)}
        for name in methods:
            if name not in known:
                raise UnknownName("method or label in this suite", name, known)
        content["entries"] = [e for e in content["entries"] if {e["label"], e["method"]} & set(methods)]
    for key, value in (("trials", trials), ("seeds", seeds)):
        if value is not None:
            content["budget"][key] = value
    if epochs is not None:
        for task in content["tasks"]:
            task["recipe"]["epochs"] = epochs
    try:
        return Suite(**content)
    except ValidationError as error:
        raise SparsebenchError(explain_validation(error, Suite)) from None
