"""A Ray of our own: its workers' priority, and models from nodes that lack the driver's folder."""

import ipaddress
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from processes import descendants
from sparsebench.bench.config.suite import Task
from sparsebench.bench.executors.ray_cluster.actor import own_folder
from sparsebench.bench.executors.resources import Resources
from sparsebench.bench.models.model_file import read_card
from sparsebench.bench.output_folder.layout import LOG, MODELS, model_path
from sparsebench.bench.training.trial import open_data

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("ray"),
    pytest.mark.skipif(find_spec("ray") is None, reason="no Ray"),
]


def test_its_workers_have_the_priority_of_the_driver_and_no_other_machine_or_user_can_join() -> None:
    from sparsebench.bench.executors.ray_cluster.client import Cluster, ray

    before = dict(os.environ)
    cluster = Cluster(None)
    try:
        assert ray.get(ray.remote(lambda: os.nice(0)).remote()) == os.nice(0)
        # Every port of Ray's processes is on the loopback interface.
        ours = {os.getpid(), *descendants(os.getpid())}
        found = listening(ours)
        assert len(found) >= 5
        assert [address for address in found if not address.is_loopback] == []
        # A process of another user has no token.
        assert answers(cluster._head, os.environ["RAY_AUTH_TOKEN"])
        assert not answers(cluster._head, "")
        assert not answers(cluster._head, secrets.token_hex(32))
    finally:
        cluster.close()
    assert {name for name in os.environ if "AUTH" in name} == {name for name in before if "AUTH" in name}


def listening(processes: set[int]) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The addresses at which some processes listen for TCP, from Linux's tables."""
    inodes = set()
    for pid in processes:
        with suppress(OSError):
            inodes |= {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                raw = bytes.fromhex(words[1].partition(":")[0])
                parts = [raw[i : i + 4][::-1] for i in range(0, len(raw), 4)]
                address = ipaddress.ip_address(b"".join(parts))
                found.append(getattr(address, "ipv4_mapped", None) or address)
    return found


def answers(head: str, token: str) -> bool:
    """Whether a process with this token alone can ask the head for its nodes."""
    program = (
        "import sys; from ray._raylet import GcsClient; GcsClient(sys.argv[1]).get_all_node_info(timeout=5)"
    )
    mode = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {"RAY_AUTH_MODE": "disabled"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, head], env=os.environ | mode, capture_output=True, text=True
    )
    return done.returncode == 0


def test_a_model_comes_back_with_its_record_or_a_line_says_that_it_did_not(
    make_trial: Callable[..., Any], tmp_path: Path
) -> None:
    task = Task(dataset="planted", model="lenet_300_100", data_args={"n": 320, "valid": 64})
    digests = {task.name: open_data("planted", None, task.data_args).digest}
    executor: Any = Resources("cpu", executor="ray").start(tmp_path, None, [], [task], digests)
    there = own_folder() / secrets.token_hex(8)
    try:
        # the node reads another mark in the driver's folder, as it would without that folder
        executor.config = executor.config.model_copy(update={"mark": there.name})
        lost = make_trial(phase="confirm", seed=2)
        model_path(there / "models", lost.id).mkdir(parents=True)  # the node's disk does not take this one
        trials = [make_trial(phase="confirm", seed=1), make_trial(phase="search"), lost]
        waiting, found, end = [*trials], {}, time.monotonic() + 240
        while len(found) < len(trials):
            assert time.monotonic() < end
            if waiting and executor.free():
                executor.submit(waiting.pop(0))
            found |= {trial.id: record for trial, record in executor.wait(0.5)}
        assert {record.status for record in found.values()} == {"ok"}
        kept = trials[0]
        assert [path.stem for path in (tmp_path / MODELS).iterdir()] == [kept.id]
        assert read_card(model_path(tmp_path / MODELS, kept.id)).test_accuracy == found[kept.id].test_accuracy
        assert not model_path(there / "models", kept.id).exists(), "the node keeps no copy"
        assert f"the model of trial {lost.id} was left" in (tmp_path / LOG).read_text()
    finally:
        executor.close()
        shutil.rmtree(there, ignore_errors=True)
