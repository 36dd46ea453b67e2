"""Exact counts: top-k with ties, layer densities that add up, random masks."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sparsebench.errors import SparsebenchError
from sparsebench.methods.masks import (
    counts,
    erk_densities,
    global_top,
    keep_count,
    layerwise_top,
    random_masks,
    scoped_top,
    top,
)

LENET = {"a": (300, 784), "b": (100, 300), "c": (10, 100)}
shapes = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    min_size=1,
    max_size=6,
)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, -1.0]), min_size=1, max_size=60), st.data())
def test_top_keeps_exactly_k_and_the_lower_index_of_a_tie(values, data):
    k = data.draw(st.integers(0, len(values)))
    mask = top(torch.tensor(values), k)
    ranked = sorted(range(len(values)), key=lambda i: (-values[i], i))[:k]
    assert mask.nonzero().flatten().tolist() == sorted(ranked)


def test_top_refuses_scores_that_are_not_numbers():
    with pytest.raises(SparsebenchError, match="not numbers"):
        top(torch.tensor([1.0, math.nan]), 1)


def test_global_ranks_over_layers_and_layerwise_within_them():
    scores = {"a": torch.tensor([5.0, 4.0, 3.0, 2.0]), "b": torch.tensor([1.0, 0.5])}
    everywhere = global_top(scores, 3)
    assert everywhere["a"].tolist() == [True, True, True, False]
    assert everywhere["b"].tolist() == [False, False]
    within = layerwise_top(scores, {"a": 2, "b": 1})
    assert within["a"].tolist() == [True, True, False, False]
    assert within["b"].tolist() == [True, False]


@pytest.mark.parametrize("scope", ["global", "layerwise"])
@given(sparsity=st.floats(0, 0.999), sizes=st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_scopes_meet_the_total_exactly(scope, sparsity, sizes):
    scores = {str(i): torch.rand(n) for i, n in enumerate(sizes)}
    masks = scoped_top(scores, sparsity, scope)
    assert sum(int(m.sum()) for m in masks.values()) == keep_count(sparsity, sum(sizes))


def test_erk_of_lenet_is_the_papers():
    """s = 0.9: (.0796, .2302, 1); the small last layer is dense and ε is solved again."""
    found = erk_densities(LENET, 0.1)
    assert [round(found[name], 4) for name in "abc"] == [0.0796, 0.2302, 1.0]


@given(shapes, st.floats(0.001, 1.0))
def test_erk_meets_the_total(shapes, density):
    """By solving ε again, not by clipping, which would miss the total."""
    found = erk_densities(shapes, density)
    assert all(0 <= value <= 1 for value in found.values())
    total = sum(found[name] * math.prod(shape) for name, shape in shapes.items())
    size = sum(math.prod(shape) for shape in shapes.values())
    assert total == pytest.approx(density * size, rel=1e-6)


@given(shapes, st.floats(0, 0.999), st.sampled_from(["erk", "uniform"]))
def test_random_masks_have_the_exact_total(shapes, sparsity, distribution):
    masks = random_masks(shapes, sparsity, distribution, torch.Generator().manual_seed(0))
    size = sum(math.prod(shape) for shape in shapes.values())
    assert sum(int(m.sum()) for m in masks.values()) == keep_count(sparsity, size)


def test_random_masks_follow_their_seed():
    draw = [random_masks(LENET, 0.9, "erk", torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert all(torch.equal(draw[0][name], draw[1][name]) for name in LENET)
    assert not torch.equal(draw[0]["a"], draw[2]["a"])


@given(st.dictionaries(st.text("xyz", min_size=1), st.integers(1, 500), min_size=1), st.floats(0, 1))
def test_counts_sum_to_the_total(sizes, density):
    total = round(density * sum(sizes.values()))
    found = counts(dict.fromkeys(sizes, density), sizes, total)
    assert sum(found.values()) == total
    assert all(0 <= found[name] <= sizes[name] for name in sizes)
