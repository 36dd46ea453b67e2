"""What can go wrong in a campaign, done to a real one: it ends with the records of an undisturbed one."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from processes import children
from sparsebench.bench.campaign.driver import Result, run
from sparsebench.bench.output_folder.campaign_id import take_campaign_id
from sparsebench.bench.progress.snapshot import CampaignSnapshot
from sparsebench.bench.system.ports import free_port
from sparsebench.bench.tracking.client import Tracker, default_uri
from sparsebench.bench.tracking.server import running
from sparsebench.errors import SparsebenchError
from sparsebench.records.record import parse
from sparsebench.records.store import FILE, load_records

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("campaign")]

Told = Callable[[Path], dict[str, object]]
Disk = Callable[[Path, str], AbstractContextManager[None]]

DRIVER = Path(__file__).parent / "killed_driver.py"
LONG = """
name = "long"
budget = { trials = 2, seeds = 1, points = 1, generation = 2 }
tasks = [{ dataset = "digits", model = "lenet_300_100", recipe = { epochs = 80, batch_size = 64 } }]
entries = [{ method = "dense" }, { method = "gmp" }]
"""
OFTEN = """
from functools import partial
from sparsebench.bench.cli.app import main
from sparsebench.bench.executors import resources
resources.LocalExecutor = partial(resources.LocalExecutor, checkpoint_seconds=0.5)
main()
"""
PLUGIN = '''
import os
from dataclasses import dataclass
from pathlib import Path
import torch
from sparsebench import Sparsifier, knob, register

@register("greedy")
@dataclass
class Greedy(Sparsifier):
    """Asks for more memory than there is: always, or the first time only."""
    file: str = ""

    def start_round(self, net, clock):
        if not (self.file and Path(self.file).exists()):
            if self.file:
                Path(self.file).touch()
            torch.empty(1 << 50)
'''


def whole(folder: Path) -> None:
    """Every line is a valid record, and there once."""
    lines = (folder / FILE).read_bytes().splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    records = [parse(line.decode(), FILE) for line in lines]
    assert len({record.id for record in records}) == len(records)


def workers() -> list[int]:
    """The worker processes of this process: those of the processes that fork them."""
    found = [
        pid for pid in children(os.getpid()) if b"local.server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return sorted(worker for server in found for worker in children(server))


def test_a_driver_killed_at_ten_moments_loses_nothing(
    finished: Path, tiny: Path, tracking: str, told: Told, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    draw = random.Random(0)
    moments = ["append 1", "told 2", "mirror 1", "append 4", "told 3", "mirror 2"]
    moments += [f"seconds {draw.uniform(3, 7):.2f}" for _ in range(4)]
    command = [sys.executable, "-P", str(DRIVER), str(tiny), str(out), tracking]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdin is not None
        assert driver.stdout is not None
        for moment in [*moments, "end"]:
            print(moment, file=driver.stdin, flush=True)
            status = int(driver.stdout.readline())
            assert status == (0 if moment == "end" else -signal.SIGKILL) or moment.startswith("seconds")
        driver.stdin.close()
    whole(out)
    assert told(out) == told(finished)


class Killer:
    """Kills a worker now and then while it watches, never before another record has come."""

    def __init__(self, times: int, number: signal.Signals) -> None:
        self.left, self.number, self.finished, self.draw = times, number, 0, random.Random(0)

    def show(self, snapshot: CampaignSnapshot) -> None:
        if snapshot.running and self.left and snapshot.finished > self.finished:
            self.left, self.finished = self.left - 1, snapshot.finished
            os.kill(self.draw.choice(workers()), self.number)

    def say(self, message: str) -> None: ...


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_that_are_killed_are_replaced(
    finished: Path, tiny: Path, tracking: str, told: Told, tmp_path: Path, number: signal.Signals
) -> None:
    killer = Killer(3, number)
    result = run(tiny, out=tmp_path / "out", devices="cpu:2", tracking_uri=tracking, display=killer)
    assert result.complete
    assert killer.left == 0
    whole(tmp_path / "out")
    assert told(tmp_path / "out") == told(finished)


def test_a_trial_without_room_is_tried_again_and_then_recorded(tmp_path: Path, tracking: str) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    suite = tmp_path / "greedy.toml"
    suite.write_text(f"""
        name = "greedy"
        budget = {{ trials = 1, seeds = 1, points = 1 }}
        tasks = [{{ dataset = "planted", model = "lenet_300_100", recipe = {{ epochs = 1 }} }}]
        [[entries]]
        method = "greedy"
        label = "once"
        file = "{tmp_path / "tried"}"
        [[entries]]
        method = "greedy"
        label = "always"
        file = ""
        [[entries]]
        method = "dense"
    """)
    result = run(
        suite, out=tmp_path / "out", devices="cpu:2", tracking_uri=tracking, plugins=[tmp_path / "plugin.py"]
    )
    assert not result.complete and "always" in "".join(result.failed)
    found = {record.entry: record for record in result.records if record.phase == "search"}
    assert (found["once"].status, found["dense"].status) == ("ok", "ok")
    assert found["always"].status == "failed"
    assert (found["always"].reason or "").startswith("tried 3 times, at last out of memory: ")
    assert "can't allocate memory" in (found["always"].reason or "")


def fill(file: Path, leave: int) -> None:
    """Fill the disk up to `leave` bytes."""
    with file.open("wb") as ballast:
        ballast.write(bytes(shutil.disk_usage(file.parent).free - leave))


def test_a_full_disk_stops_a_campaign_and_room_continues_it(
    finished: Path, tiny: Path, tracking: str, told: Told, small_disk: Disk, tmp_path: Path
) -> None:
    place, storage = tmp_path / "disk", f"sqlite:///{tmp_path / 'optuna.db'}"
    with small_disk(place, "size=8m"):
        fill(place / "ballast", 48 * 1024)  # some records' worth

        def again() -> Result:
            return run(tiny, out=place / "out", devices="cpu:2", tracking_uri=tracking, storage=storage)

        with pytest.raises(SparsebenchError, match=r"cannot write .*No space left on device"):
            again()
        assert 0 < len(load_records(place / "out")) < len(load_records(finished))
        whole(place / "out")
        (place / "ballast").unlink()
        assert again().complete
        whole(place / "out")
        assert told(place / "out") == told(finished)


def test_an_output_folder_that_cannot_be_written_is_said_at_once(
    tiny: Path, tracking: str, small_disk: Disk, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", "ro"), pytest.raises(SparsebenchError, match="Read-only file system"):
        run(tiny, out=tmp_path / "disk" / "out", devices="cpu:1", tracking_uri=tracking)


def stopped(
    command: list[str], out: Path, number: signal.Signals, meanwhile: Callable[[], None]
) -> tuple[int, str]:
    """Start a campaign, stop it when trials are well under way; its exit status and what it said."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while not (out / "checkpoints").exists():
            assert process.poll() is None
            time.sleep(0.1)
        meanwhile()
        os.killpg(process.pid, number)  # a terminal and a scheduler reach the whole group
        _, said = process.communicate(timeout=60)
        return process.returncode, said


