"""`sparsebench export`: prints the models of a folder, or the lines of Python that load an exported one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ...commands import path_word
from ...errors import SparsebenchError
from ...records.stored import StoredRecords
from .console import print_line, stderr_console, stdout_console

if TYPE_CHECKING:
    from ..compaction.compact import Counts


def print_models(folder: Path) -> None:
    """Prints the models that an output folder holds: those of the trainings that its leaderboards show.

    Args:
        folder: The output folder.

    Raises:
        SparsebenchError: The folder has no records, or no model of a board.

    Example:
        >>> from sparsebench.bench.models.model_file import save_model
        >>> save_model(model, data, record, folder / "models" / f"{record.id}.safetensors")
        >>> print_models(folder)
        Models of the boards in ...
        ...
        │ 2f8ffdfd31ac0f6e │ made_up-net │ dwf-3 │          │       1.336 │           97.77 │ 0.20 │
        ...
        one of them: sparsebench export /.../run TRIAL --out model.pt (or .safetensors, .pt2, .onnx)
    """
    from ..campaign.counted import counted  # what follows loads scipy, which an export does without
    from ..campaign.kept_models import board_models, board_trainings
    from ..models.model_file import read_card

    records = StoredRecords(folder).light
    models = board_models(folder, records)
    if not models:
        raise SparsebenchError(
            f"{str(folder)!r} has no kept models; give the id of a trial and --retrain to train it again"
        )
    shown = {
        run.id: training.at for training in board_trainings(counted(folder, records)) for run in training.runs
    }
    table = Table(title=f"Models of the boards in {folder}", title_justify="left")
    for name in ("trial", "task", "entry", "shown at"):
        table.add_column(name)
    for name in ("compression", "test accuracy %", "MB"):
        table.add_column(name, justify="right")
    cards = [read_card(path) for path in models.values()]
    for card in sorted(cards, key=lambda c: (c.task, c.entry, shown[c.id], c.compression or 1.0)):
        at = ", ".join(f"{c:g}" for c in shown[card.id])
        accuracy = f"{100 * (card.test_accuracy or 0.0):.2f}"
        size = f"{models[card.id].stat().st_size / 1e6:.2f}"
        table.add_row(card.id, card.task, card.entry, at, f"{card.compression:.4g}", accuracy, size)
    out = stdout_console()
    out.print(table)
    print_line(
        out,
        f"one of them: sparsebench export {path_word(folder)} TRIAL --out model.pt "
        "(or .safetensors, .pt2, .onnx)",
    )
    if any(shown.values()):
        cut = f"sparsebench export {path_word(folder)} ENTRY --at C --out model.pt"
        print_line(out, f"that of an entry, cut to a compression of its board: {cut}")


def compaction_summary(counts: "Counts", difference: float) -> str:
    """Returns a line on what compaction saves.

    Args:
        counts: Its counts.
        difference: How far the logits differ, as a fraction of the largest.

    Returns:
        The line.

    Example:
        >>> from sparsebench.bench.compaction.compact import Counts
        >>> compaction_summary(Counts(1000, 250, 4000, 500, 30, 10, 2), 1e-7)
        'compacted: 1,000 → 250 parameters, 4,000 → 500 multiply-accumulates (8.00 times fewer), 30 → 10
        units, of which 2 give the same for every image and had to stay; logits differ by 1e-07 of the
        largest'
    """
    stay = f", of which {counts.constant_units:,} give the same for every image and had to stay"
    return (
        f"compacted: {counts.weights:,} → {counts.weights_after:,} parameters, {counts.macs:,} → "
        f"{counts.macs_after:,} multiply-accumulates ({counts.speedup:.2f} times fewer), {counts.units:,} → "
        f"{counts.units_after:,} units{stay if counts.constant_units else ''}; logits differ by "
        f"{difference:.2g} of the largest"
    )


def print_export(source: Path, trial: str | None, out: Path | None, options: dict[str, Any]) -> None:
    """Writes one finished model; prints the lines that load it on stdout, its description on stderr.

    Args:
        source: An output folder, or the safetensors file of a model.
        trial: The label of an entry, or the id of a trial of the folder or its first characters; None for a
            file.
        out: The file to write; its suffix is the format. None for a name made from the trial.
        options: Further arguments of `sparsebench.export`, such as `at` and `retrain`.

    Raises:
        SparsebenchError: No such entry, trial or model, or a format that cannot be written.

    Example:
        >>> from sparsebench.bench.training.trial import run
        >>> _ = run(trial, save=Path("model.safetensors"))
        >>> print_export(Path("model.safetensors"), None, Path("model.pt"), {})
        import torch, torch.nn as nn
        model = nn.Sequential(nn.Flatten(start_dim=1, end_dim=-1), nn.Linear(...), ...).eval()
        model.load_state_dict(torch.load('model.pt', weights_only=True))
    """
    from ..export.export import export
    from ..export.load_snippet import input_description

    done = export(source, trial, out, **options)
    say = stderr_console(soft_wrap=True, highlight=False, markup=False).print
    say(f"{done.path}: {done.card.title} (trial {done.card.id})")
    if done.differs:
        say(
            f"warning: trained again, it differs from its record in {', '.join(done.differs)}; "
            "the file says what it reaches now"
        )
    elif done.differs is not None:
        say("trained again, with the accuracies and compression of its record")
    if done.counts is not None:
        say(compaction_summary(done.counts, done.difference or 0.0))
    say(input_description(done.card))
    print("\n".join(done.lines))
