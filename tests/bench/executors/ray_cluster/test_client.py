"""A Ray of our own: its workers' priority, and models from nodes that lack the driver's folder."""

import os
import secrets
import shutil
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
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


def test_its_workers_have_the_priority_of_the_driver() -> None:
    from sparsebench.bench.executors.ray_cluster.client import Cluster, ray

    cluster = Cluster(None)
    try:
        assert ray.get(ray.remote(lambda: os.nice(0)).remote()) == os.nice(0)
    finally:
        cluster.close()


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
