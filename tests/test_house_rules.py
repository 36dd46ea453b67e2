"""House rules that a machine can check beside the arrows: relative imports, declared packages, lengths."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from source_tree import ROOMS, ROOT, imports, modules

pytestmark = pytest.mark.smoke

DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow"}
OPTIONAL = {"onnxruntime", "optuna_dashboard", "pytest", "ray"}


@pytest.mark.parametrize("module", modules())
def test_ours_is_imported_relatively(module: str) -> None:
    """A bare `import datasets` would be Hugging Face's package, or ours in its place."""
    assert [i for i in imports(module) if not i.ours and i.target in (*ROOMS, "sparsebench")] == []


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[<>=~! \[;]", entry)[0] for entry in project["dependencies"]}
    used = (
        {i.target for m in modules() for i in imports(m) if not i.ours} - sys.stdlib_module_names - OPTIONAL
    )
    assert {DISTRIBUTIONS.get(name, name) for name in used} - declared == set()


def sources() -> list[Path]:
    return [*modules().values(), *sorted((ROOT / "tests").rglob("*.py")), ROOT / "setup.py"]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of signature and body; the docstring is not counted."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    nodes = ast.walk(ast.parse(text))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lines = len(text.splitlines())
    assert lines <= 300, "longer than 300 lines: split it by job"
    assert [f"{f.name}: {length(f)} lines" for f in functions if length(f) > 40] == []
