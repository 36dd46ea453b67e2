"""A real Ray cluster on this machine: a head and two nodes, one of which is lost in mid-campaign."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sparsebench.bench.campaign.driver import run
from sparsebench.bench.config.suite import Task
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.executors.base import Executor
from sparsebench.bench.executors.resources import Resources
from sparsebench.bench.output_folder.layout import CHECKPOINTS, LOG
from sparsebench.bench.progress.snapshot import CampaignSnapshot
from sparsebench.bench.training.trial import open_data
from sparsebench.errors import SparsebenchError
from sparsebench.records.record import Record

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster
    from sparsebench.bench.executors.ray_cluster.executor import ClusterExecutor

NO_RAY = find_spec("ray") is None
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray"), pytest.mark.skipif(NO_RAY, reason="no Ray")]

PLUGIN = '''
@register("gated")
@dataclass
class Gated(Base):
    """Dense, but on a node with a gate it waits until that is open."""
    def act(self):
        while not Path(os.environ.get("GATE", "/")).exists():
            time.sleep(0.05)

@register("greedy")
@dataclass
class Greedy(Base):
    """Has no room the first time."""
    file: str = ""
    def act(self):
        if not Path(self.file).exists():
            Path(self.file).write_text(str(os.getpid()))
            raise MemoryError("no room")
        assert Path(self.file).read_text() != str(os.getpid())
'''
OLDER = (
    "from importlib import metadata as m; v = m.version; m.version = lambda n: v(n) if n[0] != 's' else '9.9'"
)
SUITE = """
name = "lost"
budget = { trials = 3, seeds = 1, compressions = [4], generation = 2 }
entries = [{ method = "gated", lr = 0.1 }, { method = "dwf", label = "dwf-3", depth = 3 }]
[[tasks]]
dataset = "planted"
model = "lenet_300_100"
data_args = { n = 640, valid = 128 }
recipe = { epochs = 2 }
"""
Make = Callable[..., Trial]


def add(cluster: "Cluster", name: str, **env: str) -> Any:
    """A node with one processor, in processes of its own."""
    return cluster.add_node(
        num_cpus=1, node_name=name, object_store_memory=80_000_000, env_vars=env, include_dashboard=False
    )


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the node `left` waits for."""
    return tmp_path_factory.mktemp("gate") / "open"


@pytest.fixture(scope="module")
def cluster(gate: Path) -> Iterator["Cluster"]:
    """A head that gives no processors, and a node that gives one."""
    from sparsebench.bench.executors.ray_cluster import client as ours  # noqa: F401 (the environment, before Ray is imported)

    from ray.cluster_utils import Cluster  # isort: skip

    head: dict[str, Any] = {"num_cpus": 0, "node_name": "head", "include_dashboard": False}
    head["_system_config"] = {"health_check_period_ms": 500}  # the default is long for a test
    made = Cluster(initialize_head=True, head_node_args={**head, "object_store_memory": 80_000_000})
    add(made, "left", GATE=str(gate))
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def plugin(acting: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plugin") / "plugin.py"
    path.write_text(acting + PLUGIN)
    return path


Start = Callable[..., "ClusterExecutor"]


@pytest.fixture
def start(cluster: "Cluster", plugin: Path, tmp_path: Path) -> Iterator[Start]:
    """An executor on the cluster as it is; `digest` is what the driver says of the planted data."""
    made: list[Any] = []

    def build(digest: str | None = None, **options: Any) -> "ClusterExecutor":
        task = Task(dataset="planted", model="lenet_300_100", data_args={"n": 320, "valid": 64})
        digests = {task.name: digest or open_data("planted", None, task.data_args).digest}
        machines = Resources(executor="ray", address=cluster.address, **options)
        made.append(machines.start(tmp_path, None, [plugin], [task], digests))
        return made[-1]

    yield build
    for executor in made:
        executor.close()
        executor.close()  # twice does no harm


def results(executor: Executor, count: int) -> list[tuple[Trial, Record | None]]:
    """So many trials, and no more, as they come back."""
    end, found = time.monotonic() + 240, []
    while len(found) < count:
        assert time.monotonic() < end
        found += executor.wait(0.5)
    assert len(found) == count
    return found


def until(executor: Executor, met: Callable[[], bool]) -> None:
    """Wait while nothing comes back."""
    end = time.monotonic() + 240
    while not met():
        assert time.monotonic() < end
        assert executor.wait(0.1) == []


@dataclass
class Saboteur:
    """A display that kills a node under its trial, and then opens the other node's gate."""

    cluster: "Cluster"
    node: Any
    gate: Path
    seen: set[str] = field(default_factory=set)

    def show(self, standing: CampaignSnapshot) -> None:
        self.seen |= {now.device for now in standing.running}
        if "right cpu" in self.seen and self.node is not None:
            self.cluster.remove_node(self.node, allow_graceful=False)
            self.node = None
            self.gate.touch()

    def say(self, message: str) -> None:
        raise AssertionError(message)


def hang(executor: Executor, trial: Trial) -> int:
    """Start a trial that hangs; the process id of its worker."""
    file = Path(trial.knobs["file"])
    executor.submit(trial)
    until(executor, file.exists)
    return int(file.read_text())


def test_a_worker_without_room_or_over_its_time_is_ended(
    start: Start, make_trial: Make, tmp_path: Path
) -> None:
    executor = start()
    executor.submit(make_trial(method="greedy", knobs={"file": str(tmp_path / "first")}))
    ((_, record),) = results(executor, 1)
    assert record
    assert record.status == "ok", record.reason  # in a fresh process, which the method has checked
    executor.time_limit = 1.0
    trial = make_trial(method="hanging", knobs={"file": str(tmp_path / "pid")})
    executor.submit(trial)
    ((back, record),) = results(executor, 1)
    assert back == trial
    assert record
    assert (record.status, record.device) == ("failed", "left cpu")
    assert record.reason == "it took longer than the time limit of 1 s"
    assert executor.free()


def test_a_pause_reaches_a_worker_in_mid_trial(start: Start, make_trial: Make, tmp_path: Path) -> None:
    executor = start()
    long = make_trial(recipe={"epochs": 100_000})
    executor.submit(long)
    until(executor, lambda: len(executor.running) == 1)
    executor.pause()
    assert results(executor, 1) == [(long, None)]
    assert (tmp_path / CHECKPOINTS / f"{long.id}.pt").exists()  # the node sees the driver's folder
    executor.forget(long)
    assert not (tmp_path / CHECKPOINTS / f"{long.id}.pt").exists()


def test_a_node_without_the_data_is_one_sentence(start: Start, make_trial: Make) -> None:
    executor = start(digest="of other data")
    executor.submit(make_trial())
    with pytest.raises(SparsebenchError, match="node left cannot run this campaign: its dataset 'planted'"):
        results(executor, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": "rya"}, "unknown executor 'rya': did you mean 'ray'?"),
        ({"address": "auto"}, "an address is a Ray cluster's: add --executor ray"),
        ({"executor": "ray", "devices": "cpu:2"}, "with --executor ray it is cpu or cuda"),
        ({"executor": "ray", "per_device": 0}, "a device runs at least one trial"),
        ({"executor": "ray", "address": "127.0.0.1:1"}, "no Ray cluster answers at 127.0.0.1:1"),
        ({"executor": "ray", "address": "no address"}, "cannot join the Ray cluster at 'no address'"),
    ],
)
def test_what_cannot_be_is_one_sentence(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SparsebenchError) as caught:
        Resources(**options).start(tmp_path, None, [], [], {})
    assert message in str(caught.value)


