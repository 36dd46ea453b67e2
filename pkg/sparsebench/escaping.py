"""Names from records as text for terminals, Markdown, LaTeX, CSV, HTML and figures: shown, not executed."""

import html
import re
import unicodedata
from typing import Any

from .errors import printable

NOTHING = "–"
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\texttt{\char34}", "`": r"\textasciigrave{}",
    NOTHING: "--", "…": r"\ldots{}",
    "[": "{[}", "]": "{]}", "*": "{*}",  # after the end of a row they would be its options
}  # fmt: skip
MATHS = {
    "≈": "approx", "±": "pm", "×": "times", "≤": "leq", "≥": "geq", "≠": "neq", "∞": "infty", "∑": "sum",
    "∇": "nabla", "∂": "partial", "√": "surd", "∈": "in", "ℓ": "ell", "α": "alpha", "β": "beta", "γ": "gamma",
    "δ": "delta", "ε": "epsilon", "η": "eta", "θ": "theta", "κ": "kappa", "λ": "lambda", "μ": "mu", "π": "pi",
    "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "varphi", "ω": "omega", "Δ": "Delta", "Σ": "Sigma",
    "Ω": "Omega",
}  # fmt: skip
LATEX |= {"−": "$-$"} | {character: rf"$\{name}$" for character, name in MATHS.items()}
# What pdfLaTeX sets by itself, beside ASCII; the engines that read Unicode set the others too.
BEYOND_LATEX = re.compile(
    r"[^\x00-\x7f¡-ª¬-º¼-ÏÑ-Ýß-ïñ-ýÿ-ăĆ-ďĒ-ėĚ-ĥĨ-ĭİ-ķĹ-ľŁ-ňŌ-ťŨ-űŴ-ž‐-‖‘’“”†-•…‰‱※‽€№™←-↓]+"
)
FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def one_line(name: str) -> str:
    r"""Returns a name as one line of printable text.

    Args:
        name: Any text.

    Returns:
        The name with each run of white space as one space, and with what cannot be seen (control characters,
        invisible ones, changes of direction) as Python's escapes; an en dash where nothing is left.

    Example:
        >>> one_line("dwf-3\n  (rerun)"), one_line(" "), one_line("\x1b[31m")
        ('dwf-3 (rerun)', '–', '\\x1b[31m')
    """
    return printable(name) or NOTHING


def for_terminal(text: str) -> str:
    r"""Returns text of several lines without what a terminal would execute.

    Args:
        text: Text that is about to be printed.

    Returns:
        The text, with line ends and spaces as they are, and what cannot be seen as Python's escapes.

    Example:
        >>> print(for_terminal("red: \x1b[31m"))
        red: \x1b[31m
    """
    if text.isprintable():
        return text
    seen = (c if c.isprintable() or c == "\n" or unicodedata.category(c) == "Zs" else None for c in text)
    return "".join(ascii(old)[1:-1] if new is None else new for old, new in zip(text, seen, strict=True))


def escape_markdown(name: str) -> str:
    """Returns a name escaped for a cell of a Markdown table.

    Args:
        name: Any text; HTML, pipes, links, emphasis and mathematics in it are shown literally.

    Returns:
        One line of Markdown that renders as the name.

    Example:
        >>> print(escape_markdown("l1_prox|<b>"))
        l1\\_prox\\|&lt;b&gt;
    """
    escaped = one_line(name).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = re.sub(r"([\\`*_\[\]|$~])", r"\\\1", escaped)
    return escaped.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")


def escape_latex(name: str) -> str:
    r"""Returns a name escaped for LaTeX.

    Args:
        name: Any text; nothing in it is a command, starts mathematics, ends a cell or is a row's option.

    Returns:
        One line of LaTeX that is set as the name; by pdfLaTeX with the numbers of characters that it lacks.

    Example:
        >>> print(escape_latex("l1_prox & 5 %"), escape_latex("層"))
        l1\_prox \& 5 \% {\ifdefined\Umathchar 層\else U+5C64\fi}
    """
    escaped = re.sub(r".", lambda found: LATEX.get(found[0], found[0]), one_line(name))
    return BEYOND_LATEX.sub(_by_engine, escaped)


def _by_engine(found: re.Match[str]) -> str:
    numbers = " ".join(f"U+{ord(character):04X}" for character in found[0])
    return rf"{{\ifdefined\Umathchar {found[0]}\else {numbers}\fi}}"


def csv_cell(value: Any) -> Any:
    """Returns a value for a cell of a CSV file, which a spreadsheet does not take for a formula.

    Args:
        value: Any value; text that begins like a formula gets an apostrophe before it, and is one line.

    Returns:
        The text, or the value itself where it is a number or nothing.

    Example:
        >>> csv_cell("=1+1"), csv_cell(-0.5), csv_cell("dwf-3")
        ("'=1+1", -0.5, 'dwf-3')
    """
    if not isinstance(value, str) or not value:
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULAS) else text


def escape_html(name: str) -> str:
    """Returns a name escaped for HTML, in an element or a quoted attribute.

    Args:
        name: Any text.

    Returns:
        One line of HTML that renders as the name.

    Example:
        >>> escape_html("<b> & 'c'")
        '&lt;b&gt; &amp; &#x27;c&#x27;'
    """
    return html.escape(one_line(name))


def label(name: str) -> str:
    """Returns a name escaped for matplotlib, in whose text a dollar sign would start mathematics.

    Args:
        name: Any text.

    Returns:
        One line in which dollar signs are literal.

    Example:
        >>> print(label("costs $5"))
        costs \\$5
    """
    return one_line(name).replace("$", r"\$")
