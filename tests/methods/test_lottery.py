"""Iterative magnitude pruning: rounds from one budget, nested masks, weights rewound bit for bit."""

import itertools
import math

import pytest
import torch
from sparsebench.bench.config.lr_schedule import rate, round_steps
from sparsebench.bench.training.clock import TrainingClock
from sparsebench.methods.api import configure
from sparsebench.methods.masks import keep_count
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Round
from torch import nn


def small_conv() -> Net:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    return Net(model, ["0.weight", "4.weight"], torch.Generator().manual_seed(0))


def train(method, net: Net, steps: int) -> list[dict[str, dict[str, torch.Tensor]]]:
    """Play the trainer through all rounds; the model and the masks at the start of each."""
    rounds, clock, seen = method.rounds(), TrainingClock(steps, 0.9), []
    sgd = torch.optim.SGD(net.model.parameters(), lr=0.05, momentum=0.9)
    net.optimizers = [sgd]
    for index, length in enumerate(round_steps(rounds, steps)):
        clock.round, clock.round_steps = index, length
        for clock.round_step in range(length):
            if clock.round_step == 0:
                method.start_round(net, clock)
                state = {key: value.clone() for key, value in net.model.state_dict().items()}
                seen.append({"model": state, "masks": dict(net.masks)})
            sgd.zero_grad()
            net.model(torch.randn(8, 2, 8, 8)).square().mean().backward()
            net.pull()
            sgd.step()
            net.push()
            method.after_step(net, clock)
            clock.step += 1
    return seen


@pytest.mark.parametrize("method", ["lth", "lrr"])
@pytest.mark.parametrize("levels", [1, 3, 7])
def test_each_level_removes_the_same_share_and_the_last_meets_the_target(method, levels):
    made = configure(method, {"sparsity": 0.9, "levels": levels})
    shares = [1 - made.level_sparsity(i) for i in range(levels + 1)]
    assert shares[0] == 1 and shares[-1] == pytest.approx(0.1)
    for before, after in itertools.pairwise(shares):
        assert after / before == pytest.approx(0.1 ** (1 / levels))


@pytest.mark.parametrize("method", ["lth", "lrr"])
def test_masks_are_nested_and_counted_exactly(method):
    net, made = small_conv(), configure(method, {"sparsity": 0.9, "levels": 3})
    seen = train(made, net, 40)
    made.finalize(net)
    assert seen[0]["masks"] == {}
    for level in range(1, 4):
        masks = seen[level]["masks"]
        kept = keep_count(made.level_sparsity(level), net.size)
        assert sum(int(mask.sum()) for mask in masks.values()) == kept
        if level > 1:
            assert all(not bool((masks[n] & ~seen[level - 1]["masks"][n]).any()) for n in net.names)
    assert sum(int(net.weight(n).count_nonzero()) for n in net.names) == keep_count(0.9, net.size)


@pytest.mark.parametrize(("rewind", "step"), [(0.0, 0), (0.3, 4)])
def test_survivors_go_back_to_step_k_bit_for_bit(rewind, step):
    """Weights, biases, BatchNorm's own weights and its running statistics; the masked weights are 0."""
    net, made = small_conv(), configure("lth", {"sparsity": 0.75, "levels": 2})
    made.rewind = rewind  # beyond what a search covers, so that k is some steps of a tiny training
    total = {0.0: 30, 0.3: 34}[rewind]
    first = round_steps(made.rounds(), total)[0]
    assert round(rewind * first) == step
    twin, checkpoint = small_conv(), None
    sgd = torch.optim.SGD(twin.model.parameters(), lr=0.05, momentum=0.9)
    torch.manual_seed(1)
    for _ in range(step):
        sgd.zero_grad()
        twin.model(torch.randn(8, 2, 8, 8)).square().mean().backward()
        sgd.step()
    checkpoint = twin.model.state_dict()
    torch.manual_seed(1)
    for start in train(made, net, total)[1:]:
        for key, value in start["model"].items():
            expected = checkpoint[key] * start["masks"].get(key, 1)
            assert torch.equal(value, expected), key


def test_what_is_pruned_is_chosen_from_the_trained_weights_not_the_rewound_ones():
    net, made = small_conv(), configure("lth", {"sparsity": 0.5, "levels": 1, "rewind": 0.0})
    clock = TrainingClock(10, 0.9, round_steps=5)
    made.start_round(net, clock)
    start = net.weight("0.weight").clone()
    with torch.no_grad():
        for name in net.names:
            net.weight(name).copy_(torch.linspace(0, 1, net.weight(name).numel()).view_as(net.weight(name)))
    clock.round = 1
    made.start_round(net, clock)
    mask = net.masks["0.weight"].flatten()
    assert mask.tolist() == sorted(mask.tolist())  # the later, the larger
    assert torch.equal(net.weight("0.weight"), start * net.masks["0.weight"])


def test_learning_rate_rewinding_keeps_the_weights():
    net, made = small_conv(), configure("lrr", {"sparsity": 0.5, "levels": 1})
    before = {name: net.weight(name).clone() for name in net.names}
    made.start_round(net, TrainingClock(10, 0.9, round=1))
    for name in net.names:
        assert torch.equal(net.weight(name), before[name] * net.masks[name])


def test_all_rounds_share_one_budget():
    for levels in (1, 3, 6):
        for rewind in (0.0, 0.02, 0.05):
            rounds = configure("lth", {"levels": levels, "rewind": rewind}).rounds()
            assert math.isclose(sum(r.share for r in rounds), 1)
            assert len(rounds) == levels + 1
            assert all(math.isclose(r.share, rounds[0].share * (1 - rewind)) for r in rounds[1:])
            assert all(r.resume == rewind and r.restart for r in rounds[1:])
    assert configure("lrr", {"levels": 1}).rounds() == (
        Round(0.5, "dense"),
        Round(0.5, "level 1", restart=True),
    )


def test_the_schedule_resumes_where_the_weights_were_saved():
    """With k = 5% of 1000 steps, the first rate of a level is that of the dense training's step 50."""
    rounds = configure("lth", {"levels": 1, "rewind": 0.05}).rounds()
    dense, level = round_steps(rounds, 1950)
    assert (dense, level) == (1000, 950)
    for step in (0, 100, 949):
        resumed = rate("cosine", 0.02, 0.1, rounds[1], step, level)
        assert resumed == pytest.approx(rate("cosine", 0.02, 0.1, rounds[0], step + 50, dense))
