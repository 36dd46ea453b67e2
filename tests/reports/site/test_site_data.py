"""What pages load when they need it: it is whole, and the overview stays small without it."""

from pathlib import Path

from site_data import given
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.site import write_site
from synthetic_records import confirm


def test_the_index_does_not_grow_with_entries(tmp_path: Path) -> None:
    def sizes(count: int) -> dict[str, int]:
        names = [f"m{i:03}" for i in range(count)]
        made = [confirm("dense", "d", s, 0.95, 1.0, dataset=d) for s in (1, 2) for d in ("a", "b")]
        made += [
            confirm(name, "a", s, 0.9 - 0.001 * i - 0.0001 * s * (i % 7), 9.0, dataset=d)
            for i, name in enumerate(names) for s in (1, 2) for d in ("a", "b")
        ]  # fmt: skip
        site = write_site(tmp_path / str(count), boards(made))[0].parent
        assert given(site / "data-rows-task-a-net.js")["rows"].count("<tr") == count + 1
        assert len(given(site / "data-pairs-task-b-net.js")["pairs"]) > count
        return {path.name: path.stat().st_size for path in site.iterdir()}

    few, many = sizes(4), sizes(60)
    for name in ("index.html", "task-a-net.html"):
        grown = 56 * (0 if name == "index.html" else 4000)  # a task's page has its own leaderboard
        assert many[name] - few[name] <= grown + 20
    assert many["index.html"] < 30_000
