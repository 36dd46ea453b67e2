"""A whole board worked out by hand: searches, curves, choices and cells of a net of 16 weights.

The net is y = W x, and an image of class j is the j-th unit vector: it is right where W[j][j] is the
largest of column j, and of equal ones the first wins, so class 0 is right in a column of zeros. The classes
have 4, 3, 2 and 1 images of ten: guessing reaches 0.4. At the common compressions 2, 4, 8, 16 there remain
8, 4, 2 and 1 weights. The methods write their W when they finalize; the learning rate is too small to move
a weight.
"""

from pathlib import Path

import pytest
import timm
import torch
from formula_study import finish
from sparsebench.bench.config.suite import Suite
from sparsebench.bench.search.study import TaskFacts, studies
from sparsebench.bench.training import trial as trials
from sparsebench.records.record import Record
from sparsebench.records.store import Store
from sparsebench.registry import load_plugin
from sparsebench.reports.analysis.boards import boards
from sparsebench.reports.analysis.leaderboard import TaskLeaderboard
from torch import nn

PLUGIN = '''
from dataclasses import dataclass
import torch
from sparsebench import Data, Sparsifier, knob, register, register_dataset, sparsity_knob
from sparsebench.datasets.on_device import OnDevice
from sparsebench.methods.api import Diverged, keep_count

@register_dataset("unit_vectors", summary="four unit vectors")
def unit_vectors(root, download):
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 2, 3])
    split = OnDevice(torch.eye(4)[labels].view(10, 1, 1, 4), labels, torch.zeros(1), torch.ones(1))
    return Data("unit_vectors", (1, 1, 4), 4, split, split, split, digest="unit")

class Writing(Sparsifier):
    def finalize(self, net):
        for name in net.names:
            net.weight(name).copy_(torch.diag(torch.tensor(self.diagonal())))

@register("met_target")
@dataclass
class MetTarget(Writing):
    """Keeps classes 1, 2, 3, 0 in turn, the later the larger, and then small weights beside them."""
    sparsity: float = sparsity_knob()
    def finalize(self, net):
        kept = keep_count(self.sparsity, 16)
        w = net.weight(net.names[0]).zero_()
        for j, size in list(zip((1, 2, 3, 0), (5.0, 6.0, 7.0, 8.0)))[:kept]:
            w[j, j] = size
        w[0, 1:] = 0.01 if kept > 4 else 0.0
        w[1, 0] = 0.01 if kept > 4 else 0.0

@dataclass
class Penalty(Writing):
    lam: float = knob(10.0, low=1.0, high=1e4, log=True, operating=True)

@register("no_target")
@dataclass
class NoTarget(Penalty):
    """Trained weights, three classes, two classes, nothing: the larger λ the less."""
    def finalize(self, net):
        if self.lam > 10:
            super().finalize(net)
    def diagonal(self):
        if self.lam < 100:
            return [3.0, 2.0, 1.0, 0.0]
        return [0.0, 1.0, 0.0, 2.0] if self.lam < 1000 else [0.0] * 4

@register("half_diverged")
@dataclass
class HalfDiverged(Penalty):
    """Trained weights, or no numbers where λ is above 100."""
    def after_step(self, net, clock):
        if self.lam > 100:
            raise Diverged("too large")
    def finalize(self, net):
        pass

@register("all_diverged")
@dataclass
class AllDiverged(HalfDiverged):
    lam: float = knob(1e3, low=1e3, high=1e4, log=True, operating=True)

@register("collapsing")
@dataclass
class Collapsing(Penalty):
    def diagonal(self):
        return [0.0] * 4
'''
ENTRIES = ("dense", "met_target", "no_target", "half_diverged", "all_diverged", "collapsing")
SUITE = {
    "name": "by-hand",
    "budget": {"trials": 4, "seeds": 2, "generation": 4, "compressions": [2, 4, 8, 16]},
    "tasks": [
        {"dataset": "unit_vectors", "model": "four_by_four", "recipe": {"epochs": 1, "batch_size": 10}}
    ],
    "entries": [{"method": name, "lr": 1e-8, "weight_decay": 0.0} for name in ENTRIES],
}  # fmt: skip


def four_by_four(pretrained: bool = False, **_: object) -> nn.Module:
    layer = nn.Linear(4, 4, bias=False)
    layer.weight.data = torch.full((4, 4), 0.25) + torch.diag(torch.tensor([3.75, 2.75, 1.75, 0.75]))
    return nn.Sequential(nn.Flatten(), layer)


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    (tmp_path / "by_hand.py").write_text(PLUGIN)
    load_plugin(tmp_path / "by_hand.py")
    timm.models.register_model(four_by_four)
    suite = Suite(**SUITE)  # type: ignore[arg-type]
    store = Store(tmp_path)
    for study in studies(suite, {suite.tasks[0].name: TaskFacts("unit", 10)}, store):
        finish(study, trials.run)
    return list(Store(tmp_path))


