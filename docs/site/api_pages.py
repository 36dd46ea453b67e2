"""The reference from the docstrings: pages of the modules that users and authors of plugins import."""

from importlib import import_module
from pathlib import Path
from typing import Any

import sparsebench
from template import render

INDEX = "docs/api"

# Page: title, and its modules.
PAGES = {
    "run": (
        "Train, run, export",
        "bench.training.train bench.campaign.driver bench.campaign.options bench.export.export "
        "bench.export.load",
    ),
    "records": (
        "Records",
        "records.record records.fields records.store records.pareto records.hashing",
    ),
    "methods": (
        "Protocol of a method",
        "methods.api methods.knobs methods.plan methods.net methods.masks methods.sparsity",
    ),
    "method-parts": (
        "Parts of methods",
        "methods.factors methods.storage",
    ),
    "datasets": (
        "Protocol of a dataset",
        "datasets.api datasets.assemble datasets.splits datasets.images datasets.streaming datasets.augment",
    ),
    "conformance": ("Conformance suite", "bench.conformance"),
    "suites": ("Suites and trials", "bench.config.suite bench.config.budget bench.config.trial_spec"),
    "models": (
        "Models and their files",
        "bench.models.factory bench.models.model_file",
    ),
    "measurement": (
        "Measurement",
        "bench.measurement.accuracy bench.measurement.curve bench.measurement.compression "
        "bench.measurement.prunable bench.measurement.flops bench.measurement.zero_threshold",
    ),
    "reports": (
        "From records to numbers and figures",
        "reports.analysis.boards reports.analysis.leaderboard reports.analysis.points "
        "reports.analysis.scores reports.statistics.differences reports.analysis.pairwise "
        "reports.figures.front reports.write",
    ),
    "base": ("Registry, errors, files", "registry errors method_docs"),
}


def write_pages(app: Any) -> None:
    """Writes docs/api/PAGE.md for each page. All modules are imported before autodoc looks into the first:
    it touches pydantic's BaseModel, from which no class can be derived then."""
    folder = Path(app.srcdir) / INDEX
    folder.mkdir(exist_ok=True)
    for page, (title, names) in PAGES.items():
        modules = [import_module(f"sparsebench.{name}") for name in names.split()]
        text = render("api.md", title=title, modules=modules)
        (folder / f"{page}.md").write_text(text, encoding="utf-8")


def add_names(app: Any, page: str, source: list[str]) -> None:
    """Appends the public names, with links to their descriptions, and the pages to the index."""
    if page == INDEX:
        names = [name for name in sparsebench.__all__ if not name.startswith("__")]
        items = {name: getattr(sparsebench, name) for name in names}
        source[0] += render("api_index.md", items=items, pages=PAGES)


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write_pages)
    app.connect("source-read", add_names)
    return {"parallel_read_safe": True}
