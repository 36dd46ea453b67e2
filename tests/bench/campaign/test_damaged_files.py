"""Every file of a finished folder deleted, emptied, overwritten, cut in half, or a folder in its place."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sparsebench.bench.campaign.driver import run
from sparsebench.bench.campaign.kept_models import board_models
from sparsebench.bench.campaign.publish import ranked, report_folder
from sparsebench.bench.exchange.pack import pack
from sparsebench.bench.output_folder.campaign_id import take_campaign_id
from sparsebench.bench.progress.snapshot import CampaignSnapshot
from sparsebench.bench.progress.status import status
from sparsebench.bench.search.storage_mirror import StudyMirror
from sparsebench.bench.tracking.client import Tracker, default_uri
from sparsebench.bench.tracking.server import running
from sparsebench.errors import SparsebenchError
from sparsebench.records.store import FILE
from sparsebench.records.stored import StoredRecords
from sparsebench.reports.figures import draw

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("campaign")]

Damage = Callable[[Path], object]


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Damage] = {
    "deleted": Path.unlink, "emptied": lambda path: path.write_bytes(b""), "cut in half": cut,
    "overwritten": lambda path: path.write_bytes(bytes(range(256)) * 20), "a folder": become_a_folder,
}  # fmt: skip
TABLES = ("leaderboard.csv", "leaderboard.json", "leaderboard.md", "leaderboard.tex", "pairs.csv")
# What may stop these commands with a sentence: the suite says what is planned and where curves are cut off.
AUTHORITATIVE = (FILE, "suite.json")


@pytest.fixture(scope="module")
def whole(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small copy of the finished folder, with all of its files but the figures."""
    out = tmp_path_factory.mktemp("whole") / "out"
    shutil.copytree(finished, out, ignore=shutil.ignore_patterns("*.png", "*.svg", "mlartifacts"))
    Tracker(default_uri(out), out, take_campaign_id(out)[0].id)
    return out


def files(folder: Path) -> list[Path]:
    """Its files; of models and pages one."""
    single = [sorted((folder / name).iterdir())[0] for name in ("models", "site")]
    return [*sorted(path for path in folder.iterdir() if path.is_file()), *single]


def tables(folder: Path) -> list[bytes]:
    """The content of all tables but the page that shows the figures."""
    return [(folder / name).read_bytes() for name in TABLES if name != "leaderboard.md"]


@pytest.mark.parametrize("kind", DAMAGES)
def test_every_command_goes_on_or_says_why_not(
    kind: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Figures take seconds, and read none of the folder's files.
    monkeypatch.setattr(draw, "draw_share", lambda share: {b.task: [] for b in share.boards} | {"": []})
    for file in files(whole):
        out = tmp_path / f"{file.name}-out"
        shutil.copytree(whole, out)
        DAMAGES[kind](out / file.relative_to(whole))
        try:
            assert status(out).condition == ("complete" if file.name != FILE else "stopped")
            records, said = StoredRecords(out), list[str]()
            report_folder(out, ranked(out, records), said.append)
            board_models(out, records.light)
            if file.name not in AUTHORITATIVE:
                assert tables(out) == tables(whole), file.name
                assert len(said) == (file.name == "methods.json" and kind != "deleted")
            assert pack(out, tmp_path / "packed.zip").records == len(records)
        except SparsebenchError as error:
            assert file.name in AUTHORITATIVE, (file.name, error)
            assert file.name == FILE or f"sparsebench run SUITE --out {out}" in str(error)
        StudyMirror.of(out, "0" * 32).storage.engine.dispose()
        if kind != "deleted" and file.name == "mlflow.db":
            with pytest.raises(SparsebenchError, match=r"mlflow.db. is damaged \(.*sparsebench track"):
                running(out).__enter__()
        shutil.rmtree(out)


class Thief:
    """A display that takes files away when the first trial has ended."""

    def __init__(self, *paths: Path) -> None:
        self.paths, self.said = list(paths), list[str]()

    def show(self, snapshot: CampaignSnapshot) -> None:
        while snapshot.running and self.paths:
            while not self.paths[0].exists():  # MLflow takes seconds to make its database
                time.sleep(0.05)
            self.paths.pop(0).unlink()

    def say(self, message: str) -> None:
        self.said.append(message)


def test_a_run_makes_everything_again_but_the_records(
    finished: Path,
    tiny: Path,
    told: Callable[[Path], object],
    board: Callable[[Path], object],
    tmp_path: Path,
) -> None:
    """All files are overwritten before it, both databases are deleted in the middle of it."""
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    lines = (out / FILE).read_bytes().splitlines(keepends=True)
    for name in ("mlflow.db", "mlflow.db-wal", "optuna.db-wal"):
        (out / name).touch()
    for file in sorted(out.iterdir()):
        if file.is_file() and file.suffix not in (".png", ".svg"):
            (become_a_folder if file.name in ("state.json", *TABLES) else DAMAGES["overwritten"])(file)
    (out / FILE).write_bytes(b"".join(lines[:-6]))  # enough is left to do for the display to see trials run
    thief = Thief(out / "optuna.db", out / "mlflow.db")
    result = run(tiny, out=out, devices="cpu:1", display=thief)
    assert result.complete and result.problems == [], thief.said
    assert told(out) == told(finished) and board(out) == board(finished)
    assert (status(out).condition, status(out).failures) == ("complete", [])
    for file in ("mlflow.db", "optuna.db"):
        # A write at the moment of the deletion may fail too, and says so in a line of its own.
        damaged, deleted = [said for said in thief.said if said.startswith(f"{str(out / file)!r} ")]
        assert "is damaged (file is not a database): it is now" in damaged
        # An empty file, which SQLite leaves in place of a deleted one, may have the same inode.
        again = ("was deleted or replaced while the campaign ran: it is written again", "(it is empty)")
        assert any(words in deleted for words in again)
        assert (out / f"{file[:-3]}.damaged").exists() and not (out / f"{file}-wal").exists()
    tracker = Tracker(default_uri(out), out, take_campaign_id(out)[0].id)
    tasks = ("planted-lenet_300_100", "digits-lenet_300_100")
    published = [one for task in tasks for one in tracker.present(tracker.experiment("tiny", task))]
    assert sorted(published) == sorted(record.id for record in result.records)
    mirror = StudyMirror.of(out, take_campaign_id(out)[0].id)
    assert sorted(len(states) for states in mirror._written.values()) == [3, 3, 3, 3]
