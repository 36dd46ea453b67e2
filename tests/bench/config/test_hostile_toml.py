"""What no reader of TOML takes is one sentence with the file's name, whatever it is."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from sparsebench.bench.campaign.options import RunOptions
from sparsebench.bench.config.ignored import ignored
from sparsebench.bench.config.suite import Entry, Suite, load_suite
from sparsebench.bench.config.suite_override import override
from sparsebench.errors import SparsebenchError

SUITE = 'name = "a"\n[[tasks]]\ndataset = "digits"\nmodel = "lenet5"\n%s\n[[entries]]\nmethod = "dense"\n'
HOSTILE = {
    "deep": ("x = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    "digits": ("seed = " + "9" * 5000 + "\n" + SUITE % "", "line 1: .*5000 digits"),
    "hexadecimal": ("seed = 0x" + "f" * 9000 + "\n" + SUITE % "", "seed: a whole number is beyond 64 bits"),
    "list": (SUITE.replace('"dense"', '["dense"]') % "", "entries.0.method"),
    "entry list": ('entry_list = ["all"]\n' + SUITE % "", "unknown entry_list"),
    "nan": (SUITE % "x_max = nan", "x_max: a number is not finite"),
    "exponent": (SUITE % "x_max = 1e99999", "x_max: a number is not finite"),
    "date": (SUITE % "data_args = { valid = 1979-05-27 }", "data_args"),
    "time": (SUITE % "x_max = 25:00:00", "line 5"),
    "twice": (SUITE % 'model = "b"', "line 5"),
    "empty key": (SUITE % '"" = 3', "unknown key"),
    "argument": (SUITE % ("data_args = { valid = 0x" + "f" * 6000 + " }"), "valid: a whole number"),
    "escape": ('name = "\x1b[31m"', "is not TOML"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_suite_is_one_sentence(kind: str, tmp_path: Path) -> None:
    content, words = HOSTILE[kind]
    path = tmp_path / "s.toml"
    path.write_text(content)
    with pytest.raises(SparsebenchError, match=words) as met:
        load_suite(path)
    assert str(path) in str(met.value)
    assert len(str(met.value)) < 600 + len(str(path))


NAMES = ("\x1b[31m", "a\nb", "\u202eb", "\x00", "x" * 5000)
PLACES = ("label", "keep_dense", "data_args")


@pytest.mark.parametrize(
    ("place", "name"), [("label", "=1+1"), *((place, name) for place in PLACES for name in NAMES)]
)
def test_names_are_judged_alike_in_a_file_and_in_a_suite_of_python(
    place: str, name: str, tmp_path: Path
) -> None:
    quoted = json.dumps(name)
    words = {"label": quoted, "keep_dense": f"[{quoted}]", "data_args": f"{{ {quoted} = 1 }}"}
    line = f"{place} = {words[place]}"
    task, entry = ("", line) if place == "label" else (line, "")
    path = tmp_path / "s.toml"
    path.write_text(SUITE % task + entry)
    told = []
    for suite in (path, Suite(**tomllib.loads(path.read_text()))):
        with pytest.raises(SparsebenchError) as met:
            RunOptions(out=tmp_path).resolve(suite)
        told.append(str(met.value).partition(": ")[2])
    assert told[0] == told[1]
    assert told[0].isprintable() and len(told[0]) < 600


def test_a_suite_that_was_changed_without_validation_is_validated() -> None:
    sound = Suite(name="a", tasks=[{"dataset": "digits", "model": "lenet5"}], entries=[{"method": "dense"}])
    for label in ("a\nb", "\ud800", "x" * 5000, "=1+1"):
        changed = sound.model_copy(update={"entries": (Entry(method="dense", label=label),)})
        with pytest.raises(SparsebenchError) as met:
            RunOptions().resolve(changed)
        assert str(met.value).isprintable() and len(str(met.value)) < 600


def test_another_encoding_is_said_and_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(SUITE % "", encoding="utf-16")
    with pytest.raises(SparsebenchError, match="not UTF-8"):
        load_suite(path)
    path.write_text(SUITE % "", encoding="utf-8-sig")
    assert load_suite(path).name == "a"


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("compressions = []", "budget.compressions: name at least one"),
        ("compressions = [1, 4]", "budget.compressions.0: input should be greater than 1"),
        ("compressions = [4, 4.0]", "a compression is given twice, '4'"),
        ("compressions = [1.00000001, 4]", "a compression is given twice, '1'"),
        ("compressions = [0.5]", "budget.compressions.0: input should be greater than 1, not 0.5"),
        ("compressions = [1e9]", "budget.compressions.0: input should be less than or equal to 1000000"),
        ("compressions = [nan]", "budget.compressions.0: a number is not finite"),
        ('compressions = "4"', "budget.compressions: input should be a valid list, not '4'"),
        (
            f"compressions = {[*range(2, 202)]}",
            "budget.compressions: list should have at most 100 items, not 200",
        ),
        ("searches = 1.5", "budget.searches: input should be a valid integer"),
        ("searches = 0", "budget.searches: input should be greater than or equal to 1"),
    ],
)
def test_a_budget_that_measures_nothing_is_refused(tmp_path: Path, budget: str, message: str) -> None:
    (tmp_path / "mine.toml").write_text(
        f'name = "mine"\n[budget]\n{budget}\n[[tasks]]\ndataset = "digits"\nmodel = "lenet_300_100"\n'
        '[[entries]]\nmethod = "dense"\n'
    )
    with pytest.raises(SparsebenchError, match=re.escape(message)):
        load_suite(tmp_path / "mine.toml")


def test_settings_that_have_no_effect_are_told(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text(
        'name = "old"\n[budget]\npoints = 3\n[[tasks]]\ndataset = "digits"\nmodel = "lenet_300_100"\n'
        "x_max = 2.5\n"
        '[[entries]]\nmethod = "gmp"\nsparsity = { low = 0.5, high = 0.9 }\n'
    )
    suite = load_suite(tmp_path / "old.toml")
    points, x_max, target = told = ignored(suite)
    assert points.startswith("budget.points has no effect") and "sparsity of entry 'gmp'" in target
    assert x_max.startswith("x_max of a task has no effect") and ignored(override(suite, seeds=1)) == told
    assert "points" not in suite.model_dump_json()
