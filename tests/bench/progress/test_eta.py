"""The time that is left."""

from collections.abc import Callable

from sparsebench.bench.progress.eta import EtaEstimator, RemainingWork
from sparsebench.records.record import Record


def test_the_time_left_is_the_work_over_the_places(make_record: Callable[..., Record]) -> None:
    pace = EtaEstimator()
    mine, other = ("digits-lenet_300_100", "dense"), ("mnist-lenet5", "dense")
    assert pace.left([RemainingWork(mine, 10, 4)], 2) is None
    pace.learn(make_record(seconds=10.0))
    pace.learn(make_record(seconds=20.0))
    pace.learn(make_record(seconds=900.0, status="failed", val_accuracy=None))
    pace.learn(make_record(seconds=60.0, entry="dwf", dataset="mnist", model="lenet5"))
    assert pace.seconds(mine) == 15
    assert pace.seconds((mine[0], "new")) == 15  # its task's mean
    assert pace.seconds(other) == 60
    assert pace.seconds(("none", "none")) == 30  # everyone's
    assert pace.left([RemainingWork(mine, 10, 4), RemainingWork(other, 5, 4)], 2) == (150 + 300) / 2
    assert pace.left([RemainingWork(mine, 10, 4, (5.0, 100.0))], 2) == (150 - 5 - 15) / 2
    assert pace.left([RemainingWork(mine, 8, 4)], 64) == 8 * 15 / 4  # a search asks four at a time
    assert pace.left([], 2) == 0
