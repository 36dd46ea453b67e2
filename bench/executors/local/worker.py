"""A slot's warm process on this machine: it reads trials, runs each in a process of its own, writes records.

Commands: `run <trial as JSON>`, `try <rehearsal as JSON>`, `pause`. Answers: `ready`, `record <JSON>`,
`tried <outcome as JSON>`, `paused`, `memory <reason>`, `died <how>`; pool.py has a sketch. The worker itself
imports plugins and opens data, and never runs a method's code; what a trial's process leaves behind is killed
with it. A worker ends with its driver: when the commands end. SIGTERM and SIGHUP pause its trial like
`pause`.
"""

import os
import signal
import sys
from contextlib import suppress
from functools import partial
from multiprocessing.connection import wait

from ...system.isolation.process_tree import adopt_orphans, kill_strays
from ..execute import answer_of, prepare_process
from ..first_step import outcomes_of
from ..trial_process import TrialProcess, empty_input, write_all
from ..warm_process import WarmProcess
from .worker_setup import WorkerSetup, take_over


def main(commands: int, answers: int, log: int) -> None:
    """Runs trials, one after another, until the commands end.

    Args:
        commands: The descriptor of the worker's end of the commands pipe.
        answers: That of the answers pipe.
        log: That of the file for all standard output and error of this process and its trials.
    """
    # A process group, signals and streams of its own
    with suppress(OSError):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which pauses its workers
    _print_to(log)
    adopt_orphans()
    # The driver's environment, folder and search path; then the plugins' methods and datasets
    lines = Commands(commands)
    while not (first := lines.read()):
        if lines.over:
            return
    setup = take_over(first.pop(0))
    os.environ["OMP_NUM_THREADS"] = str(setup.threads)
    prepare_process(threads=1)  # to open data: a process that has used several cannot be forked safely
    warm = WarmProcess(closing=(commands, answers))
    warm.load_plugins(setup.plugins)
    Worker(setup, lines, answers, warm).serve(first)


class Commands:
    """The lines of the commands pipe.

    Attributes:
        descriptor: The worker's end of the pipe.
        over: Whether the driver's end has closed.

    Example:
        >>> there, here = os.pipe()
        >>> _ = os.write(here, b"run {}\\npau")
        >>> commands = Commands(there)
        >>> commands.read()
        ['run {}']
        >>> _ = os.write(here, b"se\\n")
        >>> commands.read()
        ['pause']
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.over = descriptor, False
        self._buffer = b""

    def read(self) -> list[str]:
        """Returns the complete lines that have come; waits until some part of one comes, or the end."""
        chunk = os.read(self.descriptor, 1 << 20)
        self.over = not chunk
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        return [line.decode() for line in lines]


class Worker:
    """The loop of a worker: one trial at a time, each in a process of its own.

    Args:
        setup: The device, threads and folders.
        commands: The worker's end of the commands pipe.
        answers: The descriptor of its end of the answers pipe.
        warm: What this process has done ahead.

    Example:
        >>> there, here = os.pipe()
        >>> setup = WorkerSetup("cpu", threads=1, checkpoint_seconds=60.0)
        >>> worker = Worker(setup, Commands(there), here, WarmProcess())
        >>> worker.take("run " + trial.model_dump_json())
        >>> while worker.busy:
        ...     _ = worker.look()
        >>> os.read(there, 12)
        b'record {"sch'
    """

    def __init__(self, setup: WorkerSetup, commands: Commands, answers: int, warm: WarmProcess) -> None:
        self._setup, self._commands, self._answers, self._warm = setup, commands, answers, warm
        self._process: TrialProcess | None = None
        self._pausing = False
        self._run = partial(
            answer_of, threads=setup.threads, device=setup.device, data_root=setup.data_root,
            checkpoints=setup.checkpoints, models=setup.models, every_seconds=setup.checkpoint_seconds,
        )  # fmt: skip

    @property
    def busy(self) -> bool:
        """Whether a trial runs."""
        return self._process is not None

    def serve(self, commands: list[str]) -> None:
        """Carries out these commands and those that come, until they end; then nothing below it is left."""
        for number in (signal.SIGTERM, signal.SIGHUP):  # from a scheduler, a terminal: write a checkpoint
            signal.signal(number, lambda number, frame: self._pause())
        self._answer("ready")
        with suppress(BrokenPipeError):
            while not self._commands.over:
                for command in commands:
                    self.take(command)
                commands = self.look()
        if self._process is not None:
            self._process.end()
        kill_strays()

    def look(self) -> list[str]:
        """Waits for commands, which it returns, or for the running trial's end, which it answers."""
        process = self._process
        watched = [self._commands.descriptor, *(process.watched if process else ())]
        ready = wait(watched, process.patience if process else None)
        if process is not None and (said := process.answer()) is not None:
            self._process = None
            process.end()  # before the answer: another trial starts without what it has left
            self._answer(said)
        return self._commands.read() if self._commands.descriptor in ready else []

    def take(self, command: str) -> None:
        """Carries out one command."""
        word, _, trial = command.partition(" ")
        if word == "pause":
            self._pause()
            return
        if word == "try":
            self._process = self._warm.fork(partial(outcomes_of, trial))
            return
        self._pausing = False  # here, in the order of the lines: a pause that follows must not be lost
        self._warm.open(trial, self._setup.data_root, self._setup.device)
        self._process = self._warm.fork(partial(self._run, trial))
        if self._pausing:  # by a signal, meanwhile
            self._process.pause()

    def _pause(self) -> None:
        self._pausing = True
        if self._process is not None:
            self._process.pause()

    def _answer(self, line: str) -> None:
        write_all(self._answers, line.encode() + b"\n")


def _print_to(log: int) -> None:
    """Redirects standard output and error, of Python and of the process, to a file; the input is empty."""
    empty_input()
    for stream in (1, 2):
        os.dup2(log, stream)
    if log > 2:
        os.close(log)
    sys.stdout = sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
