"""What is published: a wheel that installs, an sdist that makes the same one; an index accepts both."""

import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from distributions import build, copy_sources, run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distributions")]


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = copy_sources(repository, tmp_path_factory.mktemp("tree"))
    return build("wheel", tree, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = copy_sources(repository, tmp_path_factory.mktemp("tree"))
    return build("sdist", tree, tmp_path_factory.mktemp("sdist"))


def test_an_index_accepts_what_is_said_of_the_package(wheel: Path, sdist: Path) -> None:
    command = [sys.executable, "-P", "-m", "twine", "--no-color", "check", "--strict", str(wheel), str(sdist)]
    said = run(command, cwd=wheel.parent)
    assert said.count("PASSED") == 2, said


def test_the_sdist_makes_the_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    tree = tmp_path / sdist.name.removesuffix(".tar.gz")
    (tmp_path / "out").mkdir()
    assert contents(build("wheel", tree, tmp_path / "out")) == contents(wheel)


def test_the_wheel_is_installed_by_pip_and_its_command_runs(wheel: Path, tmp_path: Path) -> None:
    """Into a fresh environment; the packages that it needs are those of this one."""
    venv.create(tmp_path / "env", with_pip=True)
    programs = tmp_path / "env" / "bin"
    run([str(programs / "pip"), "install", "--no-index", "--no-deps", str(wheel)], cwd=tmp_path)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (site / "needed.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    command = str(programs / "sparsebench")
    assert run([command, "--version"], cwd=tmp_path).startswith("sparsebench ")
    assert "quickstart" in run([command, "list", "suites"], cwd=tmp_path)
    where = "import sparsebench.bench; print(sparsebench.bench.__file__)"
    assert run([str(programs / "python"), "-c", where], cwd=tmp_path).startswith(str(site))


def contents(wheel: Path) -> dict[str, bytes]:
    """What a wheel installs, without the list of it."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}
