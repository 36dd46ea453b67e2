"""Measured times on the board: tables of each machine, the column, marks, and the site's chart."""

from dataclasses import replace

from latencies import MACHINE, made_up_latency, timing
from sparsebench.records.measured.latency import TWO_OF_FOUR
from sparsebench.reports.analysis.boards import boards, with_latencies
from sparsebench.reports.analysis.leaderboard import TaskLeaderboard
from sparsebench.reports.site.latency_chart import latency_payload
from sparsebench.reports.site.page_names import Addresses
from sparsebench.reports.site.task_page import task_page
from sparsebench.reports.style import style_for
from sparsebench.reports.tables.columns import columns
from sparsebench.reports.tables.latency import latency_tables, size_table
from sparsebench.reports.tables.markdown import to_markdown
from synthetic_records import campaign


def board() -> TaskLeaderboard:
    records = campaign({"dense": 9.0, "dwf-3": 2.2}, {"made_up": (0.1, 0.98)}, trials=4, seeds=3)
    return boards(records)[0]


def cells(found: TaskLeaderboard, entry: str) -> dict[str, str]:
    return {c.title: c.cell(found.row(entry)) for c in columns(found) if c.title.startswith("measured")}


def test_a_board_that_nobody_measured_shows_nothing_of_it() -> None:
    found = board()
    assert cells(found, "dwf-3") == {} and latency_tables(found) == []
    page = task_page(found, Addresses.of([found]), [found])
    assert 'id="latency"' not in page and "milliseconds" not in to_markdown([found])


def test_the_column_shows_the_fastest_compression_that_costs_little_at_the_largest_batch() -> None:
    found = board()
    row = replace(found.row("dwf-3"), accuracy_at={8: 0.97, 64: 0.96, 512: 0.5})
    found = replace(found, rows=[row if r.entry == "dwf-3" else r for r in found.rows])
    fast, slow = {"compacted": timing(1e-5)}, {"compacted": timing(2e-4)}
    times = [
        made_up_latency("dwf-3", 8, 64),
        made_up_latency(
            "dwf-3", 64, 64, sparse={"compacted": timing(5e-5), "compacted, CSR": timing(2.5e-5)}
        ),
        made_up_latency("dwf-3", 512, 64, sparse=fast),
        made_up_latency("dwf-3", 64, 1, sparse=slow),
    ]
    [found] = with_latencies([found], times)
    assert cells(found, "dwf-3") == {"measured": "4.00× @64"}
    assert cells(found, "dense") == {"measured": "–"}
    large, small = latency_tables(found)
    assert (large.batch, small.batch) == (64, 1)
    assert large.titles == ["entry", "ms@8", "ms@64", "ms@512"]
    assert large.rows == [["dwf-3", "0.04 (2.50×)", "0.025 (4.00×)", "0.01 (10.0×)"]]
    assert small.rows == [["dwf-3", "0.2 (0.50×)"]], "slower than dense, and told"


def test_a_board_with_patterns_says_whether_their_kernels_were_used() -> None:
    found = board()
    assert not found.has_patterns and "kernels" not in to_markdown([found])
    two_of_four = [r.model_copy(update={"knobs": {**r.knobs, "n": 2, "m": 4}}) for r in found.records]
    found = replace(found, records=[*found.records, *two_of_four])
    said = "no kernel for their pattern was used"
    assert said in to_markdown([found]), "nobody has measured"
    on_cpu = made_up_latency("dwf-3", 64, 64)
    assert said in to_markdown(with_latencies([found], [on_cpu]))
    on_gpu = made_up_latency("dwf-3", 64, 64, sparse={"compacted": timing(5e-5), TWO_OF_FOUR: timing(2.5e-5)})
    shown = to_markdown(with_latencies([found], [on_cpu, on_gpu]))
    assert said not in shown


def test_sizes_are_told_once_for_all_machines() -> None:
    gpu = MACHINE.model_copy(update={"id": "ffffffff", "device": "Made-up GPU"})
    times = [made_up_latency("dwf-3", 64, batch, machine=m) for m in (MACHINE, gpu) for batch in (1, 64)]
    [found] = with_latencies([board()], times)
    table = size_table(found)
    assert table is not None
    assert (table.titles, table.rows) == (["entry", "kB@64"], [["dwf-3", "4.1, 5"]])
    assert "64 images. Dense: 4.1 and 5." in table.said
    assert to_markdown([found]).count("Sizes of the compacted") == 1


def test_machines_have_tables_and_columns_of_their_own() -> None:
    gpu = MACHINE.model_copy(update={"id": "ffffffff", "device": "Made-up GPU"})
    twin = MACHINE.model_copy(update={"id": "eeeeeeee"})
    times = [made_up_latency("dwf-3", 64, 64, machine=machine) for machine in (MACHINE, gpu, twin)]
    [found] = with_latencies([board()], times)
    assert [table.machine for table in latency_tables(found)] == [MACHINE, gpu, twin]
    chart = latency_payload(found, style_for([found]))
    assert [point["m"] for point in chart["points"]] == [0, 1, 2]
    page = task_page(found, Addresses.of([found]), [found])
    assert page.count("Measured on Made-up CPU") == 2 and page.count("Measured on Made-up GPU") == 1


def test_what_makes_times_uncertain_is_told() -> None:
    times = [
        made_up_latency("dwf-3", 64, 64, others=1.5, short=True, sparse={"compacted": timing(4e-5, 0.5)})
    ]
    [found] = with_latencies([board()], times)
    [table] = latency_tables(found)
    assert table.rows == [["dwf-3", "0.04 (2.50×)~"]]
    for said in ("short form", "Other programs used up to 1.5 cores", "more than 20%", "torch 2.14.0"):
        assert said in table.said
    assert "'measured' is the dense network's seconds" in to_markdown([found])
