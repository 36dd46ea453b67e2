"""Models that are cut to a compression: those of a board's cells, of files, and with shared weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sparsebench import export, load_records
from sparsebench.bench.campaign.kept_models import board_models
from sparsebench.bench.export import cut, load_snippet
from sparsebench.bench.models.factory import create
from sparsebench.bench.models.model_file import ModelCard, read_card
from sparsebench.bench.output_folder.layout import MODELS, model_files
from sparsebench.bench.training import trial as trials

Cli = Callable[..., Any]
TASK = ["--task", "digits-lenet_300_100", "--at"]


def test_an_entrys_model_is_cut_to_a_compression_of_its_board(
    cli: Cli, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has that many nonzeros and that accuracy, also by way of a file that is cut a second time."""
    monkeypatch.chdir(tmp_path)
    records = load_records(finished)
    kept = board_models(finished, records)
    for c in (16, 64):
        done = cli("export", finished, "dwf-3", *TASK, c, "--out", f"{c}.safetensors")
        assert done.code == 0, done.err
        card = read_card(Path(f"{c}.safetensors"))
        record = next(record for record in records if record.id == card.id)
        (point,) = (point for point in record.at_compressions if point.at == c)
        assert card.id in kept and card.task == "digits-lenet_300_100"
        assert f"test accuracy {100 * (point.test_accuracy or 0):.2f} %" in done.err
        assert (card.val_accuracy, card.test_accuracy) == (point.val_accuracy, point.test_accuracy)
        state = load_file(f"{c}.safetensors")
        assert sum(int(state[name].count_nonzero()) for name in card.prunable) == point.nonzeros
        assert accuracy_of(card, state) == point.test_accuracy
    whole = model_files(finished / MODELS)[card.id]
    for file in (whole, Path("16.safetensors") if read_card(Path("16.safetensors")).id == card.id else whole):
        again = export(file, at=64, out="again.pt")
        assert again.card.test_accuracy == card.test_accuracy
        weights = torch.load("again.pt", weights_only=True)
        assert all(torch.equal(weights[name], state[name]) for name in state)
    assert cli("export", finished, "dwf-3", *TASK, "63.99999999", "--out", "typed.pt").code == 0
    typed = torch.load("typed.pt", weights_only=True)
    assert all(torch.equal(typed[name], state[name]) for name in state)
    between = export(whole, at=50)
    assert between.path.name == f"{whole.stem}-at-50.pt" and between.card.test_accuracy is None
    assert "where no accuracy was measured" in between.card.title


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dwf-3", "--at", 64], "was run on 2 tasks: give --task, one of"),
        (["dwf-3", *TASK, 50], "has no training on the board for compression 50, but for 1, 2, 4"),
        (["dwf-3", "--task", "digit"], "was not run on 'digit'; did you mean"),
        (["ID", "--at", 1e9], "compression 1e+09 is out of range for digits-lenet_300_100: 1 to 50,200"),
        (["ID", "--at", 0.5], "compression 0.5 is out of range"),
    ],
)
def test_what_is_not_on_the_board_is_refused(
    arguments: list[Any], message: str, cli: Cli, finished: Path, tmp_path: Path
) -> None:
    kept = board_models(finished, load_records(finished))
    own = next(record.id for record in load_records(finished) if record.id in kept and record.task == TASK[1])
    given = [own if argument == "ID" else argument for argument in arguments]
    refused = cli("export", finished, *given, "--out", tmp_path / "x.pt")
    assert refused.code == 2 and message in refused.err, refused.err


def accuracy_of(card: ModelCard, state: dict[str, torch.Tensor]) -> float:
    model = create(card.model, card.shape, card.classes, **card.model_args).eval()
    model.load_state_dict(state)
    test = trials.open_data(card.dataset, None, card.dataset_args).test
    with torch.no_grad():
        hits = [model(x).argmax(1) == y for x, y in test.batches(1024, torch.device("cpu"))]
    return float(torch.cat(hits).double().mean())


def test_a_weight_that_layers_share_is_cut_in_both(tmp_path: Path) -> None:
    card = ModelCard.model_construct(model="tied", shape=(4,), classes=4, model_args={}, at_compressions=[])
    weight = torch.arange(1.0, 17.0).view(4, 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_snippet, "rebuild", lambda *_: (Tied(),))
        state = {"first.weight": weight.clone(), "last.weight": weight.clone()}
        found, said = cut.cut_model(state, card, 4, ["first.weight"])
    assert torch.equal(found["first.weight"], found["last.weight"]) and said.compression == 4.0
    assert int(found["last.weight"].count_nonzero()) == 4 and found["last.weight"].min(1).values[3] == 13


class Tied(torch.nn.Module):
    """Two layers with one weight, as an embedding and its output layer have."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = (torch.nn.Linear(4, 4, bias=False) for _ in range(2))
        self.last.weight = self.first.weight
