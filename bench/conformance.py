"""The conformance suite: what every method must keep to, on classes that anybody can run on his own.

    from sparsebench.bench.conformance import MethodConformance

    class TestMine(MethodConformance):
        method = "mine"

Every check runs the real trainer on small nets. A method may declare an exception,
`exceptions = {"check": "reason"}`, which then must fail: it is a strict expected failure.
"""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from ..datasets.api import Data
from ..datasets.on_device import OnDevice
from ..methods.api import Clock, Knob, Net, Sparsifier, configure, keep_count, knobs_of, registry
from .config.search_space import settle_recipe
from .config.trial_spec import Recipe
from .measurement.compression import zero_below
from .training import loop
from .training.checkpointing import load_state, state_of
from .training.loop import Training

CHECKS = ("plain", "reproducible", "resume", "target", "masked", "layout", "monotone")
NETS = ("mlp", "conv")
OPTIMIZERS = ("sgd", "adamw")
EPOCHS, BATCH, IMAGES = 6, 32, 320
CPU = torch.device("cpu")


@lru_cache(maxsize=1)
def data() -> Data:
    """A sparse linear teacher on 6×6 images; a third of the pixels is always zero, so that the weights on
    them never move and ties among them last."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(IMAGES + 128, 1, 6, 6, generator=generator)
    x[:, :, :, ::3] = 0
    teacher = torch.randn(4, 36, generator=generator) * (torch.rand(4, 36, generator=generator) < 0.2)
    y = (x.flatten(1) @ teacher.T).argmax(dim=1)
    zero, one = torch.zeros(1), torch.ones(1)
    train, rest = OnDevice(x[:IMAGES], y[:IMAGES], zero, one), OnDevice(x[IMAGES:], y[IMAGES:], zero, one)
    return Data("conformance", (1, 6, 6), 4, train, rest, rest, digest="conformance")


def build(kind: str) -> nn.Module:
    """An MLP whose first weights hold many ties, a convolution with BatchNorm, or two of them."""
    torch.manual_seed(0)
    if kind == "mlp":
        layers = nn.Linear(36, 32), nn.Linear(32, 4)
        with torch.no_grad():
            for layer in layers:
                layer.weight.copy_((layer.weight * 20).round().clamp(-3, 3) / 20 + 0.01)
        return nn.Sequential(nn.Flatten(), layers[0], nn.ReLU(), layers[1])
    widths = (1, 8) if kind == "conv" else (1, 4, 8)
    blocks: list[nn.Module] = []
    for before, width in pairwise(widths):
        blocks += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*blocks, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(72, 4))


class Watcher:
    """Wraps a method's hooks: what is masked is zero, and no optimizer's buffer could revive it.

    Where a method has a target, this goes for all that its hooks set to zero, with `net.set_masks` or behind
    its back. Without a target a hook may be a proximal map, whose zeros come and go.
    """

    def __init__(self, method: Sparsifier) -> None:
        self.seen = 0
        self.alive: list[str] = []
        self.targeted = method.target() is not None
        for hook in ("start_round", "before_step", "after_step"):
            setattr(method, hook, self._watched(hook, getattr(method, hook)))

    def _watched(self, hook: str, inner: Callable[[Net, Clock], Any]) -> Callable[[Net, Clock], Any]:
        def watched(net: Net, clock: Clock) -> Any:
            before = {name: net.weight(name) != 0 for name in net.names}
            answer = inner(net, clock)
            for name, living in before.items():
                masked = ~net.masks[name] if name in net.masks else torch.zeros_like(living)
                zeroed = living & (net.weight(name) == 0) & ~masked
                where = f"{hook} at step {clock.step}, {name}"
                self.seen += int(masked.any())
                if hook == "after_step" and int(net.weight(name)[masked].count_nonzero()):
                    self.alive.append(f"{where}: a masked weight is not zero")
                if _buffers(net, name, masked):
                    self.alive.append(f"{where}: the optimizer remembers masked weights; use net.set_masks")
                if self.targeted and _buffers(net, name, zeroed):
                    self.alive.append(
                        f"{where}: the optimizer remembers weights that were set to zero; use net.set_masks, "
                        "or net.forget where they may come back"
                    )
            return answer

        return watched


def _buffers(net: Net, name: str, where: torch.Tensor) -> int:
    """Nonzero optimizer buffers at some coordinates, where the optimizer owns the weight itself."""
    weight = net.weights_by_name[name]
    states = (optimizer.state.get(weight, {}) for optimizer in net.optimizers)
    tensors = (v for state in states for v in state.values() if isinstance(v, torch.Tensor))
    return sum(int(v[where].count_nonzero()) for v in tensors if v.shape == weight.shape)


def training(
    method: str,
    knobs: dict[str, Any],
    kind: str = "mlp",
    optimizer: str = "sgd",
    watch: bool = False,
    device: torch.device = CPU,
    **more: Any,
) -> tuple[Training, Watcher | None]:
    """A fresh training of a configured method with ordinary weight decay and momentum; `more` of a recipe."""
    configured = configure(method, knobs)
    recipe = Recipe(epochs=EPOCHS, batch_size=BATCH, optimizer=optimizer, weight_decay=1e-3, **more)  # type: ignore[arg-type]
    watcher = Watcher(configured) if watch else None
    settled = settle_recipe(recipe, type(configured))
    made = Training(build(kind).to(device), configured, data(), settled, seed=3, device=device)
    return made, watcher


def zeros(made: Training, threshold: float = 0.0) -> int:
    """Zero weights of the finished model, small ones counted where a threshold is given."""
    weights = [made.net.weight(name).clone() for name in made.prunable]
    zero_below(weights, threshold)
    return sum(int((w == 0).sum()) for w in weights)


def on_target(made: Training) -> bool:
    """As many weights live as the method's target leaves, where it has one."""
    sparsity = made.method.target()
    return sparsity is None or made.net.size - zeros(made) == keep_count(sparsity, made.net.size)


