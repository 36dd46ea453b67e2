"""The options of a run beside its suite: one frozen object for Python and the command line."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...commands import base_of
from ...errors import suggest
from ..system.mlflow_address import check_tracking_address, named_address

if TYPE_CHECKING:
    from ..config.suite import Suite
    from ..executors.resources import Resources

# These two are imported inside functions: the command line makes its options before it starts the workers,
# which then import torch in parallel.

TIME_LIMIT = 24 * 3600.0  # seconds
LATENCY = "SPARSEBENCH_LATENCY"


@dataclass(frozen=True)
class RunOptions:
    """The arguments of `sparsebench.run` beside the suite and the display.

    Args:
        out: Output folder; `runs/<suite>` by default.
        methods: Only these entries, by label or method.
        trials: Search trials for each entry and task, in place of the suite's.
        epochs: Epochs of every trial, in place of the suite's.
        seeds: Fresh seeds for each confirmed training, in place of the suite's.
        searches: Independent searches of each entry, in place of the suite's.
        devices: `cuda:0,cuda:2` or `cpu:4`; every GPU by default, else a slot for each CPU core. With Ray
            `cpu` or `cuda`.
        per_device: Trials that share one GPU.
        data: Folder of the datasets; SPARSEBENCH_DATA by default, else a cache folder.
        storage: Optuna's storage as a URL; a database in `out` by default.
        tracking_uri: MLflow's server or database; MLFLOW_TRACKING_URI by default, else a database in `out`.
        plugins: Python files that register methods, datasets or models.
        extend: Continue a run whose suite has gained entries, tasks, trials, seeds or searches.
        time_limit: Seconds that one trial may take; None for no limit.
        executor: `local`, or `ray` for the machines of a Ray cluster.
        address: Ray's head as `host:6379`, or `auto`.
        latency: Whether the run ends with a short measurement of latency, of ten seconds at most; by default
            it does, unless the environment has SPARSEBENCH_LATENCY=0.

    Example:
        >>> options = RunOptions(methods=["dense", "dwf-3"], trials=8)
        >>> suite = options.resolve("quickstart")
        >>> [entry.label for entry in suite.entries], suite.budget.trials
        (['dense', 'dwf-3'], 8)
        >>> options.output_folder(suite).as_posix()
        'runs/quickstart'
    """

    out: str | Path | None = None
    methods: Sequence[str] | None = None
    trials: int | None = None
    epochs: int | None = None
    seeds: int | None = None
    searches: int | None = None
    devices: str | None = None
    per_device: int = 1
    data: str | Path | None = None
    storage: str | None = None
    tracking_uri: str | None = None
    plugins: Sequence[str | Path] = ()
    extend: bool = False
    time_limit: float | None = TIME_LIMIT
    executor: str = "local"
    address: str | None = None
    latency: bool | None = None

    @property
    def measures(self) -> bool:
        """Whether the run ends with a measurement of latency."""
        return os.environ.get(LATENCY) != "0" if self.latency is None else self.latency

    def changed(self, keywords: Mapping[str, Any]) -> "RunOptions":
        """Returns the options with some of them replaced.

        Raises:
            TypeError: A keyword that names no option; the message suggests a similar one.
        """
        known = [field.name for field in fields(self)]
        for name in keywords:
            if name not in known:
                raise TypeError(f"run() has no argument {name!r}: {suggest(name, [*known, 'display'])}")
        return replace(self, **keywords)

    @property
    def resources(self) -> "Resources":
        """The devices or machines that the trials run on. Raises `SparsebenchError` for a missing one."""
        from ..executors.resources import Resources

        return Resources(self.devices, self.per_device, self.time_limit, self.executor, self.address)

    def resolve(self, suite: "str | Path | Suite") -> "Suite":
        """Returns the suite as it will run: plugins loaded, file read, overrides applied, names checked.

        Raises `SparsebenchError` for these, and for an address of MLflow that can never work.
        """
        from ..config.suite import Suite, check, load_suite
        from ..config.suite_override import override
        from ..system.isolation.plugins import load_plugins

        if address := named_address(self.tracking_uri):
            check_tracking_address(address)
        load_plugins(self.plugins)
        changed = override(
            suite if isinstance(suite, Suite) else load_suite(suite),
            methods=list(self.methods) if self.methods else None,
            trials=self.trials, epochs=self.epochs, seeds=self.seeds, searches=self.searches,
        )  # fmt: skip
        check(changed, f"suite {changed.name!r}")
        return changed

    def base(self, suite: "str | Path | Suite") -> Path:
        """Returns where relative paths in a suite are looked for: in its file's folder; for a suite without a
        file where its campaign was begun, else in the working directory."""
        from ..config.suite import Suite, shipped

        if isinstance(suite, Suite) or str(suite) in shipped():
            begun = base_of(
                self.out or Path("runs") / (suite.name if isinstance(suite, Suite) else str(suite))
            )
            return Path(begun) if begun else Path.cwd()
        return Path(suite).resolve().parent

    def output_folder(self, suite: "Suite") -> Path:
        """Returns the folder that the run of a suite writes to."""
        return Path(self.out) if self.out is not None else Path("runs") / suite.name


def takes_run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a function with `**keywords` so that `help` and notebooks show every option by name.

    Args:
        function: A function that passes its `**keywords` to `RunOptions.changed`.

    Returns:
        The same function, with the fields of `RunOptions` as keyword-only parameters of its signature.

    Example:
        >>> @takes_run_options
        ... def run(suite, **keywords): ...
        >>> list(inspect.signature(run).parameters)[:4]
        ['suite', 'out', 'methods', 'trials']
    """
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    options = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type
        )
        for field in fields(RunOptions)
    ]
    function.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    return function


def chosen_options(options: object, keywords: Mapping[str, Any]) -> RunOptions:
    """Returns the options of a run, from an object and single ones.

    Args:
        options: A `RunOptions`, or None for the defaults.
        keywords: Options that replace those of the object.

    Returns:
        The options.

    Raises:
        TypeError: The object is another one, or a keyword names no option.

    Example:
        >>> chosen_options(None, {"trials": 4}).trials
        4
        >>> chosen_options({"trials": 4}, {})
        Traceback (most recent call last):
        TypeError: run() takes options as keywords or as RunOptions, not as {'trials': 4}
    """
    if options is not None and not isinstance(options, RunOptions):
        raise TypeError(f"run() takes options as keywords or as RunOptions, not as {options!r}")
    return (options or RunOptions()).changed(keywords)
