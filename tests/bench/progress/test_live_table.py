"""The live table at every size of a terminal."""

import pytest
from rich.console import Console
from snapshots import now, part, recorded, snapshot
from sparsebench.bench.progress.live_table import LiveTable, campaign_table
from sparsebench.bench.progress.snapshot import (
    CampaignSnapshot,
    FrontSummary,
)

TASKS = ("cifar10-resnet18_cifar", "mnist-lenet_300_100", "kmnist-lenet5", "digits-vit", "a-b", "c-d")


@pytest.fixture
def large() -> CampaignSnapshot:
    """26 entries on 6 tasks, half of it done, three searches with 32 trials out."""
    front = FrontSummary(points=5, best=0.98, at_10=0.951, at_100=None)
    parts = []
    for number, (task, entry) in enumerate((t, f"entry-{e}") for t in TASKS for e in range(26)):
        if number < 75:
            parts.append(part(entry, task, phase="done", planned=28, finished=28, front=front))
        else:
            parts.append(
                part(entry, task, finished=7 if number < 78 else 0, front=front if number < 78 else None)
            )
    running = [now(f"entry-{23 + i % 3}", TASKS[2], f"cuda:{i % 8}", ago=60.0 * i) for i in range(32)]
    return snapshot(parts, running, planned=4000, capacity=32)


def drawn(one: CampaignSnapshot, width: int, height: int | None = None) -> list[str]:
    console = Console(width=width, height=height, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(campaign_table(one, width, height))
        return console.export_text().splitlines()


@pytest.mark.parametrize(("width", "height"), [(40, 20), (60, 24), (80, 24), (120, 40), (200, 60)])
def test_a_large_campaign_fits_any_terminal_with_what_is_active_first(
    large: CampaignSnapshot, width: int, height: int
) -> None:
    lines = drawn(large, width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    head, times, _, columns, first, *_ = lines
    assert head.startswith("mine  2121 of about 4000 trials, 32")
    assert times.startswith("2 min so far, time left: not known yet")
    assert "val" in columns
    assert first.startswith("entry-23")
    assert any("more done" in line and "78 more" in line for line in lines)
    assert any("more" in line and line.startswith("…") for line in lines[-3:])
    (leaders,) = [line for line in lines if line.startswith(TASKS[2][:4]) and "95.1, entry" in line]
    assert "entry-0 95.1" in leaders


def test_without_a_height_every_entry_has_its_row(large: CampaignSnapshot) -> None:
    text = "\n".join(drawn(large, 160))
    assert "more done" not in text
    assert text.count("28/28") == 75
    assert text.count("waiting") == 78


def test_a_row_says_progress_failures_and_the_front_on_validation_data() -> None:
    front = FrontSummary(points=4, best=0.981, at_10=0.952, at_100=0.5)
    lines = drawn(snapshot([part(finished=8, failed=2, front=front), part("dense")], [now(ago=200)]), 120, 30)
    columns, row, waiting = lines[3:6]
    assert columns.split("  ")[0] == "entry"
    assert [word for word in ("best val", "≥10× val", "≥100× val") if word not in columns] == []
    assert row.replace("━", "").replace("╸", "").split() == [
        "dwf-3", "8/16", "search,", "2", "failed", "4", "98.1", "95.2", "50.0",
    ]  # fmt: skip
    assert waiting.split() == ["dense", "0/16", "waiting", "–", "–", "–", "–"]
    assert lines[-1].split() == ["cpu", "dwf-3", "on", "t:", "search,", "trial", "3", "3", "min"]


def test_names_are_shown_as_they_are_written() -> None:
    assert any("[red]x[/]" in line for line in drawn(snapshot([part("[red]x[/]")]), 80, 24))


def test_the_live_display_redraws_below_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsebench.bench.progress.live_table.PAUSE", 0.0)
    console = recorded()
    with LiveTable(console) as bars:
        bars.show(snapshot([part(finished=1)]))
        bars.say("[red]as it is[/]")
        bars.show(snapshot([part(finished=2)]))
    text = console.export_text()
    assert text.index("1/16") < text.index("[red]as it is[/]") < text.index("2/16")
