"""The table at equal trainings per cell, worked out by hand; and that LaTeX sets the table of a paper."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from measured_records import measured_campaign
from sparsebench.records.record import Record
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.tables.equal_trainings import equal_trainings, said, texts
from sparsebench.reports.tables.latex import to_latex
from sparsebench.reports.tables.markdown import to_markdown
from synthetic_records import campaign, record


def trained(entry: str, number: int, aim: float, at_4: float, at_64: float, **more: Any) -> Record:
    points = [
        {"at": c, "val_accuracy": a, "nonzeros": 9, "cut": True}
        for c, a in ((1, 0.9), (4, at_4), (64, at_64))
    ]
    return record(
        entry=entry, method=entry, phase="search", trial=number, seed=number, config=f"{entry}{number}",
        compressions=(4.0, 64.0), aim=aim, at_compressions=points, val_accuracy=0.9, compression=1.0,
        id=f"{entry}-{number}-{more.get('replicate', 0)}", **more,
    )  # fmt: skip


def test_only_trainings_of_the_first_search_that_aimed_at_a_cell_count() -> None:
    made = [
        # A penalty: what aims at 4 is best at 64, which does not count; of its three at 4 two count.
        trained("l1", 0, 4, 0.80, 0.99), trained("l1", 1, 64, 0.97, 0.30), trained("l1", 2, 4, 0.70, 0.1),
        trained("l1", 3, 4, 0.95, 0.1), trained("l1", 4, 4, 0.99, 0.99, replicate=1),
        # A method with a target: two at 4, one of which diverged, one at 64.
        trained("gmp", 0, 4, 0.60, 0.2, target=4.0), trained("gmp", 1, 64, 0.5, 0.40, target=64.0),
        record(entry="gmp", method="gmp", phase="search", trial=2, seed=2, config="g2", aim=4,
               compressions=(4.0, 64.0), status="diverged", val_accuracy=0.1, compression=1.0, id="gmp-2",
               target=4.0),
        trained("dense", 0, 1, 0.99, 0.99),
    ]  # fmt: skip
    found = equal_trainings(boards(made)[0])
    assert found is not None
    assert found.trainings == {4.0: 2, 64.0: 1}
    assert found.accuracies == {"l1": {4.0: 0.80, 64.0: 0.30}, "gmp": {4.0: 0.60, 64.0: 0.40}}
    assert "(1 to 2 a cell)" in said(found)
    assert sorted(texts(found)) == [["gmp", "60.0", "40.0"], ["l1", "80.0", "30.0"]]


def test_the_page_has_it_and_that_of_older_records_does_not() -> None:
    page = to_markdown(boards(measured_campaign()))
    assert "| entry | val@4 | val@16 | val@64 | val@256 |" in page and "At equal trainings per cell" in page
    assert "95% t-intervals over seeds" in page
    assert "over searches:" in to_markdown(boards(measured_campaign(searches=2, seeds=1, trials=4)))
    old = to_markdown(boards(campaign({"dense": 9.0, "l1": 1.6}, {"toy": (0.1, 0.95)}, trials=4)))
    assert "equal trainings" not in old and "| rank | entry | hypervolume | acc@2 |" in old


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_sets_the_table(tmp_path: Path) -> None:
    body = to_latex(boards(measured_campaign()))
    lead = "\\documentclass{article}\\usepackage[utf8]{inputenc}\\usepackage{booktabs,graphicx}"
    (tmp_path / "paper.tex").write_text(f"{lead}\\begin{{document}}{body}\\end{{document}}", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
