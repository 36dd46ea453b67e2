"""The exported suite, run from outside on deliberately broken methods, fails on exactly their defect."""

import re
import subprocess
import sys
from pathlib import Path

BROKEN = '''
from dataclasses import dataclass
from random import SystemRandom

import sparsebench as sb
import torch
from sparsebench.methods.masks import keep_count, scoped_top


class Base(sb.Sparsifier):
    def scores(self, net):
        return {name: net.weight(name).abs() for name in net.names}

    def rounds(self):
        return (sb.Round(0.5), sb.Round(0.5, "finetune"))

    def start_round(self, net, clock):
        if clock.round == 1:
            net.set_masks(scoped_top(self.scores(net), self.sparsity, "global"))


@sb.register("sound")
@dataclass
class Sound(Base):
    """Nothing is wrong with it."""
    sparsity: float = sb.sparsity_knob()


@sb.register("momentum")
@dataclass
class KeepsMomentum(Base):
    """Sets masks behind the net's back: momentum at masked coordinates is kept."""
    sparsity: float = sb.sparsity_knob()

    def start_round(self, net, clock):
        if clock.round == 1:
            net.masks = scoped_top(self.scores(net), self.sparsity, "global")
            net.push()


@sb.register("own")
@dataclass
class OwnMasks(Base):
    """Masks of its own after each step: the net cannot know that their momentum should go."""
    sparsity: float = sb.sparsity_knob()

    def start_round(self, net, clock):
        if clock.round == 1:
            self.state = scoped_top(self.scores(net), self.sparsity, "global")

    def after_step(self, net, clock):
        for name, mask in self.state.items():
            net.weight(name).mul_(mask)


@sb.register("ties")
@dataclass
class ThresholdWithTies(Base):
    """Compares with a threshold, which miscounts ties."""
    sparsity: float = sb.sparsity_knob()

    def start_round(self, net, clock):
        if clock.round == 1:
            flat = torch.cat([s.flatten() for s in self.scores(net).values()])
            bar = flat.sort(descending=True).values[keep_count(self.sparsity, net.size) - 1]
            net.set_masks({name: s >= bar for name, s in self.scores(net).items()})


@sb.register("views")
@dataclass
class ViewsWeights(Base):
    """Takes a convolution for contiguous."""
    sparsity: float = sb.sparsity_knob()

    def scores(self, net):
        return {name: net.weight(name).view(-1).abs().view(net.weight(name).shape) for name in net.names}


@sb.register("factors")
@dataclass
class LeavesFactors(Base):
    """Leaves parameters of its own in the model, where they would be counted."""
    sparsity: float = sb.sparsity_knob()

    def attach(self, net, plan, probe):
        net.model.register_parameter("factor", torch.nn.Parameter(torch.ones(3)))
        return super().attach(net, plan, probe)


@sb.register("hooked")
@dataclass
class LeavesHook(Base):
    """The finished model computes through a hook."""
    sparsity: float = sb.sparsity_knob()

    def finalize(self, net):
        net.model.register_forward_hook(lambda module, args, output: output * 1.5)


class Layer(torch.nn.Linear):
    """Not torch's own."""


@sb.register("dressed")
@dataclass
class LeavesLayers(Base):
    """The finished model has layers of another class."""
    sparsity: float = sb.sparsity_knob()

    def finalize(self, net):
        for module in net.model.modules():
            if isinstance(module, torch.nn.Linear):
                module.__class__ = Layer


@sb.register("idle")
@dataclass
class Idle(Base):
    """Declines every step."""
    sparsity: float = sb.sparsity_knob()

    def before_step(self, net, clock):
        return False


@sb.register("excused")
@dataclass
class Excused(sb.Sparsifier):
    """Has no target, no masks and no knob, and is excused from all else."""
    exceptions = dict.fromkeys(("plain", "reproducible", "resume"), "it is like that")

    def finalize(self, net):
        net.model.register_parameter("x", torch.nn.Parameter(torch.tensor(SystemRandom().random())))
'''

SUITE = """
import pathlib

from sparsebench.bench.conformance import MethodConformance
from sparsebench.registry import load_plugin

load_plugin(pathlib.Path(__file__).parent / "broken.py")
"""

CASE = """

class Test_{method}(MethodConformance):
    method = "{method}"
"""

DEFECTS = {
    "sound": set(),
    "momentum": {"masked"},
    "own": {"masked"},
    "ties": {"target"},
    "views": {"layout"},
    "factors": {"plain"},
    "hooked": {"plain"},
    "dressed": {"plain"},
    "idle": {"plain"},
    "excused": {"exceptions"},
}


def test_broken_methods_fail_where_they_are_broken(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "test_it.py").write_text(SUITE + "".join(CASE.format(method=m) for m in DEFECTS))
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    failed: dict[str, set[str]] = {method: set() for method in DEFECTS}
    for method, check in re.findall(r"^FAILED \S+::Test_([a-z]+)::test_([a-z]+)", done.stdout, re.MULTILINE):
        failed[method].add(check)
    assert failed == DEFECTS, done.stdout[-3000:]
    assert "passed" in done.stdout
