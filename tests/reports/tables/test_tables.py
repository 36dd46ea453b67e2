"""Tables for papers and programs: LaTeX, the pairs, intervals in CSV and JSON."""

import csv
import io
import json
import re

import pytest
from sparsebench.escaping import escape_latex
from sparsebench.records.record import Record
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.analysis.pairwise import compare_pairs
from sparsebench.reports.tables import notes
from sparsebench.reports.tables.csv_json import pairs_csv, to_csv, to_json
from sparsebench.reports.tables.latex import to_latex
from sparsebench.reports.tables.markdown import to_markdown
from synthetic_records import NINE, campaign, confirm

NASTY = (r"\input{/etc/passwd}", "a & b", "100 %", "x_1^2", "{", "$y$", "#1", "~", '"q"', "<b>", "a\\\\ b")


@pytest.fixture(scope="module")
def six() -> list[Record]:
    some = {name: NINE[name] for name in ("dense", "random", "l1", "dwf-3")}
    return campaign(some, {f"toy{i}": (0.1, 0.95) for i in range(6)}, trials=5, seeds=3)


def nasty() -> list[Record]:
    records = [confirm("dense", "d", s, 0.9, 1.0) for s in (1, 2)]
    for number, name in enumerate(NASTY):
        records += [confirm(name, "a", s, 0.8, 5.0 + number, method="l1") for s in (1, 2)]
    return records


def rows_of(table: str) -> list[list[str]]:
    """The cells of the body of one tabular."""
    body = table.split(r"\midrule")[1].split(r"\bottomrule")[0]
    lines = [line.removesuffix(r" \\") for line in body.strip().splitlines()]
    return [re.split(r"(?<!\\) & ", line) for line in lines]


def test_latex_has_one_whole_table_a_task_and_one_over_tasks(six: list[Record]) -> None:
    text = to_latex(boards(six))
    tables = text.split(r"\begin{table}")[1:]
    assert len(tables) == 7 == text.count(r"\end{table}") == text.count(r"\end{tabular}")
    for table in tables[:6]:
        spec = re.search(r"\\begin\{tabular\}\{(\w+)\}", table)
        assert spec is not None
        assert {len(row) for row in rows_of(table)} == {len(spec[1])}
        assert [row[1] for row in rows_of(table)][-1] == "dense"
    assert all(rule in tables[0] for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert r"\textbf{dwf-3}" in tables[0] and r"$\pm$" in tables[0] and "not distinguishable" in tables[0]
    assert "Friedman" in tables[6] and len(rows_of(tables[6])) == 3
    assert len(set(re.findall(r"\\label\{(.*?)\}", text))) == 7


def test_names_cannot_break_the_latex() -> None:
    text = to_latex(boards(nasty()))
    assert len({len(row) for row in rows_of(text)}) == 1 and len(rows_of(text)) == len(NASTY) + 1
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    assert r"\input" not in text and "passwd" in text
    kept = re.sub(r"\\[$&#%_]", "", text)
    assert kept.count("$") % 2 == 0 and "#" not in kept and "_" not in kept


def test_what_latex_cannot_set_is_written_out() -> None:
    assert escape_latex("a_b & 5 % of $x^2$") == r"a\_b \& 5 \% of \$x\textasciicircum{}2\$"
    assert escape_latex("\\") == r"\textbackslash{}" and escape_latex("≈2 ± 3") == r"$\approx$2 $\pm$ 3"


def test_pairs_csv_gives_the_pairs_back(six: list[Record]) -> None:
    found = boards(six)
    lines = list(csv.DictReader(io.StringIO(pairs_csv(found))))
    expected = [pair for board in found for pair in compare_pairs(board)]
    assert len(lines) == len(expected) == 6 * 3
    for line, pair in zip(lines, expected, strict=True):
        assert (line["first"], line["second"], line["kind"]) == (pair.first, pair.second, "paired")
        assert float(line["difference_low"]) == pair.interval.low
        assert float(line["p_holm"]) == pair.p_holm and line["verdict"] == pair.verdict


def test_every_number_of_the_csv_has_its_ends(six: list[Record]) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(boards(six)))))
    stems = [name.removesuffix("_low") for name in lines[0] if name.endswith("_low")]
    assert {"hypervolume", "accuracy_at_64", "within_5_points", "speedup", "training_flops_ratio"} <= set(
        stems
    )
    for line in lines:
        for stem in (s for s in stems if line[f"{s}_low"] and line[s]):
            low, middle, high = (float(line[name]) for name in (f"{stem}_low", stem, f"{stem}_high"))
            assert low - 1e-12 <= middle <= high + 1e-12, (line["entry"], stem)


def test_json_says_what_was_compared(six: list[Record]) -> None:
    content = json.loads(to_json(boards(six)))
    assert content["overall_missing"] is None
    assert content["overall"]["standings"][0]["entry"] == "dwf-3"
    assert len(content["tasks"][0]["pairs"]) == 3
    assert {"accuracy_low", "compression_high"} <= set(content["tasks"][0]["points"][0])
    few = json.loads(to_json(boards([r for r in six if r.dataset != "toy0"])))
    assert few["overall"] is None and "5 tasks" in few["overall_missing"]


def test_markdown_compares_over_six_tasks_and_says_why_not_below(six: list[Record]) -> None:
    page = to_markdown(boards(six))
    assert "| entry | mean rank | mean hypervolume | 95% interval |" in page
    assert "Friedman's test: p = " in page and "critical difference" in page
    assert "smallest possible p is 0.094" in page  # 3 pairs · 2/2^6
    few = to_markdown(boards(six[: len(six) // 6]))
    assert "there is 1 task" in few and "mean rank |" not in few


@pytest.mark.parametrize(("share", "told"), [(None, False), (0.998, False), (0.117, True)])
def test_the_prunable_share_is_told_and_a_small_one_in_a_remark(share: float | None, told: bool) -> None:
    (board,) = boards([confirm("dense", "d", s, 0.9, 1.0, prunable_share=share) for s in (1, 2)])
    assert ("of the parameters prunable" in notes.references(board)) == (share is not None)
    assert any("11.7 % of the model's parameters" in remark for remark in notes.remarks(board)) == told
