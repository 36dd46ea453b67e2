"""The commands of boards: repositories of results, to which archives are submitted."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import DataArgs, DataRoot, Plugins, TrialDevice, place_of

board = typer.Typer(
    help="Keep a board: a repository of results, to which others submit archives.", no_args_is_help=True
)

BoardFolder = Annotated[Path, typer.Argument(help="Folder of the board.")]
Archive = Annotated[Path, typer.Argument(help="Archive made by `pack`, best with --models.")]
By = Annotated[
    str | None, typer.Option(help="Who submits the results.", show_default="the name that git commits with")
]


@board.command()
def init(
    folder: Annotated[Path, typer.Argument(help="New folder of the board.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the board.", show_default="that of the folder")
    ] = None,
    suite: Annotated[
        list[str] | None, typer.Option(help="Suite to freeze: a shipped one or a TOML file; repeatable.")
    ] = None,
    requirement: Annotated[
        str | None,
        typer.Option(help="What pip installs to check submissions.", show_default="this version"),
    ] = None,
) -> None:
    """Make a board: its files, frozen suites, rules, and workflows for GitHub Actions."""
    from ..board import print_init

    print_init(folder, name, suite or (), requirement)


@board.command()
def add(
    archive: Archive,
    folder: BoardFolder = Path(),
    by: By = None,
    data: DataRoot = None,
    data_arg: DataArgs = None,
    device: TrialDevice = None,
    plugin: Plugins = None,
) -> None:
    """Verify an archive and add its results to a board, a submission for each task."""
    from ..board import print_add

    print_add(archive, folder, by, place_of(data, data_arg, device, plugin))


@board.command()
def check(
    folder: BoardFolder = Path(),
    since: Annotated[
        str | None, typer.Option(help="Check what was added since this commit.", show_default="all")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Markdown file for the rows that change.")] = None,
    data: DataRoot = None,
    data_arg: DataArgs = None,
    device: TrialDevice = None,
    plugin: Plugins = None,
) -> None:
    """Verify the submissions of a board, and compare them with it: what continuous integration runs."""
    from ..board import print_check

    if not print_check(folder, since, report, place_of(data, data_arg, device, plugin)):
        raise typer.Exit(1)


@board.command()
def build(
    folder: BoardFolder = Path(),
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pages.", show_default="FOLDER/public")
    ] = None,
) -> None:
    """Build the pages of a board: an index, and leaderboard, figures and site of each task."""
    from ..board import print_build

    print_build(folder, out or folder / "public")


def submit(
    archive: Archive,
    to: Annotated[str, typer.Option(help="Repository of the board, or your fork of it: address or path.")],
    clone: Annotated[
        Path | None, typer.Option(help="New folder for the clone.", show_default="<archive>-board")
    ] = None,
    by: By = None,
    data: DataRoot = None,
    data_arg: DataArgs = None,
    device: TrialDevice = None,
    plugin: Plugins = None,
) -> None:
    """Prepare the branch that submits an archive to a board; print the lines that open the pull request."""
    from ..board import print_submit

    print_submit(archive, to, clone, by, place_of(data, data_arg, device, plugin))
