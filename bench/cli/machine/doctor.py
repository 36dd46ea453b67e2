"""`sparsebench doctor`: prints what this machine has, what is missing, and how to get it."""

from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel
from rich.table import Table
from rich.text import Text

from ..console import print_json, stdout_console
from .checks import (
    Check,
    Mark,
    check_datasets,
    check_devices,
    check_disk,
    check_studies,
    check_tracking,
    check_versions,
)

SIGNS = {"ok": ("✓", "green"), "note": ("–", "dim"), "warning": ("!", "yellow"), "missing": ("✗", "red")}


class Diagnosis(BaseModel):
    """The results of all checks.

    Attributes:
        possible: Whether runs are possible: no check is `missing`.
        checks: The checks, in the order of their groups.

    Example:
        >>> check = Check(group="devices", name="cpu", mark="ok", found="8 cores usable")
        >>> print(Diagnosis(possible=True, checks=[check]).model_dump_json())
        {"possible":true,"checks":[{"group":"devices","name":"cpu","mark":"ok","found":"8 cores usable",...}]}
    """

    possible: bool
    checks: list[Check]


def examine(
    data: Path | None = None,
    tracking_uri: str | None = None,
    storage: str | None = None,
    out: Path | None = None,
) -> Diagnosis:
    """Runs all checks. Nothing is downloaded, trained or written; a server is given up after 4 seconds.

    Args:
        data: Folder of the datasets; None for SPARSEBENCH_DATA, else the cache folder.
        tracking_uri: MLflow's server or database; None for a database in `out`.
        storage: Optuna's database as a URL; None for a database in `out`.
        out: The output folder of runs to come; None for `runs`.

    Returns:
        The diagnosis.

    Example:
        >>> list(dict.fromkeys(check.group for check in examine().checks))
        ['versions', 'devices', 'data', 'tracking', 'disk']
    """
    folder = out or Path("runs")
    looks: list[Callable[[], Iterator[Check]]] = [
        check_versions,
        check_devices,
        lambda: check_datasets(data),
        lambda: check_tracking(tracking_uri, folder),
        lambda: check_studies(storage, folder),
        lambda: check_disk(folder),
    ]
    checks = [check for look in looks for check in look()]
    return Diagnosis(possible=all(check.mark != "missing" for check in checks), checks=checks)


def print_diagnosis(found: Diagnosis, *, as_json: bool = False) -> None:
    """Prints a diagnosis: a table of the checks, the advice below it, and whether runs are possible.

    Args:
        found: The diagnosis.
        as_json: Print it as JSON.

    Example:
        >>> check = Check(group="disk", name="output", mark="missing", found="0 GB free", advice="make room")
        >>> print_diagnosis(Diagnosis(possible=False, checks=[check]))
        disk  ✗  output  0 GB free
        <BLANKLINE>
        ✗ output: make room
        <BLANKLINE>
        runs are not possible yet: see ✗
    """
    if as_json:
        print_json(found.model_dump_json(indent=1))
        return
    console = stdout_console(highlight=False)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for _ in range(4):
        table.add_column(overflow="fold")
    group = ""
    for check in found.checks:
        sign, style = SIGNS[check.mark]
        title = Text(check.group if check.group != group else "", "bold")
        table.add_row(title, Text(sign, style), check.name, Text(check.found))
        group = check.group
    console.print(table)
    remedies: dict[tuple[Mark, str], list[str]] = {}
    for check in found.checks:
        if check.advice:
            remedies.setdefault((check.mark, check.advice), []).append(check.name)
    if remedies:
        console.print()
    for (mark, advice), names in remedies.items():
        sign, style = SIGNS[mark]
        console.print(Text.assemble((sign, style), f" {', '.join(names)}: {advice}"), soft_wrap=True)
    verdict = "runs are possible" if found.possible else "runs are not possible yet: see ✗"
    console.print(Text(f"\n{verdict}", "bold"))
