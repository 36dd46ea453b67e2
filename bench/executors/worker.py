"""A warm worker process on this machine: trials come in as lines, records go out as lines.

In: `run <trial as JSON>`, `pause`. Out: `ready`, `record <JSON>`, `paused`, `memory <reason>`. It ends with
its driver: when the standard input closes, so does it.
"""

import os
import queue
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path


def _read_into(trials: "queue.Queue[str]", asked: threading.Event) -> None:
    for line in sys.stdin:
        word, _, content = line.partition(" ")
        if word == "run":
            asked.clear()  # here, in the order of the lines: a pause that follows must not be lost
            trials.put(content)
        else:
            asked.set()
    # The driver is gone (killed perhaps): nobody would read this worker's records.
    os._exit(0)


def main(arguments: Sequence[str]) -> None:
    """DEVICE THREADS SECONDS DATA_ROOT CHECKPOINTS MODELS [PLUGIN …]; an empty folder is none given.

    SECONDS is the time between two checkpoints.
    """
    device, threads, seconds, data_root, checkpoints, models, *plugins = arguments
    asked = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver decides
    for number in (signal.SIGTERM, signal.SIGHUP):  # a scheduler's, a terminal's: save what there is
        signal.signal(number, lambda number, frame: asked.set())
    os.environ["OMP_NUM_THREADS"] = threads
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    sys.stdout = sys.stderr  # what a method, a library or a program they start prints must not mix
    os.dup2(sys.stderr.fileno(), 1)  # with the records
    from ... import registry
    from ..keeper import Paused
    from ..spec import Trial
    from .work import OutOfMemory, perform, prepare

    prepare(int(threads))
    for plugin in plugins:
        registry.load_plugin(plugin)
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_into, args=(lines, asked), daemon=True).start()
    print("ready", file=answers, flush=True)
    while True:
        trial = Trial.model_validate_json(lines.get())
        try:
            record = perform(
                trial, device=device, data_root=data_root or None,
                checkpoints=Path(checkpoints) if checkpoints else None,
                models=Path(models) if models else None,
                every_seconds=float(seconds), asked=asked.is_set,
            )  # fmt: skip
            print("record", record.to_json(), file=answers, flush=True)
        except Paused:
            print("paused", file=answers, flush=True)
        except OutOfMemory as error:
            print("memory", error, file=answers, flush=True)
            os._exit(1)  # what is left of the trial goes with the process
