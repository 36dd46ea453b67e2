"""What a search depended on, on searches whose answer is known."""

import math
import random
import sys
from typing import Any

import pytest
from sparsebench.bench.search.importance import ASSIGNED, LEAST_TRIALS, OBJECTIVES, importance
from sparsebench.records.record import Record


def trial(number: int, params: dict[str, Any], accuracy: float, compression: float, **more: Any) -> Record:
    content = {
        "id": f"{number:016x}", "config": "c", "suite": "s", "entry": "e", "dataset": "d", "model": "m",
        "method": "e", "knobs": {}, "params": params, "trial": number, "seed": 0, "phase": "search",
        "status": "ok", "val_accuracy": accuracy, "compression": compression, "command": "none",
        "data_digest": "x", "device": "none",
    }  # fmt: skip
    return Record.model_validate(content | more)


def search(count: int = 40) -> list[Record]:
    """Accuracy hangs on lr alone, compression on the target alone; `idle` on nothing."""
    rng = random.Random(1)
    found = []
    for number in range(count):
        lr, target, idle = 10 ** rng.uniform(-2, 0), 10 ** rng.uniform(0.3, 3), rng.choice(["a", "b"])
        accuracy = 0.9 - 0.2 * (math.log10(lr) + 1) ** 2
        params = {"lr": lr, "compression_for_sparsity": target, "idle": idle, "fixed": 3}
        found.append(trial(number, params, accuracy, target))
    return found


def test_the_knob_that_decides_is_the_important_one() -> None:
    shares = importance(search())["d-m"]
    assert tuple(shares) == OBJECTIVES
    for objective, knob in zip(OBJECTIVES, ("lr", "sparsity"), strict=True):
        found = shares[objective]["e"]
        assert set(found) == {"lr", "sparsity", "idle"}
        assert sum(found.values()) == pytest.approx(1)
        assert max(found, key=lambda name: found[name]) == knob and found[knob] > 0.6


def test_the_answer_repeats_and_hangs_on_the_search_alone() -> None:
    records = search()
    others = [
        trial(900 + i, {"lr": 0.1}, 0.5, 5.0, phase="confirm", entry="e", status="ok") for i in range(20)
    ]
    failed = [trial(990, {"lr": 0.1}, 0.5, 5.0, status="failed")]
    assert importance(records) == importance([*records, *others, *failed])


@pytest.mark.parametrize("count", [0, 1, LEAST_TRIALS - 1])
def test_few_trials_say_nothing(count: int) -> None:
    assert importance(search(count)) == {}


def test_constant_outcomes_and_one_knob_are_no_error() -> None:
    same = [trial(i, {"lr": 0.1 + i / 100, "wd": 0.2 + (i * 7 % 5)}, 0.5, 1.0) for i in range(20)]
    assert importance(same) == {}
    assert importance([trial(i, {"lr": 0.1 + i / 100}, 0.5, 2.0) for i in range(20)]) == {}


def test_odd_parameters_are_left_out() -> None:
    records = [
        record.model_copy(update={"params": {**record.params, "list": [1], "mixed": i if i % 2 else "x"}})
        for i, record in enumerate(search())
    ]
    assert {k for shares in importance(records)["d-m"].values() for k in shares["e"]} == {
        "lr", "sparsity", "idle",
    }  # fmt: skip


def test_it_needs_no_torch() -> None:
    import subprocess

    code = (
        "import sys; from sparsebench.bench.search import importance as i\n"
        "assert 'optuna' not in sys.modules\n"
        "import optuna.importance; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"


def test_with_assigned_compressions_accuracy_there_is_the_one_objective() -> None:
    """The accuracy falls with the assigned compression far more than with lr, and yet lr is what decides."""
    aimed = []
    for record in search():
        aim = (4.0, 16.0, 64.0)[(record.trial or 0) % 3]
        shown = {"at": aim, "val_accuracy": (record.val_accuracy or 0) / aim**0.5, "nonzeros": 9, "cut": True}
        more = {"compressions": (4.0, 16.0, 64.0), "aim": aim, "at_compressions": [shown]}
        aimed.append(Record.model_validate(record.model_dump(exclude={"schema_"}) | more))
    shares = importance(aimed)["d-m"]
    assert list(shares) == [ASSIGNED]
    assert max(shares[ASSIGNED]["e"].items(), key=lambda item: item[1])[0] == "lr"
