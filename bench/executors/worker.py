"""A warm worker process: trials come in as JSON lines, records go out as JSON lines.

It knows neither Optuna nor MLflow. It ends with its driver: when the standard input closes, so does it.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback


def _read_into(lines: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        lines.put(line)
    # The driver is gone (killed perhaps): nobody would read this worker's records.
    os._exit(0)


def main() -> None:
    """`worker DEVICE THREADS DATA_ROOT [PLUGIN …]`; an empty DATA_ROOT is the default one."""
    device, threads, data_root, *plugins = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver decides
    os.environ.setdefault("OMP_NUM_THREADS", threads)
    records = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    sys.stdout = sys.stderr  # what a method, a library or a program they start prints must not mix
    os.dup2(sys.stderr.fileno(), 1)  # with the records
    import torch

    torch.set_flush_denormal(True)  # before any thread starts: it holds for threads started later
    torch.set_num_threads(int(threads))
    from ... import errors, registry
    from .. import trial as trials
    from ..spec import Trial

    for plugin in plugins:
        registry.load_plugin(plugin)
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_into, args=(lines,), daemon=True).start()
    print(json.dumps({"ready": os.getpid()}), file=records, flush=True)
    while True:
        trial = Trial.model_validate_json(lines.get())
        start = time.perf_counter()
        try:
            record = trials.run(trial, data_root=data_root or None, device=device)
        except errors.SparsebenchError as error:
            record = trials.failed(trial, str(error), device=device, seconds=time.perf_counter() - start)
        except Exception as error:
            traceback.print_exc()
            reason = f"{type(error).__name__}: {error}"
            record = trials.failed(trial, reason, device=device, seconds=time.perf_counter() - start)
            if "cuda" in device:
                torch.cuda.empty_cache()
        print(record.to_json(), file=records, flush=True)


if __name__ == "__main__":
    main()
