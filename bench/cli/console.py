"""Where commands print: tables on stdout, sentences on stderr, both without guessing at colours in names."""

import sys
from typing import Any

from rich.console import Console

PIPED_WIDTH = 160  # columns where stdout is a file or a pipe


def stdout_console(**options: Any) -> Console:
    """A console on stdout: as wide as the terminal, 160 columns elsewhere."""
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, **options)


def stderr_console(**options: Any) -> Console:
    """A console on stderr, for progress and for sentences beside a command's output."""
    return Console(stderr=True, **options)


def print_line(console: Console, text: str) -> None:
    """Prints text as it stands: no markup, no highlighting, no wrapping."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)
