"""A campaign's driver that a test can kill: `driver SUITE OUT URI`, then a moment a line on its input.

Each moment is one attempt in a process of its own (a fork, so that the libraries are imported once) on two
CPU slots: `append 3` dies after half of the third line of its records is written, `told 2` between that line
and the search, `mirror 1` while Optuna's storage is written, `seconds 2.5` wherever it is then. `end` lets it
run. Prints the exit status of each.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from sparsebench.bench.campaign import driver as campaign
from sparsebench.bench.search import storage_mirror as mirror
from sparsebench.bench.search import study as studies
from sparsebench.bench.tracking import publisher as track  # noqa: F401
from sparsebench.records.record import Record
from sparsebench.records.store import Store


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def on_call(owner: Any, name: str, number: int, act: Callable[..., None]) -> None:
    """Let `act` happen in place of the call of that number."""
    usual, left = getattr(owner, name), [number]

    def called(*args: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            act(*args, **more)
        return usual(*args, **more)

    setattr(owner, name, called)


def half_a_line(store: Store, record: Record) -> None:
    line = record.to_json().encode()
    with store.path.open("ab") as file:
        file.write(line[: len(line) // 2])
    die()


def arm(moment: str) -> None:
    kind, _, number = moment.partition(" ")
    if kind == "append":
        on_call(Store, "append", int(number), half_a_line)
    elif kind == "told":
        on_call(studies.Study, "take", int(number), lambda *args: die())
    elif kind == "mirror":
        on_call(mirror.StudyMirror, "_write", int(number), lambda *args: die())


def attempt(moment: str, suite: str, out: str, uri: str) -> int:
    """The exit status of one driver, negative for the signal that ended it."""
    child = os.fork()
    if child == 0:
        arm(moment)
        status = 1
        try:
            result = campaign.run(suite, out=out, devices="cpu:2", tracking_uri=uri)
            status = 0 if result.complete else 3
        finally:
            os._exit(status)
    if moment.startswith("seconds"):
        time.sleep(float(moment.split()[1]))
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for line in sys.stdin:
        print(attempt(line.strip(), *sys.argv[1:]), flush=True)
