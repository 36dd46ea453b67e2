"""The learning rate over a round, whole steps of rounds, and the schedule's integral."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sparsebench.bench.config.lr_schedule import eta_sum, factor, rate, round_steps
from sparsebench.methods.plan import Round


@pytest.mark.parametrize(
    ("kind", "position", "value"),
    [
        ("cosine", 0.0, 1.0), ("cosine", 1 / 3, 0.75), ("cosine", 0.5, 0.5), ("cosine", 1.0, 0.0),
        ("linear", 0.25, 0.75), ("linear", 1.0, 0.0),
        ("step", 0.49, 1.0), ("step", 0.5, 0.1), ("step", 0.74, 0.1), ("step", 0.75, 0.01),
        ("constant", 0.99, 1.0),
    ],
)  # fmt: skip
def test_the_schedules_values(kind: str, position: float, value: float) -> None:
    assert factor(kind, position, 0.0) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("kind", ["cosine", "linear", "step", "constant"])
def test_the_warm_up_is_linear_and_the_decay_starts_after_it(kind: str) -> None:
    assert factor(kind, 0.05, 0.2) == pytest.approx(0.25)
    assert factor(kind, 0.2, 0.2) == pytest.approx(1.0)
    assert factor(kind, 0.68, 0.2) == pytest.approx(factor(kind, 0.6, 0.0))


def test_the_rate_is_taken_at_the_middle_of_a_step() -> None:
    assert rate("linear", 0.0, 2.0, Round(), 0, 4) == pytest.approx(2 * 0.875)
    assert rate("linear", 0.0, 2.0, Round(), 3, 4) == pytest.approx(2 * 0.125)


def test_a_round_resumes_the_schedule_where_it_says_at_its_own_peak() -> None:
    late = Round(share=0.5, resume=0.5, until=1.0, peak=0.3)
    assert rate("linear", 0.0, 1.0, late, 0, 2) == pytest.approx(0.3 * (1 - 0.625))
    assert rate("linear", 0.0, 1.0, late, 1, 2) == pytest.approx(0.3 * (1 - 0.875))


shares = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=12)


@given(raw=shares, extra=st.integers(0, 500))
def test_rounds_have_whole_steps_at_least_one_and_the_budget_in_all(raw: list[float], extra: int) -> None:
    rounds = [Round(share=share / sum(raw)) for share in raw]
    total = len(rounds) + extra
    lengths = round_steps(rounds, total)
    assert sum(lengths) == total
    assert min(lengths) >= 1


@given(raw=shares)
def test_rounds_of_a_long_budget_have_their_shares(raw: list[float]) -> None:
    rounds = [Round(share=share / sum(raw)) for share in raw]
    for round_, length in zip(rounds, round_steps(rounds, 10_000), strict=True):
        assert abs(length - 10_000 * round_.share) <= 1


@pytest.mark.parametrize(
    ("kind", "mean"), [("cosine", 0.5), ("linear", 0.5), ("constant", 1.0), ("step", 0.5275)]
)
def test_the_integral_of_a_plan(kind: str, mean: float) -> None:
    assert eta_sum(kind, 0.0, 0.2, [Round()], 400, 0.9) == pytest.approx(0.2 * 400 * mean / 0.1)


def test_the_integral_counts_warm_up_rounds_and_their_peaks() -> None:
    plain = eta_sum("cosine", 0.1, 1.0, [Round()], 100, 0.0)
    assert plain == pytest.approx(50.0)  # a triangle of 10 steps, a half cosine of 90
    rounds = [Round(share=0.75), Round(share=0.25, peak=0.5)]
    assert eta_sum("cosine", 0.0, 1.0, rounds, 100, 0.0) == pytest.approx(75 / 2 + 0.5 * 25 / 2)


def test_the_integral_is_the_sum_of_the_rates() -> None:
    rounds = [Round(share=0.6), Round(share=0.4, resume=0.2, until=0.9, peak=0.7)]
    rates = [
        rate("cosine", 0.05, 0.3, round_, step, count)
        for round_, count in zip(rounds, round_steps(rounds, 37), strict=True)
        for step in range(count)
    ]
    assert eta_sum("cosine", 0.05, 0.3, rounds, 37, 0.5) == pytest.approx(2 * math.fsum(rates))