def test_a_cluster_without_a_gpu_says_so(start: Start) -> None:
    with pytest.raises(SparsebenchError, match="no node of the Ray cluster has a GPU to give"):
        start(devices="cuda")


def test_nodes_join_and_leave_in_mid_trial(
    cluster: "Cluster", start: Start, make_trial: Make, tmp_path: Path
) -> None:
    """One that differs from the driver's machine is left out, and named in the log."""
    executor = start()
    assert executor.capacity == 1
    held = make_trial(method="hanging", knobs={"file": str(tmp_path / "left")})
    worker = hang(executor, held)
    assert [(out.device, out.trial) for out in executor.running] == [("left cpu", held)]
    assert not executor.free()
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / "sitecustomize.py").write_text(OLDER)  # Ray puts the driver's own path before a node's
    paths = [str(odd), *filter(None, [os.environ.get("PYTHONPATH")])]
    other = add(cluster, "odd", PYTHONPATH=os.pathsep.join(paths))
    until(executor, lambda: executor.capacity == 2)
    lost = make_trial(method="hanging", knobs={"file": str(tmp_path / "late")})
    executor.submit(lost)
    until(executor, lambda: executor.capacity == 1)
    assert "node odd cannot run this campaign: it has sparsebench 9.9" in (tmp_path / LOG).read_text()
    late = add(cluster, "late")
    until(executor, (tmp_path / "late").exists)
    assert [out.device for out in executor.running] == ["left cpu", "late cpu"]
    os.kill(worker, signal.SIGKILL)
    cluster.remove_node(late, allow_graceful=False)
    cluster.remove_node(other)
    back = results(executor, 2)
    assert {trial.id: record and record.status for trial, record in back} == {held.id: "ok", lost.id: "ok"}


def test_one_slot_two_slots_and_a_cluster_that_loses_a_node_end_alike(
    cluster: "Cluster",
    gate: Path,
    plugin: Path,
    tracking: str,
    told: Callable[[Path], Any],
    board: Callable[[Path], Any],
    tmp_path: Path,
) -> None:
    suite = tmp_path / "lost.toml"
    suite.write_text(SUITE)
    one, two = tmp_path / "one", tmp_path / "two"
    run(suite, out=one, devices="cpu:1", plugins=[plugin], tracking_uri=tracking)
    run(suite, out=two, devices="cpu:2", plugins=[plugin], tracking_uri=tracking)
    saboteur = Saboteur(cluster, add(cluster, "right", GATE=str(tmp_path / "never")), gate)
    out, before = tmp_path / "ray", signal.getsignal(signal.SIGTERM)
    done = run(
        suite, out=out, plugins=[plugin], tracking_uri=tracking,
        executor="ray", address=cluster.address, display=saboteur,
    )  # fmt: skip
    assert done.complete
    assert done.problems == []
    assert saboteur.node is None
    assert saboteur.seen == {"left cpu", "right cpu"}
    # The survey of the nodes may come before the answer of the worker's call.
    log = (out / LOG).read_text()
    assert "a worker on right cpu is lost" in log or "node right is gone" in log
    assert told(out) == told(two) == told(one)
    assert board(out) == board(two) == board(one)
    assert not (out / CHECKPOINTS).exists()
    assert signal.getsignal(signal.SIGTERM) == before  # Ray would make it an exit
