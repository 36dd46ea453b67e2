"""Methods and datasets from outside: a package with entry points, and a single file, as a user has them."""

import csv
import json
import os
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

METHOD = '''
from dataclasses import dataclass

import sparsebench as sb
from sparsebench.methods.masks import scoped_top


@sb.register("{name}")
@dataclass
class Early(sb.Sparsifier):
    """Prune by magnitude before the first step."""

    sparsity: float = sb.sparsity_knob()

    def attach(self, net, plan, probe):
        scores = {{name: net.weight(name).abs() for name in net.names}}
        net.set_masks(scoped_top(scores, self.sparsity, "global"))
        return [net.weights(), net.others()]
'''

DATASET = """
import torch
from sparsebench import Data, register_dataset
from sparsebench.datasets.on_device import OnDevice


@register_dataset("blobs", summary="four noisy corners", shape=(1, 2, 2), classes=4, train_size=256)
def open_blobs(root, download):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(512) % 4
    x = torch.eye(4)[y] * 3 + torch.randn(512, 4, generator=generator)
    x = x.reshape(-1, 1, 2, 2)
    zero, one = torch.zeros(1), torch.ones(1)
    cut = [OnDevice(x[s], y[s], zero, one) for s in (slice(256), slice(256, 384), slice(384, 512))]
    return Data("blobs", (1, 2, 2), 4, *cut, digest="blobs-1")
"""

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "sparse-extras"
version = "1.0"
[tool.setuptools]
py-modules = ["sparse_extras"]
[project.entry-points."sparsebench.methods"]
extras = "sparse_extras"
[project.entry-points."sparsebench.datasets"]
extras = "sparse_extras"
"""

SUITE = """
name = "mixed"
budget = { trials = 2, seeds = 2, points = 2 }
[[tasks]]
dataset = "blobs"
model = "lenet_300_100"
recipe = { epochs = 2, batch_size = 32 }
[[entries]]
method = "dense"
[[entries]]
method = "packaged"
[[entries]]
method = "onefile"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like site-packages with the other package in it: its wheel, built and unpacked."""
    source, out = tmp_path_factory.mktemp("extras"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "sparse_extras.py").write_text(METHOD.format(name="packaged") + DATASET)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-P", "-c", build, str(source)], cwd=source, check=True, capture_output=True
    )
    (wheel,) = source.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(out)
    return out


def sparsebench(*words: str, cwd: Path, site: Path) -> str:
    command = [sys.executable, "-P", "-c", "from sparsebench.bench.cli.app import main; main()", *words]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.xdist_group("mlflow")
def test_a_package_and_a_file_reach_the_leaderboard_and_mlflow(site: Path, tmp_path: Path) -> None:
    (tmp_path / "onefile.py").write_text(METHOD.format(name="onefile"))
    (tmp_path / "mixed.toml").write_text(SUITE)
    plugin = ("--plugin", "onefile.py")
    methods = json.loads(sparsebench("list", "methods", "--json", *plugin, cwd=tmp_path, site=site))
    assert {"packaged", "onefile", "dwf"} <= {row["name"] for row in methods}
    datasets = json.loads(sparsebench("list", "datasets", "--json", cwd=tmp_path, site=site))
    assert "blobs" in {row["name"] for row in datasets}

    shown = sparsebench("run", "mixed.toml", "--devices", "cpu:2", *plugin, cwd=tmp_path, site=site)
    assert "packaged" in shown
    folder = tmp_path / "runs" / "mixed"
    with (folder / "leaderboard.csv").open() as file:
        ranked = {row["entry"] for row in csv.DictReader(file)}
    assert ranked == {"dense", "packaged", "onefile"}
    with sqlite3.connect(folder / "mlflow.db") as database:
        query = "select distinct value from tags where key = 'bench.entry'"
        tracked = {value for (value,) in database.execute(query)}
    database.close()
    assert tracked == ranked
