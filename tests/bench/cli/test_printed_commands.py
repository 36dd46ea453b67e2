"""What a campaign of a hostile plugin prints and stores: commands can be typed, texts are within bounds."""

import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sparsebench.bench.exchange.pack import pack
from sparsebench.records.record import Record
from sparsebench.records.store import load_records

Cli = Callable[..., Any]

PLUGIN = """
import warnings
from dataclasses import dataclass
from sparsebench import Sparsifier, register

@register("printed_fine")
@dataclass
class Fine(Sparsifier):
    '''It trains.'''

@register("printed_broken")
@dataclass
class Broken(Sparsifier):
    '''It fails at the second step.'''
    def before_step(self, net, clock):
        if clock.step:
            raise RuntimeError("broken \\ud800 " + "x" * 1_000_000)

class NoText(Exception):
    def __str__(self):
        raise RuntimeError("it has no text")

@register("printed_silent")
@dataclass
class Silent(Sparsifier):
    '''It fails with an error that has no text.'''
    def before_step(self, net, clock):
        if clock.step:
            raise NoText

@register("printed_warns")
@dataclass
class Warns(Sparsifier):
    '''It warns.'''
    def attach(self, net, plan, probe):
        for i in range(10_000):
            warnings.warn(f"warning {i} \\ud800")
        return super().attach(net, plan, probe)
"""
SUITE = """
name = "printed"
[budget]
trials = 1
seeds = 1
points = 1
[[tasks]]
dataset = "digits"
model = "lenet_300_100"
recipe = { epochs = 1, batch_size = 512 }
[[entries]]
method = "dense"
[[entries]]
method = "printed_fine"
[[entries]]
method = "printed_broken"
[[entries]]
method = "printed_silent"
[[entries]]
method = "printed_warns"
"""
NAME = '-it\'s $HOME; "100 %" é'


def words_of(text: str) -> list[list[str]]:
    """The words of every command in a text: behind a colon, `&&` or two spaces, or between backticks."""
    found = re.findall(r"(?:^|: |  |&& |`)(sparsebench [a-z]+ .*?)(?:` |$)", text, re.MULTILINE)
    return [shlex.split(command) for command in found]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "my plugin.py").write_text(PLUGIN)
    (folder / "suite.toml").write_text(SUITE)
    return folder


def check_texts(records: Sequence[Record], path: Path) -> None:
    """What methods say is in records within bounds, and in the log in full."""
    (broken,) = [record for record in records if record.method == "printed_broken"]
    (silent,) = [record for record in records if record.method == "printed_silent"]
    warned = [record for record in records if record.method == "printed_warns"]
    assert len(broken.reason or "") <= 1000 and "workers.log" in (broken.reason or "")
    assert "NoText" in (silent.reason or "")
    assert {len(record.warnings) for record in warned} == {20}
    log = path.read_text(errors="replace")
    assert "x" * 1_000_000 in log and "warning 9999" in log


def test_every_printed_command_can_be_typed(place: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, out = place / "my plugin.py", f"{NAME}/out"
    ran = cli("run", place / "suite.toml", f"--out={out}", "--plugin", plugin, "--devices", "cpu:1")
    assert ran.code == 1, ran.err  # an entry has no result
    # Folders in the commands that are printed: of run, status, report and export
    told = cli("status", f"./{out}")
    assert told.code == 1
    assert told.out.startswith("all trials are done, 2 entries without a result")
    assert "problem: every trial of 'printed_broken' on digits-lenet_300_100 failed" in told.out
    printed = ran.out + "\n" + told.out + "\n" + cli("report", f"./{out}").out
    printed += "\n" + cli("export", f"./{out}").out
    commands = words_of(printed)
    assert {words[1] for words in commands} >= {"ui", "train", "export", "run"}, printed
    for words in commands:
        if words[1] in ("ui", "export", "report", "track"):
            assert not words[2].startswith("-")
            assert Path(words[2]).is_dir(), words
    # Plugins in the commands of records: those of trials that need one
    records = load_records(place / "out")
    of = {record.method: shlex.split(record.command) for record in records}
    assert "--plugin" not in of["dense"]
    assert of["printed_fine"][-2:] == of["printed_broken"][-2:] == ["--plugin", str(plugin)]
    assert any(words[-2:] == ["--plugin", str(plugin)] for words in commands if words[1] == "train")
    page = "".join(file.read_text() for file in (place / "out" / "site").rglob("*.js*"))
    pages = page + "".join(file.read_text() for file in (place / "out" / "site").rglob("*.html"))
    assert "--plugin" in pages
    check_texts(records, place / "out" / "workers.log")
    # The archive takes them, and one of them is run: it is the same trial
    pack(place / "out", Path("one.zip"))
    monkeypatch.chdir("/")
    (record,) = [r for r in records if r.method == "printed_fine" and r.phase == "confirm"]
    again = cli(*shlex.split(record.command)[1:])
    assert again.code == 0, again.err
    made = Record(**json.loads(again.out))
    assert made.val_accuracy == record.val_accuracy
    assert shlex.split(made.command) == shlex.split(record.command)
