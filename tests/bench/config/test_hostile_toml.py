"""What no reader of TOML takes is one sentence with the file's name, whatever it is."""

from pathlib import Path

import pytest
from sparsebench.bench.config.suite import load_suite
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


def test_another_encoding_is_said_and_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(SUITE % "", encoding="utf-16")
    with pytest.raises(SparsebenchError, match="not UTF-8"):
        load_suite(path)
    path.write_text(SUITE % "", encoding="utf-8-sig")
    assert load_suite(path).name == "a"
