"""The commands that look things up: what there is, how a run fares, what this machine lacks."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import (
    AsJson,
    DataRoot,
    OutFolder,
    Plugins,
    Storage,
    Tracking,
)


def list_(
    kind: Annotated[str, typer.Argument(help="What to list: methods, datasets, models or suites.")],
    pattern: Annotated[str, typer.Argument(help="Only names that match, such as '*vit*tiny*'.")] = "",
    json: AsJson = False,
    plugin: Plugins = None,
) -> None:
    """List the available methods, datasets, models or suites."""
    from .. import catalogue

    catalogue.print_list(kind, pattern, as_json=json, plugins=plugin or [])


def show(
    method: Annotated[str, typer.Argument(help="Name of the method.")],
    json: AsJson = False,
    plugin: Plugins = None,
) -> None:
    """Show a method: equation, knobs with their ranges, and reference."""
    from .. import catalogue

    catalogue.print_method(method, as_json=json, plugins=plugin or [])


def status(folder: OutFolder, json: AsJson = False) -> None:
    """Show the progress of a run, its running trials and its failures; during the run and after it."""
    from ..status import print_status

    print_status(folder, as_json=json)


def doctor(
    data: DataRoot = None,
    tracking_uri: Tracking = None,
    storage: Storage = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder of future runs.", show_default="runs")
    ] = None,
    json: AsJson = False,
) -> None:
    """Check devices, versions, datasets, databases and disk; print what is missing and how to get it."""
    from ..machine.doctor import examine, print_diagnosis

    found = examine(data, tracking_uri, storage, out)
    print_diagnosis(found, as_json=json)
    raise typer.Exit(0 if found.possible else 1)