def curves(records: list[Record], entry: str) -> list[list[tuple[float, int, bool]]]:
    """Validation accuracy, nonzeros and whether it was cut, of each search trial at each compression."""
    return [
        [(point.val_accuracy, point.nonzeros, point.cut) for point in record.at_compressions]
        for record in records
        if record.entry == entry and record.phase == "search"
    ]


def test_a_board_by_hand(records: list[Record]) -> None:
    # Dense: the diagonal is 4, 3, 2, 1 and the rest 0.25; the trials differ in nothing.
    dense = [(1.0, 16, False), (1.0, 8, True), (1.0, 4, True), (0.7, 2, True), (0.4, 1, True)]
    assert curves(records, "dense") == [dense] * 4
    # With a target: the trials are for 2, 8, 4, 16, and meet it; a cut leaves the later classes.
    assert curves(records, "met_target") == [
        [(1.0, 8, False), (1.0, 8, False), (1.0, 4, True), (0.5, 2, True), (0.4, 1, True)],
        [(0.9, 2, False), (0.9, 2, False), (0.9, 2, False), (0.9, 2, False), (0.6, 1, True)],
        [(1.0, 4, False), (1.0, 4, False), (1.0, 4, False), (0.5, 2, True), (0.4, 1, True)],
        [(0.7, 1, False)] * 5,
    ]
    # Without one: λ is 10^0.5, 10^2.5, 10^1.5, 10^3.5, the middles of four parts of its range.
    assert curves(records, "no_target") == [
        dense,
        [(0.8, 2, False), (0.8, 2, False), (0.8, 2, False), (0.8, 2, False), (0.5, 1, True)],
        [(0.9, 3, False), (0.9, 3, False), (0.9, 3, False), (0.7, 2, True), (0.4, 1, True)],
        [(0.4, 0, False)] * 5,
    ]
    assert curves(records, "half_diverged") == [dense, [], dense, []]
    assert curves(records, "all_diverged") == [[]] * 4
    assert curves(records, "collapsing") == [[(0.4, 0, False)] * 5] * 4
    [board] = boards(records)
    assert (board.chance, board.dense, board.compressions) == (0.4, 1.0, (2.0, 4.0, 8.0, 16.0))
    assert board.ranked == ["met_target", "no_target", "half_diverged", "all_diverged", "collapsing"]
    expected = {  # accuracy at 2, 4, 8, 16; where most were cut; (a - 0.4)/0.6, 0 where nothing was learned
        "dense": ((1.0, 1.0, 0.7, 0.4), (True, True, True, True), (1 + 1 + 0.5 + 0) / 4),
        # At 4 its first trial, cut, is as good as its third, and was first.
        "met_target": ((1.0, 1.0, 0.9, 0.7), (False, True, False, False), (1 + 1 + 5 / 6 + 0.5) / 4),
        "no_target": ((1.0, 1.0, 0.8, 0.5), (True, True, False, True), (1 + 1 + 2 / 3 + 1 / 6) / 4),
        "half_diverged": ((1.0, 1.0, 0.7, 0.4), (True, True, True, True), (1 + 1 + 0.5 + 0) / 4),
        "all_diverged": ((0.4, 0.4, 0.4, 0.4), (False, False, False, False), 0.0),
        "collapsing": ((0.4, 0.4, 0.4, 0.4), (False, False, False, False), 0.0),
    }
    for entry, (accuracies, cut, score) in expected.items():
        row = board.row(entry)
        assert tuple(row.accuracy_at.values()) == pytest.approx(accuracies), entry
        assert tuple(row.cut_at.values()) == cut, entry
        assert row.score == pytest.approx(score), entry
        assert tuple(row.unlearned_at.values()) == tuple(a == 0.4 for a in accuracies), entry
    check_counts(board)


def check_counts(board: TaskLeaderboard) -> None:
    """Trainings chosen, each confirmed with two seeds, and what went wrong."""
    rows = {row.entry: row for row in board.rows}
    assert {entry: row.runs for entry, row in rows.items()} == {
        "dense": 2, "met_target": 8, "no_target": 4, "half_diverged": 2, "all_diverged": 2, "collapsing": 2,
    }  # fmt: skip
    assert {entry: (row.search_diverged, row.diverged, row.collapsed) for entry, row in rows.items()} == {
        "dense": (0, 0, 0), "met_target": (0, 0, 0), "no_target": (0, 0, 0), "half_diverged": (2, 0, 0),
        "all_diverged": (4, 2, 0), "collapsing": (0, 0, 2),
    }  # fmt: skip
    assert {entry: (row.free_knobs, row.chosen_from[8]) for entry, row in rows.items()} == {
        "dense": (0, 4), "met_target": (0, 1), "no_target": (1, 4), "half_diverged": (1, 4),
        "all_diverged": (1, 4), "collapsing": (1, 4),
    }  # fmt: skip
