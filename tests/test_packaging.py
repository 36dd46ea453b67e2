"""What a user installs: a wheel built from the source tree, looked into and imported from."""

import zipfile
from pathlib import Path

import pytest
from distributions import ROOMS, build, copy_sources, python

pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = copy_sources(repository, tmp_path_factory.mktemp("tree"))
    return build("wheel", tree, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked: a folder like site-packages with nothing else in it."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_holds_every_module_and_no_other(files: set[str], repository: Path) -> None:
    package = repository / "pkg" / "sparsebench"
    expected = {f"sparsebench/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py")}
    for room in ROOMS:
        folder = repository / room
        expected |= {
            f"sparsebench/{path.relative_to(repository).as_posix()}" for path in folder.rglob("*.py")
        }
    assert {name for name in files if name.endswith(".py")} == expected


def test_the_wheel_holds_what_is_not_code(files: set[str], repository: Path) -> None:
    shipped = (repository / "bench" / "suites").rglob("*.toml")
    suites = {f"sparsebench/{path.relative_to(repository).as_posix()}" for path in shipped}
    assert "sparsebench/bench/suites/quickstart.toml" in suites
    assert suites | {"sparsebench/py.typed", "sparsebench/methods/factors_sgd.c"} <= files
    assert "sparsebench/reports/statistics/search_spread.json" in files
    parts = [
        p for folder in ("templates", "assets") for p in (repository / "reports" / "site" / folder).iterdir()
    ]
    assert {f"sparsebench/{path.relative_to(repository).as_posix()}" for path in parts} <= files
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in files)


def test_the_wheel_takes_one_top_level_name(files: set[str]) -> None:
    tops = {name.split("/")[0] for name in files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sparsebench"}


def test_the_wheel_has_the_whole_licence(installed: Path) -> None:
    (licence,) = installed.glob("*.dist-info/licenses/LICENSE")
    text = licence.read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_importing_the_package_loads_no_library(installed: Path) -> None:
    code = (
        "import sys, sparsebench; print(sparsebench.__file__, sparsebench.__version__); "
        "print(sorted({'torch', 'numpy', 'optuna', 'mlflow', 'pydantic'} & set(sys.modules)))"
    )
    where, loaded = python(code, cwd=installed.parent, path=installed).splitlines()
    assert where.startswith(str(installed))
    assert loaded == "[]"


def test_records_are_read_without_torch(installed: Path) -> None:
    code = "import sys; from sparsebench.records.record import Record; print('torch' in sys.modules)"
    assert python(code, cwd=installed.parent, path=installed) == "False"


@pytest.mark.parametrize("room", ROOMS)
def test_the_rooms_take_no_top_level_names(room: str, installed: Path, repository: Path) -> None:
    """A top-level `datasets` of ours would shadow Hugging Face's, which timm and MLflow import."""
    code = f"from importlib.util import find_spec; spec = find_spec({room!r}); print(spec and spec.origin)"
    origin = python(code, cwd=repository, path=installed)
    assert not origin.startswith((str(installed), str(repository / room)))