@pytest.fixture(scope="module")
def straight(tracking: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of the long suite, undisturbed; beside it the suite's file."""
    folder = tmp_path_factory.mktemp("straight")
    (folder / "long.toml").write_text(LONG)
    assert run(folder / "long.toml", out=folder / "out", devices="cpu:2", tracking_uri=tracking).complete
    return folder / "out"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_campaign_that_is_stopped_keeps_checkpoints_and_goes_on(
    straight: Path, tracking: str, told: Told, tmp_path: Path, number: signal.Signals
) -> None:
    suite, out = straight.parent / "long.toml", tmp_path / "out"
    options = ["run", str(suite), "--out", str(out), "--devices", "cpu:2", "--tracking-uri", tracking]

    def second() -> None:
        with pytest.raises(SparsebenchError, match="another campaign is running in"):
            run(suite, out=out, devices="cpu:1", tracking_uri=tracking)

    code, said = stopped([sys.executable, "-P", "-c", OFTEN, *options], out, number, second)
    assert code == 128 + number, said
    assert "2 running trials keep a checkpoint" in said
    assert "the same command continues" in said
    assert len(list((out / "checkpoints").glob("*.pt"))) == 2
    assert run(suite, out=out, devices="cpu:2", tracking_uri=tracking).complete
    assert not (out / "checkpoints").exists()
    whole(out)
    assert told(out) == told(straight)


class Outage:
    """Kills MLflow's server, children and all, once two trials of the campaign that it watches are over."""

    def __init__(self, server: "subprocess.Popen[bytes]") -> None:
        self.server = server

    def show(self, snapshot: CampaignSnapshot) -> None:
        if snapshot.finished >= 2 and self.server.poll() is None:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()

    def say(self, message: str) -> None: ...


def test_mlflow_killed_in_mid_campaign_gets_what_it_missed_when_it_is_back(
    finished: Path, tiny: Path, told: Told, cli: Callable[..., Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("SPARSEBENCH_UI_TOKEN", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.setenv(name, "of both")
    home, out, port = tmp_path / "home", tmp_path / "out", free_port("127.0.0.1", 0)
    home.mkdir()
    Tracker(default_uri(home), home, "c0ffee")
    with running(home, port) as (uri, _, server):
        done = run(tiny, out=out, devices="cpu:2", tracking_uri=uri, display=Outage(server))
    assert done.complete
    assert told(out) == told(finished)
    assert len(done.problems) == 1
    assert "records.jsonl has everything" in done.problems[0]
    with running(home, port) as (uri, _, _):
        said = [cli("track", out, "--tracking-uri", uri) for _ in range(2)]
        tracker = Tracker(uri, home, take_campaign_id(out)[0].id)
        runs = [
            run for task in {record.task for record in load_records(out)}
            for run in tracker.runs(tracker.experiment("tiny", task), "trial")
        ]  # fmt: skip
    assert [answer.code for answer in said] == [0, 0]
    assert sorted(run.data.tags["bench.id"] for run in runs) == sorted(told(out))
