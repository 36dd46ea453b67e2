"""The contents beside each page, from the lists of links in docs/index.md."""

import re
from typing import Any

ROOT = "docs/index"


def add_contents(app: Any, page: str, source: list[str]) -> None:
    if page == ROOT:
        source[0] += toctrees(source[0])


def toctrees(text: str) -> str:
    found = []
    for section in text.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        links = re.findall(r"^- \[(.+?)\]\((.+?)(?:\.md|\.ipynb)\)", body, flags=re.M)
        rows = [f"{text} <{target}>" for text, target in links]
        found.append("\n".join(["", "```{toctree}", ":hidden:", f":caption: {title}", "", *rows, "```", ""]))
    return "".join(found)


def setup(app: Any) -> dict[str, Any]:
    app.connect("source-read", add_contents)
    return {"parallel_read_safe": True}
