"""How many records a second the driver takes with few entries and with thousands: trials that do nothing.

Everything but the trials is real: studies, records, Optuna, MLflow, state.json. `many_entries.py [RECORDS]`.
"""

import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import driver
from driver import campaign, suite, without_training
from sparsebench.bench.config.trial_spec import Trial
from sparsebench.bench.executors.base import FinishedTrial
from timing import write

ENTRIES = (24, 240, 2400)
TRIALS = 16  # of each search


class Enough(Exception):
    """As many records as were asked for."""


@dataclass
class Counting(driver.Instant):
    """Ends the campaign at a number of records, and keeps the time from the first trial to it."""

    most: int = 1000
    count: int = 0
    began: float = 0.0

    def submit(self, trial: Trial) -> None:
        self.began = self.began or time.perf_counter()
        super().submit(trial)

    def wait(self, timeout: float) -> list[FinishedTrial]:
        if self.count >= self.most:
            raise Enough
        back = super().wait(timeout)
        self.count += len(back)
        return back


def seconds(out: Path, entries: int, records: int) -> float:
    """The time that a campaign of so many entries takes for so many records."""
    executor = Counting(most=records)
    driver.instant.__globals__["Instant"] = lambda: executor
    with suppress(Enough):
        campaign.run(suite(entries, TRIALS), out=out)
    return time.perf_counter() - executor.began


def main(records: int = 1000) -> None:
    without_training()
    table = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:  # MLflow's thread may still write
        seconds(Path(place, "warm-up"), 2, 10)
        for entries in ENTRIES:
            start = time.process_time()
            took = seconds(Path(place, str(entries)), entries, records)
            table[f"{entries} entries"] = {
                "records_a_second": round(records / took, 1),
                "processor_ms_a_record": round(1000 * (time.process_time() - start) / records, 2),
            }
    write("many_entries", "records a second that the driver takes, of trials that do nothing", table)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
