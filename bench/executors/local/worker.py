"""A warm worker process on this machine: trials come in as lines, records go out as lines.

In: `run <trial as JSON>`, `pause`. Out: `ready`, `record <JSON>`, `paused`, `memory <reason>`. It ends with
its driver: when the commands end, so does it, with all that it has forked or started.
"""

import os
import queue
import signal
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker is told when it starts. Without a folder of checkpoints or models it keeps none."""

    device: str
    threads: int
    checkpoint_seconds: float
    data_root: str | None = None
    checkpoints: Path | None = None
    models: Path | None = None
    plugins: tuple[str, ...] = ()


def main(
    commands: Connection, answers: Connection, log: str, environment: Mapping[str, str], setup: WorkerSetup
) -> None:
    """Runs trials until the driver is gone. What anything here prints goes to the end of the file `log`."""
    home = _lead_group()
    asked = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver decides
    for number in (signal.SIGTERM, signal.SIGHUP):  # a scheduler's, a terminal's: save what there is
        signal.signal(number, lambda number, frame: asked.set())
    os.environ.clear()
    os.environ.update({**environment, "OMP_NUM_THREADS": str(setup.threads)})
    _print_to(log)
    from .... import registry
    from ..execute import prepare_process

    prepare_process(setup.threads)
    for plugin in setup.plugins:
        registry.load_plugin(plugin)
    trials: queue.Queue[str] = queue.Queue()
    lines = os.fdopen(os.dup(commands.fileno()), encoding="utf-8")
    threading.Thread(target=_read_into, args=(lines, trials, asked, home), daemon=True).start()
    _serve(trials, asked, os.dup(answers.fileno()), setup)


def _serve(trials: "queue.Queue[str]", asked: threading.Event, answers: int, setup: WorkerSetup) -> None:
    from ...config.trial_spec import Trial
    from ...training.checkpointing import TrialPaused
    from ..execute import OutOfMemory, execute_trial

    with os.fdopen(answers, "w", encoding="utf-8") as out:
        print("ready", file=out, flush=True)
        while True:
            trial = Trial.model_validate_json(trials.get())
            try:
                record = execute_trial(
                    trial, device=setup.device, data_root=setup.data_root, checkpoints=setup.checkpoints,
                    models=setup.models, every_seconds=setup.checkpoint_seconds, asked=asked.is_set,
                )  # fmt: skip
                print("record", record.to_json(), file=out, flush=True)
            except TrialPaused:
                print("paused", file=out, flush=True)
            except OutOfMemory as error:
                print("memory", error, file=out, flush=True)
                os._exit(1)  # what is left of the trial goes with the process


def _read_into(
    lines: Iterable[str], trials: "queue.Queue[str]", asked: threading.Event, home: int | None
) -> None:
    with suppress(OSError):
        for line in lines:
            word, _, content = line.partition(" ")
            if word == "run":
                asked.clear()  # here, in the order of the lines: a pause that follows must not be lost
                trials.put(content)
            else:
                asked.set()
    # The driver is gone (killed perhaps): nobody would read this worker's records.
    if home is not None:
        with suppress(OSError):
            os.setpgid(0, home)  # out of the group, to kill the rest of it
            os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def _lead_group() -> int | None:
    """Leads a process group of its own from now on. Returns the group before; None where that failed."""
    home = os.getpgrp()
    try:
        os.setpgid(0, 0)
    except OSError:
        return None
    return home


def _print_to(log: str) -> None:
    """Both output streams, of Python and of the process, go to the end of a file."""
    aside = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for stream in (1, 2):
        os.dup2(aside, stream)
    os.close(aside)
    sys.stdout = sys.stderr = os.fdopen(2, "w", 1, closefd=False)
