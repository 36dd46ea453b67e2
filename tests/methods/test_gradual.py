"""Gradual magnitude pruning and the helper that all magnitude methods share."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sparsebench.bench.training.clock import TrainingClock
from sparsebench.errors import SparsebenchError
from sparsebench.methods.api import configure
from sparsebench.methods.gradual import cubic
from sparsebench.methods.magnitude import keep_largest
from sparsebench.methods.masks import keep_count
from sparsebench.methods.net import Net
from torch import nn


def random_net(*widths: int) -> Net:
    torch.manual_seed(0)
    layers = [nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(widths)]
    names = [f"{i}.weight" for i in range(len(layers))]
    return Net(nn.Sequential(*layers), names, torch.Generator().manual_seed(0))


def living(net: Net) -> int:
    return sum(int(net.weight(name).count_nonzero()) for name in net.names)


def at(step: int, steps: int) -> TrainingClock:
    return TrainingClock(steps, 0.9, step=step, round_step=step, round_steps=steps)


def run(method, net: Net, steps: int) -> list[int]:
    """The living weights after each step, the weights themselves moving at random but for the masked ones."""
    counts = []
    for step in range(steps):
        for name in net.names:
            net.weight(name).add_(0.01 * torch.randn_like(net.weight(name)))
        net.push()
        method.after_step(net, at(step, steps))
        counts.append(living(net))
    return counts


def test_the_cubic_schedule_at_its_start_middle_and_end():
    assert [cubic(p, 0.8) for p in (0.0, 0.5, 1.0)] == [0.0, pytest.approx(0.875 * 0.8), 0.8]


def test_gmp_prunes_at_its_events_and_at_no_other_step():
    """t₀ = 10, t₁ = 50, four events: after 20, 30, 40 and 50 steps at 1-(1-i/4)³ of the target."""
    net = random_net(20, 30, 10)
    method = configure("gmp", {"sparsity": 0.8, "start": 0.1, "end": 0.5, "events": 4})
    counts = run(method, net, 100)
    expected = [keep_count(0.8 * (1 - (1 - i / 4) ** 3), net.size) for i in range(5)]
    assert expected[0] == net.size and expected[4] == 180
    ends = [0, 19, 29, 39, 49, 100]
    for count, start, end in zip(expected, ends, ends[1:], strict=False):
        assert set(counts[start:end]) == {count}


def test_gmp_masks_are_nested():
    net = random_net(20, 30, 10)
    method = configure("gmp", {"sparsity": 0.9, "events": 20})
    before = None
    for step in range(60):
        for name in net.names:
            net.weight(name).normal_()
        net.push()
        method.after_step(net, at(step, 60))
        if before:
            assert all(not bool((net.masks[n] & ~before[n]).any()) for n in net.names)
        before = dict(net.masks)
    assert living(net) == 90


def test_gmp_reaches_its_target_in_a_training_shorter_than_its_events():
    net = random_net(10, 10)
    method = configure("gmp", {"sparsity": 0.9, "events": 60})
    assert run(method, net, 4)[-1] == 10
    net = random_net(10, 10)
    method.state.clear()
    method.finalize(net)
    assert living(net) == 10


def test_gmp_forgets_momentum_of_what_it_prunes():
    net = random_net(4, 4)
    sgd = torch.optim.SGD(net.model.parameters(), lr=0.1, momentum=0.9)
    net.optimizers = [sgd]
    net.grad("0.weight").fill_(1.0)
    sgd.step()
    keep_largest(net, 0.5, "global")
    buffer = sgd.state[net.weights_by_name["0.weight"]]["momentum_buffer"]
    assert torch.equal(buffer != 0, net.masks["0.weight"])


def test_gmp_without_sparsity_changes_no_bit():
    net = random_net(8, 8, 4)
    before = {name: net.weight(name).clone() for name in net.names}
    method = configure("gmp", {"sparsity": 0.0, "events": 3})
    for step in range(10):
        method.after_step(net, at(step, 10))
    method.finalize(net)
    assert all(torch.equal(net.weight(name), before[name]) for name in net.names)


def test_gmp_needs_time_to_prune():
    with pytest.raises(SparsebenchError, match=r"start = 0\.8 must be less than end = 0\.75"):
        configure("gmp", {"start": 0.8})


def test_keep_largest_by_hand():
    """Ties go to the lower index; what is masked does not come back for being 0 like a living weight."""
    net = random_net(4, 2)
    net.weight("0.weight").copy_(torch.tensor([[3.0, -2.0, 1.0, 0.0], [0.0, 2.0, -1.0, 0.5]]))
    keep_largest(net, 0.5, "global")
    assert net.masks["0.weight"].tolist() == [[True, True, True, False], [False, True, False, False]]
    net.weight("0.weight")[0, 0] = 0.0
    keep_largest(net, 0.5, "global")
    assert net.masks["0.weight"].tolist() == [[True, True, True, False], [False, True, False, False]]
    keep_largest(net, 0.625, "global")
    assert net.masks["0.weight"].tolist() == [[False, True, True, False], [False, True, False, False]]


@given(
    widths=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    levels=st.lists(st.floats(0, 0.99), min_size=1, max_size=6),
    scope=st.sampled_from(["global", "layerwise"]),
)
def test_rising_sparsities_are_met_exactly_and_masks_nested(widths, levels, scope):
    net = random_net(*widths)
    before = {name: torch.ones_like(net.weight(name), dtype=torch.bool) for name in net.names}
    for sparsity in sorted(levels):
        keep_largest(net, sparsity, scope)
        assert sum(int(mask.sum()) for mask in net.masks.values()) == keep_count(sparsity, net.size)
        assert all(not bool((net.masks[name] & ~before[name]).any()) for name in net.names)
        before = dict(net.masks)
