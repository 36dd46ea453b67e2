"""Factors moved in one pass: the same bits as torch's operations, which do it where there is no compiler."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.training.optimizers import Optimizers
from sparsebench.methods import fused
from sparsebench.methods.net import Net
from torch import nn

NAMES = ["0.weight", "3.weight"]  # 3·4·9 + 100·7 weights: no whole number of vectors


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 6 * 6, 7))


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(16, 4, 8, 8, generator=generator), torch.randint(7, (16,), generator=generator)


@pytest.fixture
def compiler() -> Iterator[None]:
    """As if this process had compiled nothing yet, before and after."""
    fused.move_by_c.cache_clear()
    yield
    fused.move_by_c.cache_clear()


class Run:
    """A factorized net with its optimizers, in one pass or in torch's way."""

    def __init__(self, depth: int, one_pass: bool, **recipe: object) -> None:
        layout = recipe.pop("layout", torch.contiguous_format)
        self.net = Net(model().to(memory_format=layout), NAMES, torch.Generator())  # type: ignore[call-overload]
        generator = torch.Generator().manual_seed(1)
        self.net.factorize(depth, lambda name, w: torch.randn(depth, *w.shape, generator=generator) * 0.5)
        groups = [self.net.factors(l2=0.02), self.net.others()]
        sgd = self.net.sgd if one_pass else torch.optim.SGD
        self.optimizers = Optimizers(groups, Recipe(**recipe), 0.0, sgd)
        self.net.optimizers = self.optimizers.all

    @property
    def momenta(self) -> torch.Tensor:
        owned = self.net.factorized.owned
        return self.optimizers.all[0].state[owned]["momentum_buffer"]  # type: ignore[no-any-return]

    def step(self, batch: tuple[torch.Tensor, torch.Tensor], penalty: float = 0.0) -> None:
        for p in [*self.net.model.parameters(), *self.net.storage.params()]:
            p.grad = None
        loss = F.cross_entropy(self.net.model(batch[0]), batch[1])
        if penalty:
            loss = loss + penalty * self.net.factorized.omega.abs().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        self.net.pull()
        self.optimizers.step(0.1, 0.1)
        self.net.push()


def same(one: Run, other: Run) -> bool:
    weights = (torch.equal(one.net.weight(name), other.net.weight(name)) for name in NAMES)
    factors = torch.equal(one.net.factorized.owned, other.net.factorized.owned)
    return all(weights) and factors and torch.equal(one.momenta, other.momenta)


needs_compiler = pytest.mark.skipif(fused.move_by_c(2) is None, reason="no C compiler that repeats torch")


@needs_compiler
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("depth", [2, 3, 4, 7])
def test_one_pass_gives_the_same_bits(
    batch: tuple[torch.Tensor, torch.Tensor], depth: int, layout: torch.memory_format
) -> None:
    ours, theirs = (Run(depth, one_pass, layout=layout) for one_pass in (True, False))
    assert isinstance(ours.optimizers.all[0], fused.FactorSGD)
    for _ in range(5):
        ours.step(batch)
        theirs.step(batch)
        assert same(ours, theirs)


@needs_compiler
def test_masks_and_what_they_forget_give_the_same_bits(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    ours, theirs = (Run(3, one_pass) for one_pass in (True, False))
    for run in (ours, theirs):
        run.step(batch)
        masks = {name: run.net.weight(name).abs() > 0.05 for name in NAMES}
        run.net.set_masks(masks)
        for _ in range(3):
            run.step(batch)
        assert not run.net.weight(NAMES[1])[~masks[NAMES[1]]].any()
    assert same(ours, theirs)


@needs_compiler
def test_a_state_goes_from_one_way_to_the_other(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    """A checkpoint of a machine with a compiler goes on, bit for bit, on one without."""
    straight, first, second = Run(2, True), Run(2, True), Run(2, False)
    for _ in range(4):
        straight.step(batch)
    for _ in range(2):
        first.step(batch)
    second.net.restore(first.net.snapshot())
    second.optimizers.all[0].load_state_dict(first.optimizers.all[0].state_dict())
    for _ in range(2):
        second.step(batch)
    assert same(straight, second)


@needs_compiler
def test_a_penalty_on_the_factors_themselves_is_added(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    ours, theirs = (Run(3, one_pass) for one_pass in (True, False))
    for penalty in (0.0, 0.1, 0.0):
        ours.step(batch, penalty)
        theirs.step(batch, penalty)
        assert same(ours, theirs)


@needs_compiler
def test_a_layer_without_a_gradient_only_decays(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    ours, theirs = (Run(2, one_pass) for one_pass in (True, False))
    for run in (ours, theirs):
        run.net.model[0].weight.requires_grad_(False)
        run.step(batch)
    assert same(ours, theirs)


@pytest.mark.parametrize("recipe", [{"momentum": 0.0}, {"nesterov": True}, {"optimizer": "adamw"}])
def test_other_optimizers_are_torchs_own(recipe: dict[str, object]) -> None:
    assert not isinstance(Run(2, True, **recipe).optimizers.all[0], fused.FactorSGD)


@pytest.mark.parametrize("command", ["/nowhere/cc", "false", "true"])
def test_without_a_compiler_torch_moves_the_factors(
    compiler: None,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    batch: tuple[torch.Tensor, torch.Tensor],
) -> None:
    """The compiler is missing, fails, or leaves nothing behind."""
    monkeypatch.setenv("CC", command)
    with caplog.at_level("INFO"):
        run = Run(2, True)
    assert type(run.optimizers.all[0]) is torch.optim.SGD
    assert "no compiled step for factors" in caplog.text
    before = run.net.weight(NAMES[0]).clone()
    run.step(batch)
    assert not torch.equal(run.net.weight(NAMES[0]), before)


def test_a_step_that_rounds_otherwise_is_not_trusted() -> None:
    def careless(factors: fused.Factors, momenta: torch.Tensor, *rates: float) -> None:
        move = partial(fused._by_graph, fused.step_of_all)
        move(factors, momenta, *rates)
        factors.flat.mul_(1 + 2**-20)

    assert not fused.repeats_torch(careless, 3, torch.equal)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_what_a_gpu_is_given_to_compile_does_the_same(depth: int) -> None:
    move = partial(fused._by_graph, fused.step_of_all)
    close = partial(torch.allclose, rtol=1e-5, atol=1e-6)
    assert fused.repeats_torch(move, depth, close)
