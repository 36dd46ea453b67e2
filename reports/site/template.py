"""The templates' environment: every value is escaped, and JSON data cannot end its script tag. No torch."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..formatting import one_line

HERE = Path(__file__).parent
# plotly.min.js is the bundle that npm has as plotly.js-basic-dist-min 4.1.1 (MIT, its licence beside it),
# unchanged. The Python package has the full library alone: four times as large, for maps, 3-D and
# WebGL, and most of what a page took to load.
ASSETS = (
    "style.css", "data.js", "table.js", "front.js", "latency.js", "plotly.min.js", "plotly.LICENSE",
)  # fmt: skip
JSON: dict[str, Any] = {"allow_nan": False, "ensure_ascii": False, "separators": (",", ":")}


def render(template: str, **values: Any) -> str:
    """Renders a page. Values are escaped as text, data by jinja's `tojson`.

    Args:
        template: The file's name in `templates`.
        **values: The template's variables; one that is missing is an error, not an empty text.

    Returns:
        The HTML document.

    Raises:
        ValueError: If a number in the data is NaN or infinite, which JSON does not have.
        jinja2.UndefinedError: If the template uses a variable that is not given.

    Example:
        >>> [line for line in render("base.html", title="<dwf>").splitlines() if "<title>" in line]
        ['<title>&lt;dwf&gt; · sparsebench</title>']
    """
    return _environment().get_template(template).render(**values)


def assets() -> dict[str, str]:
    """Returns the files that pages load from beside them: style sheet, scripts and plotly's licence.

    Returns:
        Their contents by name.

    Example:
        >>> list(assets())
        ['style.css', 'data.js', 'table.js', 'front.js', 'latency.js', 'plotly.min.js', 'plotly.LICENSE']
    """
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
    environment.policies["json.dumps_kwargs"] = JSON
    return environment
