"""The command line: its commands in the order of the help, and how an error ends it."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from ...errors import SparsebenchError, printable
from ...gc_pause import skip_last_collection
from ..system.interrupts import Stopped, end_at_once
from .commands import boards, lookup, results, sharing, training

app = typer.Typer(
    name="sparsebench",
    help="Compare sparsification methods for neural networks: same recipe, same budget, same measures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"sparsebench {installed('sparsebench')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.Exit(2)


COMMANDS: dict[str, Callable[..., None]] = {
    "run": training.run,
    "train": training.train,
    "list": lookup.list_,
    "show": lookup.show,
    "report": results.report,
    "status": lookup.status,
    "doctor": lookup.doctor,
    "track": results.track,
    "export": results.export,
    "latency": results.latency,
    "pack": sharing.pack,
    "merge": sharing.merge,
    "verify": sharing.verify,
    "submit": boards.submit,
    "ui": results.ui,
}
for _name, _command in COMMANDS.items():
    app.command(name=_name)(_command)
app.add_typer(boards.board, name="board")


def main() -> None:
    """Runs the command line; an error is one sentence on stderr.

    Exit status: 2 for an error that the user can correct, 130 for Ctrl-C, 1 for all others.
    """
    try:
        app()
    except SparsebenchError as error:
        _complain(str(error))
        sys.exit(error.exit_status)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _complain(f"{error.strerror or error}{where}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Stopped as end:
        end_at_once(int(end.code or 0))
    finally:
        skip_last_collection()


def _complain(message: str) -> None:
    print(f"error: {printable(message)}", file=sys.stderr)
