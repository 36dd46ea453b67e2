"""One step of each entry is tried before anything starts: what fails is one sentence, what trains passes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sparsebench.bench.config.suite import Entry, Suite, Task
from sparsebench.bench.executors.rehearsal import TaskData, rehearse
from sparsebench.errors import NotTrainable
from sparsebench.registry import load_plugin

PLUGIN = '''
import os, timm, torch
from dataclasses import dataclass
from sparsebench import Sparsifier, register
from torch import nn

class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()
    @staticmethod
    def backward(ctx, g):
        if torch.is_grad_enabled():
            raise RuntimeError("the second derivative is not implemented")
        return g

class Net(nn.Module):
    def __init__(self, kind, c, k):
        super().__init__()
        self.kind, self.p, self.norm = kind, nn.Conv2d(c, 4, 3), nn.BatchNorm1d(4)
        self.head = nn.LazyLinear(k) if kind == "lazy" else nn.Linear(4, k)
    def forward(self, x):
        x = self.p(x).flatten(2).mean(2)
        if self.kind == "norm":
            x = self.norm(x)
        y = self.head(Once.apply(x) if self.kind == "once" else x)
        if self.kind == "nan":
            y = y / 0 * 0
        if self.kind == "leaves":
            raise SystemExit("this needs a licence")
        if self.kind == "fails":
            raise ValueError("not today")
        if self.training and self.kind == "batch":
            assert len(x) >= 8, "a batch of eight or more"
        if self.training and self.kind in ("tuple", "dict", "wide"):
            return {"tuple": (y, y), "dict": {"logits": y}, "wide": torch.cat([y, y], 1)}[self.kind]
        return y

for kind in ("plain", "tuple", "dict", "wide", "nan", "lazy", "once", "norm", "batch", "leaves", "fails"):
    def make(pretrained=False, kind=kind, **more):
        return Net(kind, more["in_chans"], more["num_classes"])
    make.__name__, make.__module__ = f"reh_{kind}", __name__
    timm.models.register_model(make)

@register("reh_raises")
@dataclass
class Raises(Sparsifier):
    """It raises."""
    def attach(self, net, plan, probe):
        raise RuntimeError("first line\\n  second line")

@register("reh_leaves")
@dataclass
class Leaves(Sparsifier):
    """It leaves."""
    def before_step(self, net, clock):
        os._exit(7)
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("rehearsal") / "reh.py"
    path.write_text(PLUGIN)
    load_plugin(path)
    yield path


def tried(plugin: Path, model: str, *methods: str) -> None:
    suite = Suite(
        name="s",
        tasks=(Task(dataset="digits", model=model),),
        entries=tuple(Entry(method=method) for method in methods),
    )
    rehearse(suite, {suite.tasks[0].name: TaskData((1, 8, 8), 10, 1078)}, [plugin])


@pytest.mark.parametrize("model", ["lazy", "norm", "batch"])
def test_what_trains_passes(plugin: Path, model: str) -> None:
    tried(plugin, f"reh_{model}", "dense", "snip", "grasp", "dwf")


@pytest.mark.parametrize(
    ("model", "methods", "words"),
    [
        ("tuple", ["dense"], "model 'reh_tuple': it gives a tuple of 2, not one tensor of logits"),
        ("dict", ["dense"], "it gives a dict of 'logits', not one"),
        ("wide", ["dense"], r"of the shape \(16, 20\), not"),
        ("leaves", ["dense"], "SystemExit: this needs a licence"),
        ("fails", ["dense"], r"1×8×8: ValueError: not today \([^;]*\)$"),
        ("nan", ["dense"], "the loss of its first step is no number"),
        ("once", ["dense", "grasp"], "entry 'grasp' cannot be trained: .*not implemented.*--methods dense"),
        ("plain", ["reh_raises", "dense"], "'reh_raises' .*RuntimeError: first line second line"),
        ("plain", ["reh_leaves"], "'reh_leaves' cannot be trained: its process died with exit code 7"),
    ],
)
def test_what_fails_is_one_sentence_with_task_entry_and_cause(
    plugin: Path, model: str, methods: list[str], words: str
) -> None:
    with pytest.raises(NotTrainable, match=words) as met:
        tried(plugin, f"reh_{model}", *methods)
    assert f"task 'digits-reh_{model}'" in str(met.value)
    assert "\n" not in str(met.value)


def test_a_name_that_the_workers_do_not_know_is_refused_with_the_way_out(plugin: Path) -> None:
    suite = Suite(
        name="s", tasks=(Task(dataset="digits", model="lenet5"),), entries=(Entry(method="reh_raises"),)
    )
    with pytest.raises(NotTrainable, match=r"the method 'reh_raises' is defined in .*reh.py.*pass plugins="):
        rehearse(suite, {suite.tasks[0].name: TaskData((1, 28, 28), 10, 100)}, [])
