"""Templates, and what they may do: every value is escaped, and data cannot leave their script. No torch."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..formatting import one_line

HERE = Path(__file__).parent
# plotly.min.js is the bundle that npm has as plotly.js-basic-dist-min 4.1.1 (MIT, its licence beside it),
# unchanged. The Python package has the full library alone: four times as large, for maps, 3-D and
# WebGL, and most of what a page took to load.
ASSETS = ("style.css", "table.js", "front.js", "plotly.min.js", "plotly.LICENSE")


def render(template: str, **values: Any) -> str:
    """A page. Every value is escaped as text, and data by jinja's `tojson`. Errors: a number JSON has not."""
    return _environment().get_template(template).render(**values)


def assets() -> dict[str, str]:
    """The files beside the pages, by name."""
    return {name: (HERE / "assets" / name).read_text(encoding="utf-8") for name in ASSETS}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["one_line"] = one_line
    environment.policies["json.dumps_kwargs"] = {
        "allow_nan": False,
        "ensure_ascii": False,
        "separators": (",", ":"),
    }
    return environment
