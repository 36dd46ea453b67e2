"""A page for each method, from the registry: equation, knobs, reference, class, fronts on our studies."""

import os
import re
from pathlib import Path
from typing import Any

from sparsebench.bench.config.method_docs import describe_method
from sparsebench.bench.config.suite import load_suite, shipped
from sparsebench.methods.api import registry
from studies import Study, draw_front, studies
from template import render

INDEX = "docs/methods"
LINKS = {"arXiv:": "https://arxiv.org/abs/", "doi:": "https://doi.org/"}
SCALES = {
    None: "",
    "linear": "",
    "log": ", log-uniform",
    "minus_log": ", log-uniform in −value",
    "density": ", log-uniform in the compression",
}
RECIPE = {"lr": "peak learning rate of the recipe", "weight_decay": "weight decay of the recipe"}
SECTION = re.compile(r"(Args|Attributes|Example):$")
CODE_OR_MARK = re.compile(r"(`[^`]*`)|([\\*_\[\]|$~<>])")


def text(words: str) -> str:
    """Words of a docstring as Markdown: backticks are code, nothing else is markup."""
    return CODE_OR_MARK.sub(lambda found: found[1] or "\\" + found[2], words)


def reference(words: str) -> str:
    """A reference as a link to the paper, where it has an address."""
    prefix = next((p for p in LINKS if words.startswith(p)), None)
    return f"[{words}]({LINKS[prefix]}{words.removeprefix(prefix)})" if prefix else text(words)


def span(bounds: list[float | None] | None) -> str:
    """A range as `low … high`, `≥ low` or `≤ high`."""
    low, high = bounds or [None, None]
    if low is None or high is None:
        return "any" if low == high else f"≥ {low:g}" if high is None else f"≤ {high:g}"
    return f"{low:g} … {high:g}" if low < high else f"{low:g}"


def value(setting: Any) -> str:
    return f"{setting:g}" if isinstance(setting, float) else str(setting)


def knob_rows(method: str) -> list[dict[str, str]]:
    """The rows of the table of knobs, the method's own first, then the recipe's as the method uses them."""
    found = []
    for knob in describe_method(method)["knobs"]:
        found.append(
            {
                "name": knob["name"],
                "default": value(knob["default"]),
                "searched": span(knob["searched"]) + SCALES[knob["scale"]] if knob["searched"] else "–",
                "allowed": ", ".join(map(value, knob["choices"])) or span(knob["allowed"]),
                "meaning": text(knob["doc"] or RECIPE[knob["name"]]),
            }
        )
    return found


def entries_of(method: str) -> list[dict[str, Any]]:
    """How the included suites configure a method: each label, what it fixes or searches, and the suites."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in shipped():
        for entry in load_suite(name).entries:
            if entry.method == method:
                settings = ", ".join(f"{key} = {setting(v)}" for key, v in entry.knobs.items())
                found.setdefault((entry.label, settings), []).append(name)
    return [
        {"label": label, "settings": s, "suites": ["all"] if len(suites) == len(shipped()) else suites}
        for (label, s), suites in found.items()
    ]


def setting(given: Any) -> str:
    return span([given["low"], given["high"]]) if isinstance(given, dict) else value(given)


def fronts_of(method: str, found: list[Study], folder: Path) -> list[dict[str, str]]:
    """The pictures of a method's fronts, drawn into the folder, each with the page of its study."""
    shown = [study for study in found if study.entries_of(method)]
    drawn = [
        draw_front(s, method, folder / f"{method}-{s.archive.parent.name}-{s.board.task}.svg") for s in shown
    ]
    return [
        {"picture": path.name, "study": study.archive.parent.name, "page": study_page(study.archive, folder)}
        for path, study in zip(drawn, shown, strict=True)
    ]


def study_page(archive: Path, folder: Path) -> str:
    """The page that describes a study: the nearest README.md, beside its archive or above it."""
    page = next(place / "README.md" for place in archive.parents if (place / "README.md").is_file())
    return os.path.relpath(page, folder)


def write_pages(app: Any) -> None:
    """Writes docs/methods/NAME.md for each method, and its pictures."""
    folder = Path(app.srcdir) / INDEX
    folder.mkdir(exist_ok=True)
    found = list(studies(Path(app.srcdir) / "reports" / "results"))
    for name, cls in registry.items():
        equation, *paragraphs = describe_method(name)["doc"].split("\n\n")
        page = render(
            "method.md",
            name=name, cls=cls, equation=text(equation), paragraphs=[text(p) for p in paragraphs],
            reference=reference(cls.reference), knobs=knob_rows(name), budget=cls.decay_budget,
            entries=entries_of(name), fronts=fronts_of(name, found, folder),
        )  # fmt: skip
        (folder / f"{name}.md").write_text(page, encoding="utf-8")


def add_list(app: Any, page: str, source: list[str]) -> None:
    """Appends the list of methods, with links to their pages."""
    if page == INDEX:
        rows = [
            {
                "name": name,
                "equation": text(describe_method(name)["doc"].split("\n\n")[0]),
                "reference": reference(cls.reference),
            }
            for name, cls in registry.items()
        ]
        source[0] += render("methods_index.md", methods=rows)


def leave_out_prose(app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    """Leaves the sections of a method's docstring: what is before them opens its page."""
    if item in registry.values():
        while lines and not SECTION.match(lines[0]):
            del lines[0]


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write_pages)
    app.connect("source-read", add_list)
    app.connect("autodoc-process-docstring", leave_out_prose, priority=90)
    return {"parallel_read_safe": True}
