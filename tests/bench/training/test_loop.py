"""The training loop: what a step is, what it costs, in which order hooks are called, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from sparsebench.bench.config.trial_spec import Recipe, Trial
from sparsebench.bench.models import factory as models
from sparsebench.bench.training import trial as trials
from sparsebench.bench.training.loop import Training
from sparsebench.datasets.api import Data, open_dataset
from sparsebench.errors import SparsebenchError
from sparsebench.methods.api import Sparsifier, configure
from sparsebench.methods.magnitude import Magnitude
from sparsebench.methods.net import Net
from sparsebench.methods.plan import Clock, ParamGroup, Plan, Probe, Round

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def planted() -> Data:
    """256 training examples."""
    return open_dataset("planted", n=320, valid=64)


def training(method: Sparsifier, data: Data, seed: int = 0, **recipe: Any) -> Training:
    torch.manual_seed(seed)
    model = models.create("lenet_300_100", data.shape, data.classes)
    settled = {"epochs": 3, "batch_size": 64, "lr": 0.05, "weight_decay": 0.0, **recipe}
    return Training(model, method, data, Recipe(**settled), seed=seed, device=CPU)


@dataclass
class Diary(Sparsifier):
    """Writes down what it is told; its plan of rounds and its scoring are given."""

    plan_of_rounds: tuple[Round, ...] = (Round(),)
    scoring: int = 0
    skips: tuple[int, ...] = ()
    lines: list[tuple[Any, ...]] = field(default_factory=list)

    def attach(self, net: Net, plan: Plan, probe: Probe) -> list[ParamGroup]:
        self.plan = plan
        for x, y in probe.batches(self.scoring):
            probe.loss(x, y).backward()  # type: ignore[no-untyped-call]
        return super().attach(net, plan, probe)

    def rounds(self) -> tuple[Round, ...]:
        return self.plan_of_rounds

    def start_round(self, net: Net, clock: Clock) -> None:
        self.lines.append(("round", clock.round, clock.step, clock.round_steps))

    def before_step(self, net: Net, clock: Clock) -> bool:
        self.before = {name: net.weight(name).clone() for name in net.names}
        assert all(float(net.grad(name).abs().sum()) > 0 for name in net.names)
        self.lines.append(("step", clock.step, clock.round_step, round(clock.lr, 6)))
        if clock.step - 1 in self.skips:
            assert all(torch.equal(net.weight(name), self.kept[name]) for name in net.names)
        self.kept = self.before
        return clock.step not in self.skips

    def after_step(self, net: Net, clock: Clock) -> None:
        assert all(not torch.equal(net.weight(name), self.before[name]) for name in net.names)
        self.lines.append(("moved", clock.step))

    def finalize(self, net: Net) -> None:
        self.lines.append(("finalize",))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [line[1:] for line in self.lines if line[0] == kind]


def test_the_budget_is_a_number_of_steps(planted: Data) -> None:
    diary = Diary()
    outcome = training(diary, planted, epochs=3, batch_size=48).run()  # 5 full batches an epoch
    assert (outcome.steps, outcome.budget) == (15, {"train": 15})
    assert [step for step, *_ in diary.of("step")] == list(range(15))
    assert diary.plan.steps == 15
    assert diary.lines[-1] == ("finalize",)


def test_a_set_smaller_than_a_batch_is_one_step_an_epoch(planted: Data) -> None:
    assert training(Diary(), planted, epochs=2, batch_size=1000).run().steps == 2


def test_rounds_share_the_budget_and_each_has_its_own_schedule(planted: Data) -> None:
    diary = Diary((Round(0.5, "dense"), Round(0.25, "cut", peak=0.5), Round(0.25, "tune", restart=True)))
    outcome = training(diary, planted, epochs=2, schedule="linear", lr=0.1).run()
    assert diary.of("round") == [(0, 0, 4), (1, 4, 2), (2, 6, 2)]
    assert outcome.budget == {"dense": 4, "cut": 2, "tune": 2}
    rates = [lr for _, _, lr in diary.of("step")]
    assert rates == pytest.approx([0.0875, 0.0625, 0.0375, 0.0125, 0.0375, 0.0125, 0.075, 0.025])
    assert diary.plan.eta_sum == pytest.approx(sum(rates) / (1 - 0.9))


def test_a_step_that_the_method_declines_counts_and_moves_nothing(planted: Data) -> None:
    diary = Diary(skips=(1, 2))
    outcome = training(diary, planted, epochs=2).run()
    assert outcome.steps == 8
    assert [step for (step,) in diary.of("moved")] == [0, 3, 4, 5, 6, 7]


def test_scoring_is_charged_to_the_budget(planted: Data) -> None:
    diary = Diary((Round(0.5), Round(0.5, "after")), scoring=3)
    outcome = training(diary, planted).run()
    assert outcome.budget == {"scoring": 3, "train": 4, "after": 5}
    assert outcome.steps == 12
    assert len(diary.of("step")) == 9
    assert outcome.training_flops_ratio == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("diary", "message"),
    [
        (Diary(scoring=12), "scoring takes 12 steps, but the whole budget is 12"),
        (Diary((Round(0.5), Round(0.4))), "do not sum to 1"),
        (Diary(tuple(Round(1 / 13) for _ in range(13))), "13 rounds do not fit into 12 steps"),
        (Diary(tuple(Round(1 / 4) for _ in range(4)), scoring=9), "4 rounds do not fit into 3 steps"),
    ],
)
def test_a_plan_that_does_not_fit_the_budget_is_refused(planted: Data, diary: Diary, message: str) -> None:
    with pytest.raises(SparsebenchError, match=message):
        training(diary, planted)


@dataclass
class Watch(Sparsifier):
    """Prunes at random after the fourth step, and looks at masked weights and buffers from then on."""

    def after_step(self, net: Net, clock: Clock) -> None:
        if clock.step == 3:
            ranks = {name: torch.rand(net.weight(name).shape, generator=net.generator) for name in net.names}
            net.set_masks({name: rank < 0.3 for name, rank in ranks.items()})
        for name, mask in net.masks.items():
            assert not net.weight(name)[~mask].any()
            assert net.weight(name)[mask].any()
            for param, view in net.storage.slots(name):
                for buffer in net.optimizers[0].state[param].values():
                    if isinstance(buffer, torch.Tensor) and buffer.shape == param.shape:
                        assert not view(buffer)[~mask].any()


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_masked_weights_stay_zero_under_momentum_and_decay(planted: Data, optimizer: str) -> None:
    run = training(Watch(), planted, optimizer=optimizer, weight_decay=0.1, lr=0.01)
    assert run.run().status == "ok"
    assert set(run.net.masks) == set(run.net.names)
    assert all(not run.net.weight(name)[~mask].any() for name, mask in run.net.masks.items())
    assert run.run().training_flops_ratio < 0.9  # masked weights cost nothing


def test_a_restart_begins_with_fresh_momentum(planted: Data) -> None:
    run = training(Diary((Round(0.5), Round(0.5, restart=True))), planted)
    first = run.optimizers.all[0]
    run.run(stop_at=7)
    assert run.net.optimizers is run.optimizers.all
    assert run.optimizers.all[0] is not first
    assert training(Diary((Round(0.5), Round(0.5))), planted).optimizers.all[0].state == {}


@pytest.mark.parametrize("method", ["dense", "dwf", "magnitude"])
def test_bfloat16_trains_on_a_cpu_and_keeps_float32_weights(planted: Data, method: str) -> None:
    run = training(configure(method, {}), planted, epochs=10, lr=0.1, precision="bfloat16")
    outcome = run.run()
    assert outcome.status == "ok"
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}
    plain = training(configure(method, {}), planted, epochs=10, lr=0.1).run()
    assert outcome.curve[-1]["train_loss"] != plain.curve[-1]["train_loss"]
    assert outcome.curve[-1]["train_loss"] == pytest.approx(plain.curve[-1]["train_loss"], rel=0.1)


@dataclass
class Broken(Magnitude):
    """Its weights stop being numbers after the last step, when the loss still was one; then it ranks them."""

    def after_step(self, net: Net, clock: Clock) -> None:
        if clock.step == clock.steps - 1:
            net.weight(net.names[0])[0, 0] = float("nan")


def test_weights_that_cannot_be_ranked_are_a_divergence(planted: Data) -> None:
    outcome = training(Broken(finetune=0.0), planted).run()
    assert outcome.status == "diverged"
    assert outcome.reason is not None
    assert "not numbers" in outcome.reason


@pytest.mark.parametrize("phase", ["search", "confirm"])
def test_divergence_is_an_outcome(make_trial: Callable[..., Trial], phase: str) -> None:
    record = trials.run(make_trial(recipe={"lr": 900.0, "epochs": 20}, phase=phase))
    assert (record.status, record.ok) == ("diverged", True)
    assert record.reason is not None
    assert "the training loss is no number at step" in record.reason
    assert (record.val_accuracy, record.compression) == (record.val_chance, 1.0)
    assert record.val_chance == pytest.approx(10 / 64)  # the largest of ten classes in 64 examples
    assert record.test_accuracy == record.test_chance
    assert (record.test_chance is None) == (phase == "search")
    assert record.layers == []
    assert record.steps < 40


@pytest.mark.parametrize("method", ["magnitude", "l1_prox", "dwf", "random"])
def test_every_way_to_diverge_is_an_outcome(make_trial: Callable[..., Trial], method: str) -> None:
    for steps in range(2, 5):
        record = trials.run(make_trial(method=method, recipe={"lr": 1e3, "epochs": steps, "batch_size": 256}))
        assert record.status in ("ok", "diverged"), record.reason


def test_a_finished_model_whose_logits_are_no_numbers_has_diverged(
    make_trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(self: Sparsifier, net: Net) -> None:
        for name in net.names:
            net.weight(name).copy_(torch.randn(net.weight(name).shape, generator=net.generator).sign() * 3e38)

    monkeypatch.setattr(Magnitude, "finalize", overflow)
    record = trials.run(make_trial(method="magnitude", phase="confirm"))
    assert (record.status, record.reason) == ("diverged", "every logit of the finished model is NaN")
    assert (record.test_accuracy, record.compression) == (record.test_chance, 1.0)


def test_the_curve_has_some_rows_and_ends_at_the_last_step(planted: Data) -> None:
    heard: list[dict[str, Any]] = []
    run = training(configure("dwf", {"depth": 3}), planted, epochs=20)
    outcome = run.run(heard.append)
    rows = outcome.curve
    assert 16 <= len(rows) <= 32
    assert (rows[-1]["step"], rows[-1]["fraction"]) == (80, 1.0)
    assert {"train_loss", "val_accuracy", "lr", "compression", "misalignment"} <= set(rows[0])
    assert [event["row"] for event in heard if "row" in event] == rows
    assert [event["warning"] for event in heard if "warning" in event] == outcome.warnings
    assert "decay budget" in outcome.warnings[0]
