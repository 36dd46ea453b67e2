"""Methods that change their process, beside a dense baseline whose records stay equal to the last digit."""

import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from sparsebench import train
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.executors import attempts
from sparsebench.bench.executors.local.pool import LocalExecutor
from sparsebench.bench.system.devices import DeviceSlot
from sparsebench.records.record import Record

pytestmark = pytest.mark.xdist_group("workers")

MISDEEDS = {
    "precision": "torch.set_float32_matmul_precision('medium')",
    "autocast": "torch.autocast('cpu', torch.bfloat16).__enter__()",
    "dtype": "torch.set_default_dtype(torch.float64)",
    "device": "torch.set_default_device('meta')",
    "gradients": "torch.set_grad_enabled(False)",
    "inference": "torch.inference_mode().__enter__()",
    "threads": "torch.set_num_threads(2)",
    "denormals": "torch.set_flush_denormal(False)",
    "deterministic": "torch.use_deterministic_algorithms(True)",
    "anomaly": "torch.autograd.set_detect_anomaly(True)",
    "warnings": "warnings.simplefilter('error')",
    "folder": "os.chdir('/')",
    "environment": "os.environ.clear()",
    "umask": "os.umask(0o777)",
    "signals": "[signal.signal(n, signal.SIG_IGN) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]",
    "seeds": "torch.manual_seed(1), random.seed(1), numpy.random.seed(1)",
    "relu": "F.relu = torch.nn.functional.relu = torch.relu = lambda x, inplace=False: x * 0",
    "linear": "torch.nn.Linear.forward = lambda self, x: x.new_zeros(len(x), self.out_features)",
    "step": "torch.optim.SGD.step = lambda self, closure=None: None",
    "harness": "loop.rate = lambda *args: 0.0",
    "hook": "modules.register_module_forward_hook(lambda m, x, y: y * 0 if torch.is_tensor(y) else None)",
    "mode": "Zero().__enter__()",
    "collector": "gc.disable()",
    "recursion": "sys.setrecursionlimit(80)",
    "locale": "locale.setlocale(locale.LC_ALL, 'C')",
    "thread": "threading.Thread(target=spin, daemon=True).start()",
    "file": "[open(os.devnull) for _ in range(64)]",
    "exit": "atexit.register(time.sleep, 600)",
    "hooks": "setattr(sys, 'excepthook', lambda *args: time.sleep(600))",
    "logging": "logging.disable(logging.CRITICAL)",
    "streams": "sys.stdout.close(), sys.stderr.close()",
    "descriptors": "os.closerange(0, 3)",
    "limit": "resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))",
    "timer": "signal.setitimer(signal.ITIMER_REAL, 0.05)",
    "child": "subprocess.Popen(['sleep', '600'], start_new_session=True)",
    "path": "sys.path.clear(), sys.modules.pop('torch.nn')",
    "memory": "setattr(sys, 'kept', bytearray(1 << 28))",
    "decimal": "setattr(decimal.getcontext(), 'prec', 2)",
    "input": "input()",
    "debugger": "breakpoint()",
    "password": "getpass.getpass()",
    "descriptor": "os.read(0, 1)",
    "cat": "subprocess.run(['cat'], check=True)",
    "left": "os._exit(3)",
    "data": "[held.copy_(held.flip(0)) for held in images()]",
    "registry": "registry._items.update(dense=registry['misbehaving'])",
    "affinity": "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])",
    "parent": "os.kill(os.getppid(), signal.SIGTERM)",
    "worker": "os.kill(os.getppid(), signal.SIGKILL), time.sleep(600)",
    "fork": "os.fork()",
    "attention": "torch._C._set_sdp_priority_order([2, 0, 1]), torch.backends.cuda.enable_math_sdp(False)",
    "numpy": "numpy.seterr(all='raise'), numpy.setbufsize(1024), numpy.set_printoptions(precision=1)",
    "zone": "os.environ.update(TZ='Asia/Kathmandu'), time.tzset()",
    "blocked": "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
    "interval": "sys.setswitchinterval(5.0), sys.set_int_max_str_digits(700), threading.stack_size(65536)",
    "rounding": "setattr(decimal.getcontext(), 'rounding', decimal.ROUND_UP)",
    "temporary": "setattr(tempfile, 'tempdir', '/nowhere'), sys.path_hooks.clear()",
    "trace": "sys.setprofile(lambda *args: None), setattr(sys, 'displayhook', print)",
    "between": "torch.set_num_interop_threads(3)",
    "nice": "os.nice(5)",
    "lingering": "threading.Thread(target=time.sleep, args=(600,)).start()",
    "terminal": "open('/dev/tty').readline()",
}
IMPORTS = (
    "atexit, decimal, gc, getpass, locale, logging, numpy, os, random, resource, signal, subprocess, sys, "
    "tempfile, threading, time, warnings"
)
PLUGIN = f'''
import {IMPORTS}
from dataclasses import dataclass
import torch
import torch.nn.functional as F
from torch.nn.modules import module as modules
from sparsebench import Sparsifier, register
from sparsebench.methods.api import registry
from sparsebench.bench.training import loop

def spin():
    while True:
        pass

def images():
    held = [one for one in gc.get_objects() if type(one) is torch.Tensor and one.ndim == 4]
    return [one for one in held if not one.is_inference()]

class Zero(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {{}}))
        return found * 0 if isinstance(found, torch.Tensor) and found.is_floating_point() else found

@register("misbehaving")
@dataclass
class Misbehaving(Sparsifier):
    """Runs a line of Python when it is attached."""
    line: str = ""
    def attach(self, net, plan, probe):
        exec(self.line, globals())
        return super().attach(net, plan, probe)
'''
Make = Callable[..., Trial]
DENSE_EVERY = 4  # misdeeds
FREE = {"seconds": 0.0, "peak_memory_bytes": 0}


