"""A warm worker process on this machine, which reads trials and writes records as lines of two pipes.

Commands: `run <trial as JSON>`, `pause`. Answers: `ready`, `record <JSON>`, `paused`, `memory <reason>`;
pool.py has a sketch. A worker ends with its driver: when the commands pipe ends, it kills the processes that
it has forked or started, and exits. SIGTERM and SIGHUP pause its trial like `pause`.
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
    """The parameters of a worker, which hold for all its trials.

    Attributes:
        device: The torch device, such as "cpu" or "cuda:0".
        threads: CPU threads of a trial.
        checkpoint_seconds: Time between checkpoints.
        data_root: The folder of datasets; SPARSEBENCH_DATA or the user's cache where it is None.
        checkpoints: The folder of checkpoints; None writes none.
        models: The folder for finished models of the confirm phase; None writes none.
        plugins: Paths of the plugins, loaded in this order.

    Example:
        >>> from dataclasses import replace
        >>> setup = WorkerSetup("cuda:0", threads=1, checkpoint_seconds=60.0, plugins=("mine.py",))
        >>> replace(setup, device="cuda:1").plugins  # the same campaign in another slot
        ('mine.py',)
    """

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
    """Runs trials, one after another, until the commands end; a whole worker process. It does not return.

    Args:
        commands: The worker's end of the commands pipe, for reading.
        answers: The worker's end of the answers pipe, for writing.
        log: The file to whose end all standard output and error of this process go.
        environment: The driver's environment variables, which replace those of the fork server.
        setup: The device, threads, folders and plugins.
    """
    # A process group, signals, the environment and the streams of its own.
    home = _lead_group()
    asked = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which pauses its workers
    for number in (signal.SIGTERM, signal.SIGHUP):  # from a scheduler, a terminal: write a checkpoint
        signal.signal(number, lambda number, frame: asked.set())
    os.environ.clear()
    os.environ.update({**environment, "OMP_NUM_THREADS": str(setup.threads)})
    _print_to(log)
    from .... import registry
    from ..execute import prepare_process

    # The threads' settings, before any thread starts; then the plugins' methods and datasets.
    prepare_process(setup.threads)
    for plugin in setup.plugins:
        registry.load_plugin(plugin)
    # One thread reads commands, this one runs trials.
    trials: queue.Queue[str] = queue.Queue()
    lines = os.fdopen(os.dup(commands.fileno()), encoding="utf-8")
    threading.Thread(target=_read_into, args=(lines, trials, asked, home), daemon=True).start()
    try:
        _serve(trials, asked, os.dup(answers.fileno()), setup)
    except SystemExit as leave:  # of a method; the standard library would wait for its threads and children
        os._exit(leave.code if isinstance(leave.code, int) else 1)


def _serve(trials: "queue.Queue[str]", asked: threading.Event, answers: int, setup: WorkerSetup) -> None:
    """Runs the trials of a queue and writes an answer for each, until the process exits."""
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
                os._exit(1)  # what the trial has allocated goes with the process


def _read_into(
    lines: Iterable[str], trials: "queue.Queue[str]", asked: threading.Event, home: int | None
) -> None:
    """Queues the trials of the commands and sets `asked` on `pause`; exits the process where they end."""
    with suppress(OSError):
        for line in lines:
            word, _, content = line.partition(" ")
            if word == "run":
                asked.clear()  # here, in the order of the lines: a pause that follows must not be lost
                trials.put(content)
            else:
                asked.set()
    # The driver has ended, perhaps killed: no process would read this worker's records.
    if home is not None:
        with suppress(OSError):
            os.setpgid(0, home)  # out of the group, to kill the rest of it
            os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def _lead_group() -> int | None:
    """Makes this process the leader of a new group; returns the group before, or None where that failed."""
    home = os.getpgrp()
    try:
        os.setpgid(0, 0)
    except OSError:
        return None
    return home


def _print_to(log: str) -> None:
    """Redirects standard output and error, of Python and of the process, to the end of a file.

    Standard input is empty: a method, or a program that it starts, must not wait for the driver's terminal.
    """
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    aside = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for stream in (1, 2):
        os.dup2(aside, stream)
    os.close(aside)
    sys.stdout = sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
