"""The cut by whole channels: what is removed, what it costs, where it cannot get to, and records of it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sparsebench import export, train
from sparsebench.bench.compaction.compact import compact
from sparsebench.bench.config.suite import load_suite
from sparsebench.bench.exchange.record_checks import record_errors
from sparsebench.bench.export.load_snippet import build_network
from sparsebench.bench.measurement.cuts import ChannelCut, restored
from sparsebench.bench.measurement.graph.find_channels import find_channels
from sparsebench.bench.models.model_file import read_card
from sparsebench.bench.search.entry_space import EntrySpace
from sparsebench.bench.verification.recount import record_differences
from sparsebench.datasets.api import open_dataset
from sparsebench.records.record import Record
from torch import nn

CPU = torch.device("cpu")


def two_layers() -> nn.Sequential:
    """Four hidden units: norms 5, 2, 1 and 0 over √2, of which the third is read by nobody."""
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3))
    net[0].weight.data = torch.tensor([[3.0, 4.0], [2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    net[0].bias.data = torch.tensor([1.0, 1.0, 1.0, 0.0])
    net[2].weight.data = torch.ones(3, 4)
    net[2].weight.data[:, 2] = 0
    return net


def cut_of(net: nn.Module, names: tuple[str, ...] = ("0.weight", "2.weight")) -> ChannelCut:
    return ChannelCut(net, names, find_channels(net, names, (2,)))


def test_a_channel_goes_with_all_that_is_its() -> None:
    net = two_layers()
    cut = cut_of(net)
    # 4·2 + 4·3 products; two units have an effect: 2·2 + 2·3
    assert cut.alive().tolist() == [True, True, False, False]
    assert cut.speedup() == 2.0
    with restored(cut.tensors):
        assert not cut.to(2.0)  # it is there by itself
        assert cut.to(2.01)
        assert net[0].weight.tolist() == [[3.0, 4.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
        assert net[0].bias.tolist() == [1.0, 0.0, 0.0, 0.0]
        assert net[2].weight.tolist() == [[1.0, 0.0, 0.0, 0.0]] * 3
        assert (cut.speedup(), cut.nonzeros()) == (4.0, 5)
    assert net[0].bias.tolist() == [1.0, 1.0, 1.0, 0.0]


def test_the_last_channel_of_a_layer_stays() -> None:
    cut = cut_of(two_layers())
    assert cut.limit() == 4.0


def test_a_layer_that_is_kept_dense_reads_channels_and_loses_products_with_them() -> None:
    net = two_layers()
    cut = cut_of(net, ("0.weight",))
    assert cut.alive().tolist() == [True, True, False, False]
    assert (cut.speedup(), cut.limit()) == (2.0, 4.0)
    assert cut.to(4.0)
    assert net[0].weight.tolist() == [[3.0, 4.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    assert net[2].weight.tolist() == [[1.0, 1.0, 0.0, 1.0]] * 3  # it is not pruned
    counts = compact(net, torch.randn(4, 2)).counts
    assert (counts.macs, counts.macs_after) == (20, 5)


def test_an_emptied_network_has_no_channel_left() -> None:
    net = two_layers()
    net[2].weight.data.zero_()
    assert not cut_of(net).alive().any()
    assert cut_of(net).speedup() == 20.0  # as if one product were left


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Path]:
    file = tmp_path_factory.mktemp("channels") / "model.safetensors"
    settings = {"speedup": 4.0, "epochs": 2, "batch_size": 32}
    record = train(
        "digits", "conv3_bn", "filter_l1", settings=settings, compressions=[1.5, 4, 8, 1e4],
        granularity="channels", save=file,
    )  # fmt: skip
    return record, file


def test_a_record_tells_what_its_compressions_count(trained: tuple[Record, Path]) -> None:
    record, _ = trained
    assert record.task == "digits-conv3_bn-channels"
    assert "--granularity channels" in record.command
    assert [(p.at, p.cut) for p in record.at_compressions] == [
        (1.0, False), (1.5, False), (4.0, False), (8.0, True),
    ]  # fmt: skip
    assert all((p.speedup or 0) >= p.at for p in record.at_compressions)
    assert record_errors(record) == []
    assert Record.model_validate_json(record.to_json()).granularity == "channels"


def test_a_model_of_it_is_verified_and_a_forged_speedup_found(trained: tuple[Record, Path]) -> None:
    record, file = trained
    data = open_dataset("digits")
    network = build_network(read_card(file))
    network.load_state_dict(load_file(file))
    assert list(record_differences(record, network, data, CPU)) == []
    points = list(record.at_compressions)
    forged = [*points[:-1], replace(points[-1], speedup=9.5)]
    [said] = record_differences(record.model_copy(update={"at_compressions": forged}), network, data, CPU)
    assert said.startswith("at compression 8 its speedup is 9.5, that of the model 8.")


def test_an_export_is_cut_by_channels(trained: tuple[Record, Path], tmp_path: Path) -> None:
    record, file = trained
    made = export(file, at=8, out=tmp_path / "cut.safetensors")
    network = build_network(made.card)
    network.load_state_dict(load_file(made.path))
    images, _ = next(iter(open_dataset("digits").valid.batches(32, CPU)))
    counts = compact(network.eval(), images).counts
    point = record.at_compressions[-1]
    assert counts.macs_after <= counts.macs / 8
    assert counts.macs / counts.macs_after == pytest.approx(point.speedup)
    assert made.card.test_accuracy == point.test_accuracy


def test_a_target_is_given_to_methods_of_its_kind() -> None:
    suite = load_suite("quickstart-channels")
    spaces = {entry.label: EntrySpace(suite.tasks[0], entry, images=1149) for entry in suite.entries}
    assert spaces["filter_l1"].settings({}, aim=4.0)[0]["speedup"] == 4.0
    assert spaces["slimming"].target == "speedup" and "speedup" not in spaces["slimming"].knobs
    assert spaces["l1"].target is None and "lam" in spaces["l1"].knobs
    other = load_suite("quickstart").tasks[0]
    assert "speedup" in EntrySpace(other, suite.entries[2], images=1149).knobs  # a knob like others there
