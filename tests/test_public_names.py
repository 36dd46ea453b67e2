"""The names that `import sparsebench` offers."""

import subprocess
import sys
from importlib.metadata import version
from types import ModuleType
from typing import Any

import pytest
import sparsebench

pytestmark = pytest.mark.smoke


@pytest.mark.parametrize("name", sparsebench.__all__)
def test_a_public_name_resolves_and_says_what_it_is(name: str) -> None:
    item: Any = getattr(sparsebench, name)
    assert not isinstance(item, ModuleType)
    assert item.__doc__
    if name != "__version__":
        assert item.__name__ == name
        assert item.__module__.startswith("sparsebench.")


def test_the_names_are_listed_once_and_in_order() -> None:
    assert sparsebench.__all__ == sorted(set(sparsebench.__all__))
    assert dir(sparsebench) == sparsebench.__all__


def test_the_version_is_the_installed_one() -> None:
    assert sparsebench.__version__ == version("sparsebench")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'sparsebench' has no attribute 'nothing'"):
        sparsebench.nothing  # noqa: B018 (the access is what is tested)


def test_the_protocol_is_had_without_the_harness() -> None:
    """What a plugin's author imports brings torch, and nothing that searches or logs."""
    code = (
        "import sys; from sparsebench import Sparsifier, register; "
        "print(sorted({'optuna', 'mlflow', 'timm', 'torchvision', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