def ran(executor: LocalExecutor, trial: Trial) -> Record:
    executor.submit(trial)
    while not (found := executor.wait(1.0)):
        pass
    assert found[0][1] is not None
    return found[0][1].model_copy(update=FREE)


@pytest.fixture
def plugin(tmp_path: Path) -> str:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    return str(tmp_path / "plugin.py")


def test_no_method_changes_the_record_of_the_next_trial(
    plugin: str, make_trial: Make, tmp_path: Path
) -> None:
    """Each of them in the worker that goes on with the next; dense after every fourth."""
    dense = make_trial(recipe={"epochs": 2})
    made = LocalExecutor([DeviceSlot("cpu")], plugins=[plugin], log=tmp_path / "log", time_limit=60.0)
    try:
        expected = ran(made, dense)
        assert expected.status == "ok"
        with patch.object(attempts, "MAX_ATTEMPTS", 1):
            for number, (name, line) in enumerate(MISDEEDS.items(), start=1):
                bad = ran(made, make_trial(method="misbehaving", knobs={"line": line}))
                assert "time limit" not in (bad.reason or ""), name
                if number % DENSE_EVERY == 0 or number == len(MISDEEDS):
                    assert ran(made, dense) == expected, name
    finally:
        made.close()


IN_PROCESS = [
    "precision", "autocast", "dtype", "gradients", "deterministic", "anomaly", "warnings", "folder", "umask",
    "relu", "linear", "step", "harness", "hook", "mode", "recursion", "denormals",
    "data", "registry", "attention", "numpy", "zone", "blocked", "interval", "rounding", "temporary", "trace",
    "affinity",
]  # fmt: skip


def test_train_sets_back_what_a_method_has_changed_and_tells_it(plugin: str) -> None:
    def trained(method: str, **settings: Any) -> Record:
        found = train(
            "planted", "lenet_300_100", method, settings={"epochs": 1, **settings}, plugins=[plugin],
            data_args={"n": 320, "valid": 64},
        )  # fmt: skip
        return found.model_copy(update=FREE)

    expected = trained("dense")

    def state() -> tuple[Any, ...]:
        attention = torch.backends.cuda.math_sdp_enabled(), torch._C._get_sdp_priority_order()
        return time.tzname, signal.pthread_sigmask(signal.SIG_BLOCK, ()), attention

    before = state()
    for name in IN_PROCESS:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                trained("misbehaving", line=MISDEEDS[name])
            except Exception as error:  # a method may fail by what it has changed
                assert name in ("gradients", "dtype", "recursion", "mode", "linear", "inference"), repr(error)
        if name not in ("warnings", "data"):
            assert any("has changed the process, which is set back" in str(one.message) for one in told), name
        assert trained("dense") == expected, name
    assert torch.is_grad_enabled()
    assert state() == before
