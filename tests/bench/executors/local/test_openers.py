"""Openers of datasets and plugins that leave threads or settings: they neither hang nor change trials."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.executors import attempts
from sparsebench.bench.executors.local.pool import LocalExecutor
from sparsebench.bench.system.devices import DeviceSlot
from sparsebench.bench.training.trial import open_data
from sparsebench.records.record import Record
from sparsebench.registry import load_plugin

pytestmark = pytest.mark.xdist_group("workers")

PLUGIN = '''
import threading, time
import torch
from sparsebench import register_dataset
from sparsebench.datasets.api import open_dataset

def opener(name, line):
    @register_dataset(name, summary="the planted one", args={"n": 320, "valid": 64})
    def open_it(root, download, n=320, valid=64):
        exec(line, globals())
        return open_dataset("planted", root, n=n, valid=valid)

def busy():
    """Torch's own threads, which no copy of a process has."""
    torch.set_num_threads(4)
    torch.randn(400, 400) @ torch.randn(400, 400)
    torch.randn(1 << 20).sin().sum()

opener("calm", "pass")
opener("threaded", "busy()")
opener("watched", "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()")
opener("setting", "torch.set_default_dtype(torch.float64), torch.set_grad_enabled(False)")
opener("leaving", "raise SystemExit(5)")
'''
Make = Callable[..., Trial]


@pytest.mark.parametrize("imports", ["", "busy()\n"])
def test_what_an_opener_or_an_import_leaves_is_of_no_consequence(
    make_trial: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports: str
) -> None:
    monkeypatch.setattr(attempts, "MAX_ATTEMPTS", 1)
    plugin, log = tmp_path / "plugin.py", tmp_path / "workers.log"
    plugin.write_text(PLUGIN + imports)
    made = LocalExecutor([DeviceSlot("cpu", 2)], plugins=[str(plugin)], log=log, time_limit=60.0)

    def ran(dataset: str) -> Record:
        made.submit(make_trial(dataset=dataset))
        while not (found := made.wait(1.0)):
            pass
        assert found[0][1] is not None
        return found[0][1]

    try:
        expected = ran("planted")
        for dataset in ("calm", "threaded", "threaded", "watched", "setting"):
            record = ran(dataset)
            assert (record.status, record.val_accuracy) == ("ok", expected.val_accuracy), dataset
            assert record.curve == expected.curve, dataset
        assert ran("leaving").reason == "tried 1 times, at last its worker died with exit code 5"
        assert ran("planted").curve == expected.curve
    finally:
        made.close()
    told = log.read_text()
    if imports:
        assert "each trial imports them in its own process" in told
    else:
        assert "threaded(n=320, valid=64) leaves" in told
        assert "calm(" not in told


def test_what_an_opener_changes_is_set_back_and_told(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    load_plugin(tmp_path / "plugin.py")
    notes = open_data("setting", None, {"n": 320, "valid": 64}).notes
    assert notes == (
        "the dataset 'setting' has changed the process, which is set back: the default dtype, gradients",
    )
    assert open_data("calm", None, {"n": 320, "valid": 64}).notes == ()