def middle(knob: Knob) -> float:
    """The middle of a knob's range on its own scale."""
    low, high = float(knob.low or 0), float(knob.high or 0)
    if knob.scale == "linear":
        return (low + high) / 2
    if knob.scale == "density":
        return 1 - math.sqrt((1 - low) * (1 - high))
    return math.copysign(math.sqrt(low * high), low)


class MethodConformance:
    """Subclass it with the registered name of a method, and the knobs to try it with if not its defaults."""

    method: ClassVar[str]
    knobs: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def _declared_exceptions(self, request: pytest.FixtureRequest) -> Iterator[None]:
        check = request.node.originalname.removeprefix("test_").split("__")[0]
        reason = registry[self.method].exceptions.get(check)
        if reason is not None:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
        torch.set_num_threads(1)
        yield

    def test_exceptions__are_known_and_not_everything(self) -> None:
        cls = registry[self.method]
        knobs, declared = knobs_of(cls), set(cls.exceptions)
        assert declared <= set(CHECKS), f"unknown checks: {declared - set(CHECKS)}"
        applicable = {"plain", "reproducible", "resume"}
        applicable |= {"target"} if "sparsity" in knobs else set()
        applicable |= {"monotone"} if any(k.operating for k in knobs.values()) else set()
        assert applicable - declared, "a method excused from every training check conforms to nothing"

    def test_knobs__keep_their_bounds(self) -> None:
        """Defaults are allowed, ranges lie within what is allowed, what lies outside is refused."""
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
        rounds = configure(self.method, self.knobs).rounds()
        assert sum(r.share for r in rounds) == pytest.approx(1.0)
        assert all(r.share > 0 and 0 <= r.resume < r.until <= 1 for r in rounds)

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    @pytest.mark.parametrize("kind", NETS)
    def test_plain__model_at_the_end_and_trained(self, kind: str, optimizer: str) -> None:
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
        runs = [training(self.method, self.knobs, kind)[0] for _ in range(2)]
        outcomes = [made.run() for made in runs]
        assert outcomes[0] == outcomes[1]
        for (name, p), q in zip(runs[0].model.named_parameters(), runs[1].model.parameters(), strict=True):
            assert torch.equal(p, q), name

    @pytest.mark.parametrize("kind", NETS)
    def test_resume__at_every_round_boundary_equals_a_straight_run(self, kind: str, tmp_path: Any) -> None:
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
        made, watcher = training(self.method, self.knobs, kind, optimizer, watch=True)
        made.run()
        assert watcher is not None
        assert not watcher.alive, watcher.alive[0]
        if not watcher.seen:
            pytest.skip("no masks during training")

    def test_layout__of_the_weights_in_memory_does_not_matter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a GPU convolutions lie channels last: a method flattens weights, it does not `view` them."""
        monkeypatch.setattr(loop, "memory_format", lambda recipe, device: torch.channels_last)
        made, _ = training(self.method, self.knobs, "deep")
        outcome = made.run()
        assert outcome.status == "ok", outcome.reason
        assert on_target(made), f"{zeros(made)} of {made.net.size} weights are zero"

    def test_monotone__a_stronger_knob_is_never_less_sparse(self) -> None:
        """From one end of its range over the middle to the other, the operating knob moves one way."""
        cls = registry[self.method]
        operating = [(name, k) for name, k in knobs_of(cls).items() if k.operating]
        if not operating:
            pytest.skip("no operating knob")
        name, knob = operating[0]
        assert knob.low is not None
        assert knob.high is not None
        counts = []
        for value in (knob.low, middle(knob), knob.high):
            made, _ = training(self.method, {**self.knobs, name: value})
            outcome = made.run()
            assert outcome.status == "ok", outcome.reason
            counts.append(zeros(made, 0.0 if cls.exact_zeros else 0.02))
        assert counts in (sorted(counts), sorted(counts, reverse=True)), f"{name}: zeros {counts}"
        assert counts[0] != counts[-1], f"{name} changes nothing: {counts} zeros"
