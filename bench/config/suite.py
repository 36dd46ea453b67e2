"""A suite: the TOML file of tasks, entries and budget, validated. No torch until entries are checked."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...errors import SparsebenchError, UnknownName, printable
from ...escaping import FORMULAS
from ...parsing import read_toml
from ...records.fields import Granularity, task_name
from ...records.hashing import digest
from ...validation import explain_validation, odd_name
from .budget import Budget, distinct
from .trial_spec import Recipe

SHIPPED = Path(__file__).parent.parent / "suites"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Task(_Table):
    """A dataset, a model and the recipe that every entry shares.

    Attributes:
        dataset: The dataset's registered name.
        data_args: Arguments of the dataset.
        model: The model's registered name.
        model_args: Arguments of the model's constructor.
        keep_dense: Layers that no method may prune and that do not count in the compression: names, or
            patterns such as `blocks.0.*`.
        granularity: What is removed to get to a common compression, and what that counts: "weights", by
            nonzeros in P, or whole "channels", by multiply-accumulates.
        recipe: How networks are trained on this task.
        x_max: Accepted from older suites, where it is log10 of the compression at which hypervolumes are cut
            off; it has no effect on records with common compressions.

    Example:
        >>> Task(dataset="mnist", model="lenet5").name
        'mnist-lenet5'
    """

    dataset: str
    data_args: dict[str, Any] = {}
    model: str
    model_args: dict[str, Any] = {}
    keep_dense: tuple[str, ...] = ()
    granularity: Granularity = "weights"
    recipe: Recipe = Recipe()
    x_max: Annotated[float, Field(gt=0, le=10)] = 3.0

    @field_validator("data_args", "model_args")
    @classmethod
    def _recordable(cls, args: dict[str, Any]) -> dict[str, Any]:
        digest(args)  # TOML has dates, nan and inf; records have not
        return args

    @property
    def name(self) -> str:
        """Name of the task on charts and in studies, as of its records."""
        return task_name(self.dataset, self.model, self.granularity)


class Entry(BaseModel):
    """A configured method of a suite.

    Every further key is a knob of the method or the recipe: a value fixes it, a table `{low, high}` gives it
    another search range, and a knob that is not given is searched.

    Attributes:
        method: The method's registered name.
        label: The name on the leaderboard, distinct within a suite; the method's name where it is not given.

    Example:
        >>> entry = Entry(method="dwf", depth=3)
        >>> entry.label, entry.knobs
        ('dwf', {'depth': 3})
    """

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
        """Settings of the method's and the recipe's knobs, by name."""
        return dict(self.model_extra or {})


class Suite(_Table):
    """The configuration that decides a campaign; the content of a suite's TOML file.

    Attributes:
        name: Letters, digits, dots, dashes and underscores; the default output folder is named after it.
        summary: One line for `sparsebench list suites`; it decides nothing.
        seed: The seed from which those of all trials follow.
        budget: Trials, seeds and searches of each entry on each task, and the common compressions.
        tasks: The tasks, of distinct names.
        entries: The configured methods, of distinct labels.

    Example:
        >>> task, entry = Task(dataset="digits", model="lenet_300_100"), Entry(method="dense")
        >>> suite = Suite(name="tiny", tasks=[task], entries=[entry])
        >>> suite.budget.trials, suite.tasks[0].recipe.epochs
        (16, 30)
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    summary: str = ""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    budget: Budget = Budget()
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    entries: Annotated[tuple[Entry, ...], Field(min_length=1)]

    @field_validator("tasks")
    @classmethod
    def _distinct_tasks(cls, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        distinct("two tasks have the same dataset and model", [task.name for task in tasks])
        return tasks

    @field_validator("entries")
    @classmethod
    def _distinct_entries(cls, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        distinct("two entries have the same label", [entry.label for entry in entries])
        return entries


def with_compressions(suite: Any) -> Any:
    """Returns the content of a folder's suite with the common compressions that its records have.

    Args:
        suite: The suite in a `suite.json`, of any version.

    Returns:
        The same; with none where the version that wrote it had none, and not the default of new suites.

    Example:
        >>> with_compressions({"budget": {"trials": 8}})
        {'budget': {'compressions': [], 'trials': 8}}
    """
    budget = suite.get("budget") if isinstance(suite, dict) else None
    return {**suite, "budget": {"compressions": [], **budget}} if isinstance(budget, dict) else suite


def shipped() -> dict[str, Path]:
    """Returns the suites that come with the package.

    Returns:
        Their TOML files by the suite's name.

    Example:
        >>> shipped()["quickstart"].name
        'quickstart.toml'
    """
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def load_suite(name: str | Path) -> Suite:
    """Returns a shipped suite, or the suite of a TOML file, validated and checked.

    Args:
        name: The name of a shipped suite, or the path of a TOML file.

    Returns:
        The suite.

    Raises:
        UnknownName: There is no suite of this name; the nearest valid names are given.
        SparsebenchError: The file is missing or not readable, or a key or value in it is not valid.

    Example:
        >>> load_suite("quickstart").budget.trials
        8
        >>> load_suite("quikstart")
        Traceback (most recent call last):
            ...
        sparsebench.errors.UnknownName: unknown suite 'quikstart': did you mean 'quickstart' or ...?
    """
    known = shipped()
    path = known.get(str(name), Path(name))
    if not path.is_file():
        if path.suffix == ".toml" or len(path.parts) > 1:
            what = "is no file" if path.exists() else "does not exist"
            raise SparsebenchError(f"suite file {str(name)!r} {what}")
        raise UnknownName("suite", str(name), known)
    content = read_toml(path)
    content = _with_entry_list(content, str(path))
    try:
        suite = Suite(**content)
    except ValidationError as error:
        raise SparsebenchError(explain_validation(error, Suite, str(path))) from None
    check(suite, str(path))
    return suite


def _with_entry_list(content: dict[str, Any], where: str) -> dict[str, Any]:
    """Returns a suite's content with the entries that `entry_list = "paper"` names before its own."""
    name = content.pop("entry_list", None)
    if name is None:
        return content
    known = {path.stem: path for path in sorted((SHIPPED / "entries").glob("*.toml"))}
    if not isinstance(name, str) or name not in known:
        raise UnknownName("entry_list", printable(str(name), 100), known, where=f"{where}: ")
    listed = read_toml(known[name])["entries"]
    own = content.get("entries", [])
    return {**content, "entries": [*listed, *own] if isinstance(own, list) else own}


def check(suite: Suite, where: str) -> None:
    """Checks that the methods, knobs, values, datasets and their arguments in a suite exist and are valid.

    Args:
        suite: The suite.
        where: The suite's file, which begins an error message.

    Raises:
        SparsebenchError: One does not; the message has the number of the task or entry.

    Example:
        >>> suite = load_suite("quickstart")
        >>> check(suite.model_copy(update={"entries": (Entry(method="dwf", dept=3),)}), "my.toml")
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: my.toml: entries.0 (dwf): unknown knob ... did you mean 'depth'?
    """
    from ...methods.api import configure, knobs_of, registry
    from .search_space import DECAY_BUDGET, free_knobs, settle_recipe, split_settings

    _check_names(suite, where)
    if not suite.budget.compressions:
        raise SparsebenchError(f"{where}: budget.compressions: name at least one")
    _check_tasks(suite, where)
    # Entries: the method, its knobs, and on each task the search ranges and the fixed values.
    for index, entry in enumerate(suite.entries):
        try:
            cls = registry[entry.method]
            for name in (*knobs_of(cls),):
                if name in Recipe.model_fields:
                    raise SparsebenchError(
                        f"method {entry.method!r}: the knob {name!r} belongs to the recipe"
                    )
            fixed = {key: value for key, value in entry.knobs.items() if not isinstance(value, dict)}
            budget = fixed.pop(DECAY_BUDGET, None)
            for task in suite.tasks:
                free_knobs(task.recipe, cls, entry.knobs)
                if budget is not None and cls.decay_budget is not None:
                    cls.decay_budget.check(f"{cls.name}: {DECAY_BUDGET}", budget)
                knobs, rest = split_settings(cls, fixed)
                settle_recipe(task.recipe, cls, rest)
                configure(entry.method, knobs)
        except SparsebenchError as error:
            raise SparsebenchError(f"{where}: entries.{index} ({entry.label}): {error}") from None


def _check_tasks(suite: Suite, where: str) -> None:
    """Raises for a dataset or an argument of it that does not exist."""
    from ...datasets.api import registry as datasets

    for index, task in enumerate(suite.tasks):
        try:
            dataset = datasets[task.dataset]
            for name in task.data_args:
                if name not in dataset.args:
                    raise UnknownName(f"argument of dataset {task.dataset!r}", name, dataset.args)
        except SparsebenchError as error:
            raise SparsebenchError(f"{where}: tasks.{index}: {error}") from None


def _check_names(suite: Suite, where: str) -> None:
    """Raises for a name that `pack` and `merge` would refuse in every record."""
    shown = [name for task in suite.tasks for name in (task.dataset, task.model)]
    shown += [name for entry in suite.entries for name in (entry.label, entry.method)]
    others = [name for task in suite.tasks for name in (*task.keep_dense, *task.data_args, *task.model_args)]
    for name in (*shown, *others):
        if odd := odd_name([name]):
            raise SparsebenchError(f"{where}: {odd.replace(' in it', '')}: {printable(name, 60)!r}")
        if name in shown and name.startswith(FORMULAS):
            raise SparsebenchError(f"{where}: the name {name!r} begins like a spreadsheet formula")
