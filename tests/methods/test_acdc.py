"""AC/DC: phases of one budget and one schedule, fresh masks, restored weights from zero."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sparsebench.bench.config.lr_schedule import rate, round_steps
from sparsebench.bench.training.clock import TrainingClock
from sparsebench.methods.acdc import ACDC
from sparsebench.methods.api import configure
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Round
from torch import nn


def line(values: list[float]) -> Net:
    model = nn.Linear(len(values), 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([values]))
    return Net(model, ["weight"], torch.Generator().manual_seed(0))


def test_the_default_phases():
    """5% dense, four times 10% sparse and 10% dense, the last 15% sparse."""
    phases = configure("acdc", {}).phases()
    assert [name for name, _ in phases] == ["dense", *["sparse", "dense"] * 4, "sparse"]
    assert [share for _, share in phases] == pytest.approx([0.05, *[0.1] * 8, 0.15])


@given(phase=st.floats(0.001, 0.5), first=st.floats(0, 0.5), last=st.floats(0.01, 0.9))
def test_phases_alternate_and_fill_the_budget(phase, first, last):
    phases = ACDC(phase=phase, first=first, last=last).phases()
    names = [name for name, _ in phases]
    assert math.isclose(sum(share for _, share in phases), 1)
    assert names[-1] == "sparse" and all(a != b for a, b in itertools.pairwise(names))
    assert phases[-1][1] >= min(last, 1 - first) - 1e-6


def test_one_schedule_runs_through_all_phases():
    rounds = configure("acdc", {}).rounds()
    found = [
        rate("cosine", 0.05, 0.1, round_, step, length)
        for round_, length in zip(rounds, round_steps(rounds, 1000), strict=True)
        for step in range(length)
    ]
    assert found == pytest.approx([rate("cosine", 0.05, 0.1, Round(), step, 1000) for step in range(1000)])


def test_the_optimizer_starts_anew_when_dense_training_returns():
    rounds = configure("acdc", {}).rounds()
    assert [r.restart for r in rounds] == [False, *[False, True] * 4, False]


def test_masks_are_ranked_afresh_and_restored_weights_start_at_zero():
    net, method = line([4.0, 3.0, 2.0, 1.0]), configure("acdc", {"sparsity": 0.5})
    clock = TrainingClock(100, 0.9)

    def start(round_: int) -> list[float]:
        clock.round = round_
        method.start_round(net, clock)
        return net.weight("weight")[0].tolist()

    assert start(0) == [4, 3, 2, 1] and not net.masks
    assert start(1) == [4, 3, 0, 0]
    assert start(2) == [4, 3, 0, 0] and not net.masks
    net.weight("weight").copy_(torch.tensor([[4.0, 0.5, 1.5, 1.0]]))
    assert start(3) == [4, 0, 1.5, 0]
    assert net.masks["weight"].tolist() == [[True, False, True, False]]
