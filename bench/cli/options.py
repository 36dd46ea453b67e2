"""The options that several commands share or that need many words, and the parsing of `name=value`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...errors import SparsebenchError, printable
from ...parsing import check_values
from ..config.trial_spec import COMPRESSIONS

if TYPE_CHECKING:
    from ..verification.verify import Place

Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="Python file that registers methods, datasets or models; repeatable."),
]

DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Folder of the datasets.",
        show_default="SPARSEBENCH_DATA, else ~/.cache/sparsebench/data",
    ),
]

Devices = Annotated[
    str | None,
    typer.Option(
        help="Devices: cuda:0,cuda:2, or cpu:4 for four trials at once; with ray cpu or cuda.",
        show_default="all GPUs, else one trial per CPU core",
    ),
]

Address = Annotated[
    str | None,
    typer.Option(
        help="Address of Ray's head node: host:6379, or auto.",
        show_default="RAY_ADDRESS, else Ray is started on this machine",
    ),
]

Trials = Annotated[
    int | None, typer.Option(help="Search trials per entry and task.", show_default="the suite's")
]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the trials and the estimated time; run nothing.")
]

TrialDevice = Annotated[
    str | None, typer.Option(help="Device: cpu, or cuda:0.", show_default="the first GPU, else cpu")
]

Seeds = Annotated[
    int | None, typer.Option(help="New seeds per confirmed training.", show_default="the suite's")
]

Searches = Annotated[
    int | None, typer.Option(help="Independent searches per entry and task.", show_default="the suite's")
]

Compressions = Annotated[
    str | None, typer.Option(help="Compressions to measure at, as 4,16,64.", show_default="2, 4, 8, … 512")
]

Granularity = Annotated[
    Literal["weights", "channels"],
    typer.Option(
        help="What is removed to get to a compression, and what that counts: see docs/leaderboard.md."
    ),
]

KeepDense = Annotated[
    list[str] | None,
    typer.Option(help="Name or pattern (blocks.0.*) of layers that are not pruned; repeatable."),
]

Extend = Annotated[
    bool,
    typer.Option(
        "--extend", help="Continue a run whose suite has gained entries, tasks, trials, seeds or searches."
    ),
]

Tracking = Annotated[
    str | None,
    typer.Option(
        help="URI of MLflow's server or database.",
        show_default="MLFLOW_TRACKING_URI, else <folder>/mlflow.db",
    ),
]

Storage = Annotated[
    str | None, typer.Option(help="URL of Optuna's database.", show_default="<folder>/optuna.db")
]

DataArgs = Annotated[
    list[str] | None, typer.Option(help="name=value for an argument of the dataset; repeatable.")
]

ModelArgs = Annotated[
    list[str] | None, typer.Option(help="name=value for an argument of the model; repeatable.")
]

Threads = Annotated[
    int, typer.Option(min=1, help="CPU threads; another number can change the last bits of results.")
]

MeasureLatency = Annotated[
    bool | None,
    typer.Option(
        "--latency/--no-latency",
        help="End with a short measurement of the models' latency, ten seconds at most.",
        show_default="yes, unless SPARSEBENCH_LATENCY=0",
    ),
]

OutFolder = Annotated[Path, typer.Argument(help="Output folder of a run.")]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def parse_pairs(words: Sequence[str], option: str) -> dict[str, str]:
    """Returns `name=value` arguments as a dictionary of strings.

    Args:
        words: The arguments; of two with the same name the last one holds.
        option: The option that they were given with, for the message.

    Returns:
        The values by name, as they were written. Only the first `=` separates.

    Raises:
        SparsebenchError: An argument without a name or without `=`, or not in the terminal's encoding.

    Example:
        >>> parse_pairs(["lr=0.5", "depth=3"], "--set")
        {'lr': '0.5', 'depth': '3'}
    """
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise SparsebenchError(f"{option} {word!r}: write name=value")
        found[name] = value
    check_values(found, option)
    return found


def parse_names(text: str, option: str) -> list[str]:
    """Returns the names in a comma-separated argument.

    Args:
        text: The argument, such as `a,b`; spaces around the commas do not count.
        option: The option that it was given with, for the message.

    Returns:
        The names, in the order given.

    Raises:
        SparsebenchError: An empty name, as in `a,,b`.

    Example:
        >>> parse_names("dense, dwf-3", "--methods")
        ['dense', 'dwf-3']
    """
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise SparsebenchError(f"{option} {text!r} has an empty name: write them as a,b")
    return found


def parse_compressions(text: str | None) -> tuple[float, ...]:
    """Returns the compressions in a comma-separated argument.

    Args:
        text: The argument, such as `4,16,64`; None where it was not given.

    Returns:
        The numbers in the order given; those that suites have by default for None.

    Raises:
        SparsebenchError: A word is no number.

    Example:
        >>> parse_compressions("4, 16,64")
        (4.0, 16.0, 64.0)
    """
    if text is None:
        return COMPRESSIONS
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise SparsebenchError(f"--compressions {text!r}: write numbers as 4,16,64") from None


def parse_values(words: Sequence[str], option: str) -> dict[str, Any]:
    """Returns `name=value` arguments as a dictionary of Python values.

    A method's knobs declare their types and convert strings themselves, so `parse_pairs` is enough for them.
    The arguments of models and datasets do not: here every value that is JSON is decoded.

    Args:
        words: The arguments, as for `parse_pairs`.
        option: The option that they were given with, for the message.

    Returns:
        The values by name: numbers, booleans (also `True` and `False`), null, lists; else the string.

    Raises:
        SparsebenchError: An argument without `=`, or a number that is not finite.

    Example:
        >>> parse_values(["patch_size=4", "pretrained=true", "act_layer=gelu"], "--model-arg")
        {'patch_size': 4, 'pretrained': True, 'act_layer': 'gelu'}
    """

    def value(text: str) -> Any:
        try:
            found = json.loads(text)
        except RecursionError:
            raise SparsebenchError(f"{option}: a value is nested too deeply") from None
        except ValueError:
            found = {"True": True, "False": False}.get(text, text)
        check_values(found, f"{option} {printable(text, 60)}")
        return found

    return {name: value(text) for name, text in parse_pairs(words, option).items()}


def place_of(
    data: Path | None, data_arg: Sequence[str] | None, device: str | None, plugins: Sequence[Path] | None
) -> "Place":
    """Returns where models are verified, after the plugins were imported.

    Args:
        data: Folder of the datasets; None for the default.
        data_arg: Arguments of the dataset in place of those recorded, as `name=value`.
        device: The device; None for the first GPU, else the CPU.
        plugins: Files that register datasets and models.

    Returns:
        The place.

    Raises:
        SparsebenchError: A plugin cannot be imported, or this machine does not have the device.

    Example:
        >>> place_of(None, ["path=mine"], "cpu", None).data_args
        {'path': 'mine'}
    """
    from ..system.devices import check_device
    from ..system.isolation.plugins import load_plugins
    from ..verification.verify import Place

    load_plugins(plugins or [])
    return Place(data, parse_values(data_arg or [], "--data-arg"), check_device(device))
