"""The conformance suite: pytest checks that every method must pass, also one of a plugin.

    from sparsebench.bench.conformance import MethodConformance

    class TestMine(MethodConformance):
        method = "mine"

Every check runs the real trainer on small nets. A method may declare an exception,
`exceptions = {"check": "reason"}`, which then must fail: it is a strict expected failure.
"""

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from ..methods.api import configure, keep_count, knobs_of, registry
from .config.trial_spec import Recipe
from .conformance_nets import CPU, build, data, middle, on_target, training, zeros
from .training import loop
from .training.checkpointing import load_state, state_of

__all__ = ["CPU", "MethodConformance", "build", "on_target", "training"]

CHECKS = ("plain", "reproducible", "resume", "target", "masked", "layout", "monotone")
NETS = ("mlp", "conv")
OPTIMIZERS = ("sgd", "adamw")


class MethodConformance:
    """The checks that every method must pass; a subclass names the method, and pytest runs it.

    Attributes:
        method: The registered name of the method.
        knobs: The knobs to check it with, where they are not its defaults.
        nets: The small networks to check it on: "mlp", and "conv", which has a norm over the batch.

    Example:
        >>> class TestMagnitude(MethodConformance):
        ...     method = "magnitude"
        >>> TestMagnitude().test_target__is_met_to_the_weight("mlp", "sgd", 0.97)  # no error: it conforms
        >>> sorted({check.split("_")[1] for check in dir(TestMagnitude) if check.startswith("test_")})
        ['exceptions', 'knobs', 'layout', 'masked', 'monotone', 'plain', 'reproducible', 'resume', 'rounds',
         'target']
    """

    method: ClassVar[str]
    knobs: ClassVar[dict[str, Any]] = {}
    nets: ClassVar[tuple[str, ...]] = NETS

    @pytest.fixture(autouse=True)
    def _declared_exceptions(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """Marks a check that the method declares as an exception as a strict expected failure."""
        check = request.node.originalname.removeprefix("test_").split("__")[0]
        parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
        if parameters.get("kind", self.nets[0]) not in self.nets:
            pytest.skip(f"the method is not for {parameters['kind']}")
        reason = registry[self.method].exceptions.get(check)
        if reason is not None:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
        torch.set_num_threads(1)
        yield

    def test_exceptions__are_known_and_not_everything(self) -> None:
        """Exceptions name checks, and leave at least one of those that apply to the method."""
        cls = registry[self.method]
        knobs, declared = knobs_of(cls), set(cls.exceptions)
        assert declared <= set(CHECKS), f"unknown checks: {declared - set(CHECKS)}"
        applicable = {"plain", "reproducible", "resume"}
        applicable |= {"target"} if "sparsity" in knobs else set()
        applicable |= {"monotone"} if any(k.operating for k in knobs.values()) else set()
        assert applicable - declared, "a method excused from every training check conforms to nothing"

    def test_knobs__keep_their_bounds(self) -> None:
        """Defaults and search ranges lie within a knob's bounds; values outside are refused."""
        for name, knob in knobs_of(registry[self.method]).items():
            assert name not in Recipe.model_fields, (
                f"the recipe owns {name}: claim it, or choose another name"
            )
            assert knob.check(name, knob.default) == knob.default
            for bound in (knob.low, knob.high):
                assert bound is None or knob.minimum <= bound <= knob.maximum, name
            for outside in (knob.minimum - 1, knob.maximum + 1):
                if not knob.choices and math.isfinite(outside):
                    with pytest.raises(ValueError, match="out of range"):
                        configure(self.method, {name: type(knob.default)(outside)})

    def test_rounds__share_the_whole_budget(self) -> None:
        """The shares of the rounds are positive and sum to 1; each runs forward in the schedule."""
        rounds = configure(self.method, self.knobs).rounds()
        assert sum(r.share for r in rounds) == pytest.approx(1.0)
        assert all(r.share > 0 and 0 <= r.resume < r.until <= 1 for r in rounds)

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    @pytest.mark.parametrize("kind", NETS)
    def test_plain__model_at_the_end_and_trained(self, kind: str, optimizer: str) -> None:
        """The finished model has the tensors, classes and function of a plain one, and was trained."""
        reference = build(kind)
        made, _ = training(self.method, self.knobs, kind, optimizer)
        outcome = made.run()
        assert outcome.status == "ok", outcome.reason
        assert outcome.steps <= made.total_steps
        assert sum(outcome.budget.values()) == outcome.steps
        found, expected = made.model.state_dict(), reference.state_dict()
        assert list(found) == list(expected), (
            "the finished model has other tensors, or another order of them: factors and masks must go"
        )
        for key, value in expected.items():
            assert (found[key].shape, found[key].dtype) == (value.shape, value.dtype), key
        kinds = [(name, type(p)) for name, p in made.model.named_parameters()]
        assert kinds == [(name, nn.Parameter) for name, _ in reference.named_parameters()]
        assert list(map(type, made.model.modules())) == list(map(type, reference.modules())), (
            "a layer of the finished model is of another class: leave plain layers"
        )
        pairs = [(found[name], p) for name, p in reference.named_parameters()]
        assert any(bool(((new != old) & (new != 0)).any()) for new, old in pairs), "nothing was trained"
        reference.load_state_dict(found, strict=True)
        x, _ = next(iter(data().valid.batches(64, CPU)))
        same = torch.equal(made.model.eval()(x), reference.eval()(x))
        assert same, "the finished model computes more than its weights say: a hook, or hidden state"

    @pytest.mark.parametrize("kind", NETS)
    def test_reproducible__bit_for_bit(self, kind: str) -> None:
        """Two trainings with one seed have the same result and the same weights."""
        runs = [training(self.method, self.knobs, kind)[0] for _ in range(2)]
        outcomes = [made.run() for made in runs]
        assert outcomes[0] == outcomes[1]
        for (name, p), q in zip(runs[0].model.named_parameters(), runs[1].model.parameters(), strict=True):
            assert torch.equal(p, q), name

    @pytest.mark.parametrize("kind", NETS)
    def test_resume__at_every_round_boundary_equals_a_straight_run(self, kind: str, tmp_path: Any) -> None:
        """A training resumed from a checkpoint has the weights of an uninterrupted one."""
        straight, _ = training(self.method, self.knobs, kind)
        straight.run()
        ends = [sum(straight.lengths[: i + 1]) for i in range(len(straight.lengths))]
        for stop in sorted({1, straight.clock.steps // 2, *ends[:-1]}):
            first, _ = training(self.method, self.knobs, kind)
            first.run(stop_at=stop)
            torch.save(state_of(first), tmp_path / "checkpoint.pt")
            second, _ = training(self.method, self.knobs, kind)
            load_state(second, torch.load(tmp_path / "checkpoint.pt", weights_only=True))
            second.run()
            found = dict(second.model.named_parameters())
            for name, p in straight.model.named_parameters():
                assert torch.equal(p, found[name]), f"{name} differs after a stop at step {stop}"

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    @pytest.mark.parametrize("kind", NETS)
    @pytest.mark.parametrize("sparsity", [0.5, 0.83, 0.97])
    def test_target__is_met_to_the_weight(self, kind: str, optimizer: str, sparsity: float) -> None:
        """The finished model has exactly as many nonzeros as the target sparsity leaves."""
        if "sparsity" not in knobs_of(registry[self.method]):
            pytest.skip("no target sparsity: `monotone` has something to say")
        made, _ = training(self.method, {**self.knobs, "sparsity": sparsity}, kind, optimizer)
        made.run()
        live, wanted = made.net.size - zeros(made), keep_count(sparsity, made.net.size)
        assert live == wanted, (
            f"{live} weights live where sparsity {sparsity} leaves {wanted} of {made.net.size}: count them "
            "(methods.masks), as ties pass a threshold together, and mask the rest to the end"
        )

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    @pytest.mark.parametrize("kind", NETS)
    def test_masked__weights_stay_zero_and_are_forgotten(self, kind: str, optimizer: str) -> None:
        """Masked weights are zero in every step, and the optimizer has no buffers of them."""
        made, check = training(self.method, self.knobs, kind, optimizer, watch=True)
        made.run()
        assert check is not None
        assert not check.alive, check.alive[0]
        if not check.seen:
            pytest.skip("no masks during training")

    def test_layout__of_the_weights_in_memory_does_not_matter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Convolutions may be stored channels last or first: weights need `reshape`, not `view`."""
        for order in (torch.channels_last, torch.contiguous_format):
            monkeypatch.setattr(loop, "memory_format", lambda recipe, device, order=order: order)
            made, _ = training(self.method, self.knobs, "deep")
            outcome = made.run()
            assert outcome.status == "ok", outcome.reason
            assert on_target(made), f"{zeros(made)} of {made.net.size} weights are zero"

    def test_monotone__a_stronger_knob_is_never_less_sparse(self) -> None:
        """The zeros rise or fall monotonically from one end of the operating knob's range to the other."""
        cls = registry[self.method]
        operating = [(name, k) for name, k in knobs_of(cls).items() if k.operating]
        if not operating:
            pytest.skip("no operating knob")
        name, knob = operating[0]
        assert knob.low is not None
        assert knob.high is not None
        counts = []
        for value in (knob.low, middle(knob), knob.high):
            made, _ = training(self.method, {**self.knobs, name: value}, self.nets[0])
            outcome = made.run()
            assert outcome.status == "ok", outcome.reason
            counts.append(zeros(made, 0.0 if cls.exact_zeros else 0.02))
        assert counts in (sorted(counts), sorted(counts, reverse=True)), f"{name}: zeros {counts}"
        assert counts[0] != counts[-1], f"{name} changes nothing: {counts} zeros"
