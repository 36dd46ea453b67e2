"""What a training cost, by hand: steps by purpose, multiply-accumulates and bytes relative to dense training.

The net has 36·32 + 32·4 = 1280 prunable weights, each of which is one multiply-accumulate an image, and 36
biases. The budget is 60 steps of 32 images, and a sparsity of 0.75 leaves a quarter of the cost.
"""

import pytest
from sparsebench.bench.conformance import training
from sparsebench.records.fields import TrainingResult

P, BIASES, STEPS, KEPT = 1280, 36, 60, 0.25
DENSE_BYTES = 2 * 4 * (P + BIASES)  # a weight and its momentum


def outcome_of(method: str, optimizer: str = "sgd", **knobs: object) -> TrainingResult:
    made, _ = training(method, knobs, optimizer=optimizer)
    return made.run()


SPARSE = {"sparsity": 0.75}
CASES = {
    "dense": ({}, {"train": 60}, 60.0),
    "random": (SPARSE, {"train": 60}, 60 * KEPT),
    "snip": ({**SPARSE, "batches": 2}, {"scoring": 2, "train": 58}, 2 + 58 * KEPT),
    # g takes one step for a batch, Hg two
    "grasp": ({**SPARSE, "batches": 2}, {"scoring": 6, "train": 54}, 6 + 54 * KEPT),
    # 1 + 100 passes of one image are four batches of 32
    "synflow": (SPARSE, {"scoring": 4, "train": 56}, 4 + 56 * KEPT),
    "magnitude": ({**SPARSE, "finetune": 0.25}, {"train": 45, "finetune": 15}, 45 + 15 * KEPT),
    # densities 1, ½ and ¼
    "lrr": ({**SPARSE, "levels": 2}, {"dense": 20, "level 1": 20, "level 2": 20}, 20 + 10 + 5.0),
    # 1 + 2·0.75 trainings share the budget: 24 steps, then 18 and 18 that resume at a quarter
    "lth": (
        {**SPARSE, "levels": 2, "rewind": 0.25},
        {"dense": 24, "level 1": 18, "level 2": 18},
        24 + 9 + 4.5,
    ),
    # 5% dense, then four times 10% sparse and 10% dense, then the 15% that remain sparse
    "acdc": (SPARSE, {"dense": 27, "sparse": 33}, 27 + 33 * KEPT),
    "set": (SPARSE, {"train": 60}, 60 * KEPT),
    "dwf": ({"depth": 3}, {"train": 60}, 60.0),
    "l0": ({}, {"train": 60}, 60.0),
}


@pytest.mark.filterwarnings("ignore:decay budget")
@pytest.mark.parametrize("method", list(CASES))
def test_steps_by_purpose_and_multiply_accumulates(method):
    knobs, budget, cost = CASES[method]
    outcome = outcome_of(method, **knobs)
    assert outcome.budget == budget
    assert outcome.steps == STEPS == sum(budget.values())
    assert outcome.training_flops_ratio == pytest.approx(cost / STEPS)


def test_gradual_pruning_pays_for_what_is_left_at_every_step():
    """36 events from step 9 to 45, the k-th at s = ¾(1-(1-k/36)³)."""
    outcome = outcome_of("gmp", sparsity=0.75, start=0.15, end=0.75, events=36)
    live = [P] * STEPS
    for event in range(1, 37):
        left = round(P * (1 - 0.75 * (1 - (1 - event / 36) ** 3)))
        live[9 + event :] = [left] * (STEPS - 9 - event)
    assert outcome.training_flops_ratio == pytest.approx(sum(live) / (P * STEPS))


def test_an_update_of_rigl_pays_for_the_dense_gradient():
    """Of a step's three passes the third, ∂L/∂w, is dense then: (2·¼+1)/3 in place of ¼."""
    outcome = outcome_of("rigl", sparsity=0.75, end=0.75)
    updates = [step for step in range(1, 45) if step % 10 == 0]
    cost = STEPS * KEPT + len(updates) * (1 - KEPT) / 3
    assert outcome.training_flops_ratio == pytest.approx(cost / STEPS)


def test_memory_of_masks_is_five_bytes_a_weight():
    """A boolean, and the number that the weight is multiplied by."""
    for method in ("random", "snip", "grasp", "synflow", "magnitude", "lrr", "rigl", "acdc"):
        found = outcome_of(method, sparsity=0.75).training_memory_ratio
        assert found == pytest.approx(1 + 5 * P / DENSE_BYTES), method
    assert outcome_of("dense").training_memory_ratio == 1.0


def test_memory_of_a_ticket_counts_the_weights_it_goes_back_to():
    found = outcome_of("lth", sparsity=0.75).training_memory_ratio
    assert found == pytest.approx(1 + (5 * P + 4 * (P + BIASES)) / DENSE_BYTES)


@pytest.mark.filterwarnings("ignore:decay budget")
@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize(("optimizer", "buffers"), [("sgd", 1), ("adamw", 2)])
def test_memory_of_factors_is_that_of_all_factors_and_their_buffers(depth, optimizer, buffers):
    found = outcome_of("dwf", optimizer, depth=depth).training_memory_ratio
    owned = depth * P + BIASES
    assert found == pytest.approx((P + owned + buffers * owned) / ((1 + buffers) * (P + BIASES)))


def test_memory_of_gates_is_noise_and_both_moments():
    """θ with momentum, log a with Adam's two moments, the noise u, the weight itself."""
    found = outcome_of("l0").training_memory_ratio
    assert found == pytest.approx((P + 2 * P + 3 * P + P + 2 * BIASES) / (2 * (P + BIASES)))
