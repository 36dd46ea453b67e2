"""The consoles of the commands: stdout for tables, stderr for progress, messages and reasons."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ...errors import SparsebenchError, printable
from ...escaping import for_terminal


class SafeConsole(Console):
    """A console on which text is text: square brackets are no markup, and escape sequences are shown.

    Names come from records, cards and folders of strangers. Styles are given by rich's objects; `markup=True`
    is for texts of this program alone.

    Example:
        >>> SafeConsole(width=40).print("[red]label \x1b[31m")
        [red]label \\x1b[31m
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False} | options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yields the segments of a renderable, their text without control characters."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(for_terminal(segment.text), segment.style)


PIPED_WIDTH = 160  # columns where stdout is a file or a pipe


def stdout_console(**options: Any) -> Console:
    """Returns a console on stdout: as wide as the terminal, 160 columns where stdout is a file or a pipe.

    Args:
        options: Further arguments of `rich.console.Console`.

    Returns:
        The console. It looks stdout up at each print, so redirection works.

    Example:
        >>> stdout_console(highlight=False).print("[bold]48[/] records")
        [bold]48[/] records
    """
    return SafeConsole(width=None if sys.stdout.isatty() else PIPED_WIDTH, **options)


def stderr_console(**options: Any) -> Console:
    """Returns a console on stderr, for progress and messages, so that stdout has the command's result alone.

    Args:
        options: Further arguments of `rich.console.Console`.

    Returns:
        The console, as wide as the terminal, 80 columns where there is none.

    Example:
        >>> import contextlib, io
        >>> with contextlib.redirect_stderr(io.StringIO()) as messages:
        ...     stderr_console().print("step 385 of 770")
        >>> messages.getvalue()
        'step 385 of 770\\n'
    """
    return SafeConsole(stderr=True, **options)


def print_line(console: Console, text: str) -> None:
    """Prints text verbatim: no markup, no highlighting, no wrapping.

    Args:
        console: The console to print on.
        text: One line; square brackets in it, as in the name of a layer, are printed and not read as markup.

    Example:
        >>> print_line(stdout_console(), "layer [red] was not pruned")
        layer [red] was not pruned
    """
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def print_json(text: str) -> None:
    r"""Prints JSON on stdout; what a terminal would execute or hide is escaped as JSON has it.

    Args:
        text: A document of JSON.

    Example:
        >>> print_json('{"entry": "\x9b2J é"}')
        {"entry": "\u009b2J é"}
    """
    print("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def print_reasons(reasons: Iterable[str]) -> None:
    """Prints each reason against something as a line on stderr.

    Args:
        reasons: The reasons.

    Example:
        >>> print_reasons([])
    """
    for reason in reasons:
        print(printable(reason), file=sys.stderr)


@contextmanager
def reasons_of_refusal() -> Iterator[None]:
    """Prints each reason of a refusal of results on stderr, and raises what sums them up.

    Yields:
        Nothing: the block may refuse results.

    Raises:
        SparsebenchError: The results were refused.

    Example:
        >>> from sparsebench.bench.exchange.pack import IncompatibleResults
        >>> with reasons_of_refusal():
        ...     raise IncompatibleResults("the results are not comparable", [])
        Traceback (most recent call last):
        sparsebench.errors.SparsebenchError: the results are not comparable
    """
    from ..exchange.pack import IncompatibleResults

    try:
        yield
    except IncompatibleResults as refused:
        print_reasons(refused.reasons)
        raise SparsebenchError(str(refused)) from None
