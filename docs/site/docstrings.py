"""Docstrings as reStructuredText: theirs are plain text, in which backticks alone are markup."""

import re
from typing import Any

CODE_OR_MARK = re.compile(r"(`[^`]*`)|([\\*|]|_(?!\w))")
EXAMPLE = re.compile(r"(^[ ]*>>> .*\n(?:[ ]*\S.*\n)*)", flags=re.M)


def escape(text: str) -> str:
    """The text with what would be markup escaped, such as |w| and *args; code and examples as they are."""
    parts = EXAMPLE.split(text)
    return "".join(part if number % 2 else CODE_OR_MARK.sub(mark, part) for number, part in enumerate(parts))


def mark(found: re.Match[str]) -> str:
    return f"`{found[1]}`" if found[1] else "\\" + found[2]


def process(app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    lines[:] = escape("\n".join([*lines, ""])).split("\n")
    if what in ("attribute", "property"):
        lines.insert(0, "")  # napoleon would take what is before a colon for the type


def setup(app: Any) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", process, priority=100)  # before napoleon's sections
    return {"parallel_read_safe": True}
