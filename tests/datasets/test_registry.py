"""How a room's own modules, and those who clash with them, come into a registry."""

import sys

import pytest
from sparsebench.datasets.api import open_dataset, register_dataset, registry
from sparsebench.errors import SparsebenchError
from sparsebench.registry import Registry, load_plugin

PLUGIN = """
from sparsebench.datasets.api import open_dataset, register_dataset

@register_dataset({name!r}, summary="digits once more", args={{"valid": 200}})
def opener(root, download, *, valid):
    return open_dataset("digits", root, valid=valid)
"""


def test_a_plugin_file_adds_a_dataset(tmp_path):
    file = tmp_path / "more.py"
    file.write_text(PLUGIN.format(name="more_digits"))
    load_plugin(file)
    assert len(open_dataset("more_digits").valid) == 200


def test_a_builtin_name_cannot_be_taken(tmp_path):
    file = tmp_path / "thief.py"
    file.write_text(PLUGIN.format(name="mnist"))
    with pytest.raises(
        SparsebenchError, match=r"'mnist' is registered already, by sparsebench.datasets.mnist"
    ):
        load_plugin(file)
    assert registry["mnist"].open.__module__ == "sparsebench.datasets.mnist"


def test_the_same_opener_may_register_again():
    entry = registry["digits"]
    register_dataset("digits", summary=entry.summary)(entry.open)
    registry.add("digits", entry)
    assert registry["digits"] is entry


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A package with one public module that registers and one private one that must not be imported."""
    package = tmp_path / "a_room"
    package.mkdir()
    (package / "__init__.py").write_text("registry = None")
    (package / "one.py").write_text("from . import registry\nregistry.add('one', max)")
    (package / "_hidden.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == "a_room"]:
        del sys.modules[name]


def test_public_modules_are_imported_at_the_first_look_up(room):
    import a_room

    a_room.registry = Registry("thing", "nobody.registers.here", "a_room")
    assert "a_room.one" not in sys.modules
    assert list(a_room.registry) == ["one"] and "a_room._hidden" not in sys.modules


def test_a_module_that_fails_keeps_failing(room):
    import a_room

    (room / "two.py").write_text("1/0")
    a_room.registry = Registry("thing", "nobody.registers.here", "a_room")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            len(a_room.registry)
