"""Templates, and what they may do: every value is escaped, and data cannot leave their script. No torch."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..text import plain

HERE = Path(__file__).parent
ASSETS = ("style.css", "table.js", "front.js")


def render(template: str, **values: Any) -> str:
    """A page. Every value is escaped as text, and data by jinja's `tojson`. Errors: a number JSON has not."""
    return _environment().get_template(template).render(**values)


def assets() -> dict[str, str]:
    """The files beside the pages, by name."""
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped, unused-ignore]

    own = {name: (HERE / "assets" / name).read_text(encoding="utf-8") for name in ASSETS}
    return {**own, "plotly.min.js": get_plotlyjs()}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    environment.policies["json.dumps_kwargs"] = {
        "allow_nan": False,
        "ensure_ascii": False,
        "separators": (",", ":"),
    }
    return environment
