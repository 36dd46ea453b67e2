"""Folders too large for memory or for one archive: curves and layers are read as they are needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sparsebench.bench.config.trial_spec import Recipe, Trial
from sparsebench.bench.exchange.merge import merge
from sparsebench.bench.exchange.pack import pack
from sparsebench.bench.training.trial import record_of
from sparsebench.errors import UnknownName
from sparsebench.records.fields import Measurements, TrainingResult
from sparsebench.records.record import Record
from sparsebench.records.store import FILE
from sparsebench.records.stored import StoredRecords

ROWS, LAYERS = 6_000, 300  # of a large record: 400 kB
SEEDS = 30
TASKS = ("here", "there")

# The peak memory and the processor time after each command, all of them in one process.
COMMANDS = """
import json, re, sys, time
from pathlib import Path
from sparsebench.bench.campaign.publish import ranked, report_folder
from sparsebench.bench.exchange.merge import merge
from sparsebench.bench.exchange.pack import pack
from sparsebench.bench.progress.status import status
place = Path(sys.argv[1])
merged = []
for command in (
    lambda: status(place / "run"),
    lambda: pack(place / "run", place / "all.zip"),
    lambda: merged.append(merge([place / "all.zip"], place / "merged")),
    lambda: report_folder(place / "merged", ranked(place / "merged", merged[0].records)),
):
    command()
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    print(json.dumps([int(peak[1]) / 1024, time.process_time()]))
"""


def made_up(dataset: str, seed: int, bulk: float) -> Record:
    trial = Trial(
        suite="s", entry="dense", dataset=dataset, data_digest=dataset, model="net", method="dense",
        recipe=Recipe(lr=0.1, weight_decay=0.0), seed=seed,
    )  # fmt: skip
    layers = [
        {"name": f"{n}.weight", "shape": (4, 4), "nonzeros": 16} for n in range(max(1, int(bulk * LAYERS)))
    ]
    accuracy = 0.9 + seed / 10_000
    measured = Measurements(
        classes=10, val_accuracy=accuracy, test_accuracy=accuracy, compression=1.0, layers=layers
    )
    rows = int(bulk * ROWS)
    curve = [{"step": float(n), "train_loss": n / 3, "val_accuracy": 0.5} for n in range(rows)]
    return record_of(trial, TrainingResult(curve=curve, steps=ROWS), measured, threads=1, device="none")


def write(folder: Path, bulk: float) -> Path:
    folder.mkdir(parents=True)
    with (folder / FILE).open("w") as file:
        file.writelines(made_up(d, s, bulk).to_json() + "\n" for d in TASKS for s in range(SEEDS))
    return folder


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("large") / "run", 1.0)


def test_tasks_are_packed_apart_and_merged_to_the_same_lines(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", 0.01)
    parts = [pack(folder, tmp_path / f"{task}.zip", [f"{task}-net"]) for task in TASKS]
    assert [part.records for part in parts] == [SEEDS, SEEDS]
    merged = merge([part.path for part in parts], tmp_path / "both")
    assert (tmp_path / "both" / FILE).read_bytes() == (folder / FILE).read_bytes()
    assert merged.records == StoredRecords(tmp_path / "both") == StoredRecords(folder)
    assert {record.task for record in merged.records} == {"here-net", "there-net"}
    with pytest.raises(UnknownName, match="here-net"):
        pack(folder, tmp_path / "x.zip", ["her-net"])
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_curves_and_layers(large: Path, tmp_path: Path) -> None:
    small = write(tmp_path / "run", 0.01)
    bytes_more = (large / FILE).stat().st_size - (small / FILE).stat().st_size
    assert bytes_more > 20_000_000
    found = []
    for folder in (small, large):
        command = [sys.executable, "-c", COMMANDS, str(folder.parent)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append([json.loads(line) for line in done.stdout.splitlines()])
    for (before, _), (peak, seconds) in zip(*found, strict=True):
        assert peak - before < 16, found  # MB: one record as objects, not 60 of them
        assert seconds < 30, found  # 5 s on a quiet machine
