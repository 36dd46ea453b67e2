"""A published campaign of two entries, whose pages the tests of this folder open."""

from pathlib import Path

import pytest
from sparsebench.bench.tracking.publisher import StudySummary, default_uri, publish_missing, publish_studies
from sparsebench.records.record import Record
from synthetic_records import identity

OWN = "0" * 32  # the id of a campaign


def trials() -> list[Record]:
    return [
        Record.model_validate(
            {
                "id": identity(f"{entry}{number}"),
                "config": f"{entry}{number}",
                "suite": "quickstart",
                "entry": entry,
                "dataset": "digits",
                "model": "lenet_300_100",
                "recipe": {"lr": 0.1 * (number + 1), "weight_decay": 1e-4},
                "method": entry,
                "knobs": {},
                "trial": number,
                "seed": 0,
                "phase": "search",
                "status": "ok",
                "val_accuracy": (0.98 if entry == "dwf" else 0.93) - 0.02 * number,
                "compression": 2.0**number,
                "speedup": 1.5**number,
                "command": "sparsebench train",
                "data_digest": "d1915",
                "device": "cpu",
            }
        )
        for entry in ("dwf", "l1")
        for number in range(6)
    ]


@pytest.fixture(scope="package")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with the trials and the fronts of two entries in MLflow."""
    folder = tmp_path_factory.mktemp("a run")
    colours = {"dwf": "#D55E00", "l1": "#0072B2"}
    problems: list[str] = []
    uri = default_uri(folder)
    assert publish_missing(trials(), uri, folder, OWN, colours, on_problem=problems.append) == 12
    summaries = [
        StudySummary(
            "quickstart", "digits-lenet_300_100", entry, {"score": best}, line=line(best),
            common={c: accuracy for accuracy, c, *_ in line(best)}, accuracies=(0.8, 1.0),
        )
        for entry, best in (("dwf", 0.98), ("l1", 0.93))
    ]  # fmt: skip
    assert (
        publish_studies(summaries, uri, folder, OWN, colours, records=trials(), on_problem=problems.append)
        == 2
    )
    assert problems == []
    return folder


def line(best: float) -> list[tuple[float, float, float | None, float | None]]:
    return [(best - n / 50, 4.0**n, 1.5 * n, 0.5 / n) for n in range(1, 5)]
