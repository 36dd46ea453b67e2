"""The house rules that a machine can check: who may import whom, what stays lazy, and how long things grow.

The source tree is parsed, never imported. Modules are named without the package: `bench.records`.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.smoke

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("methods", "datasets", "bench", "reports")

# The parts of the house, lowest first: their modules, and what these may import beside each other.
# A name on the right is a part or a single module: of the methods and the datasets, everyone else
# sees the protocol alone.
PARTS = """
foundation | errors registry                                         |
methods    | methods methods.*                                       | foundation
datasets   | datasets datasets.*                                     | foundation
records    | bench bench.hashes bench.records bench.described        | foundation
reports    | reports reports.*                                       | foundation records
plan       | bench.spec bench.suite bench.space bench.validation bench.describe | foundation records methods.api datasets.api
machine    | bench.cores bench.devices bench.memory bench.versions bench.kept bench.addresses | foundation
measures   | bench.models bench.networks bench.zoo bench.measure bench.threshold | foundation records datasets.api
train      | bench.train bench.optim bench.schedule bench.stream     | foundation methods.api methods.net datasets.api plan measures
train      | bench.clock bench.probe bench.meter bench.checkpoint    |
train      | bench.layout                                            |
train      | bench.keeper                                            | machine
trial      | bench.trial bench.saved                                 | foundation records methods.api datasets.api plan machine measures train
executors  | bench.executors bench.executors.*                       | foundation records plan machine trial bench.keeper
search     | bench.search bench.studies bench.importance bench.mirror | foundation records methods.api reports.pareto plan bench.addresses
track      | bench.track bench.mlflow_* bench.ui                     | foundation records reports bench.addresses
shelf      | bench.shelf                                            | foundation records reports machine
folder     | bench.folder bench.changes                             | foundation records methods.api plan bench.kept
watch      | bench.standing bench.pace bench.display bench.lines    | foundation records reports folder
watch      | bench.picture bench.bars bench.state                   |
campaign   | bench.campaign bench.publish bench.signals             | foundation records methods.api datasets.api reports plan machine bench.models trial executors search track shelf folder watch
doctor     | bench.doctor bench.reach                                | foundation machine datasets.api track
status     | bench.status                                            | foundation records reports machine folder watch
api        | bench.api                                               | foundation records methods.api plan machine trial
estimate   | bench.estimate                                          | foundation methods.api datasets.api plan machine bench.models trial executors campaign bench.standing
export     | bench.export bench.export_cli bench.formats bench.loading | foundation records plan machine bench.models bench.networks bench.zoo trial shelf bench.scrutiny
exchange   | bench.exchange bench.exchange_cli bench.sources        | foundation records plan machine bench.publish
exchange   | bench.archive bench.scrutiny bench.fit                  |
cli        | bench.cli bench.commands bench.catalogue                | foundation records methods.api datasets.api reports plan machine bench.models bench.networks bench.executors.forks bench.executors.machines track campaign estimate api export exchange watch status doctor public
conformance | bench.conformance                                      | foundation methods datasets.api datasets.on_device plan measures train
public     | __init__                                                |
"""  # noqa: E501 (a table is read by its columns)

# Libraries that belong to few: the parts and modules that may import them, lazily or not.
OWNERS = {
    "optuna": "bench.search bench.mirror bench.importance",
    "mlflow": "track",
    "ray": "bench.executors.ray",
    "torch": "methods datasets machine measures train trial executors api export estimate conformance "
    "bench.commands",
    "torchvision": "datasets",
    "sklearn": "datasets",
    "timm": "bench.networks bench.zoo",
    "seaborn": "reports",
    "matplotlib": "reports",
    "jinja2": "reports",
    "typer": "cli",
    "pytest": "conformance",
}
HEAVY = {
    "torch",
    "torchvision",
    "timm",
    "optuna",
    "mlflow",
    "ray",
    "seaborn",
    "matplotlib",
    "jinja2",
    "pandas",
    "sklearn",
    "scipy",
}

# What starting from these modules never loads: (start, lazy imports too?, libraries).
NEVER_LOADED = [
    ("reports.*", True, {"torch", "torchvision", "timm", "optuna", "mlflow"}),
    ("bench.records", True, {"torch", "optuna", "mlflow"}),
    ("bench.trial", True, {"optuna", "mlflow"}),
    ("bench.train", True, {"optuna", "mlflow"}),
    ("bench.api", True, {"optuna", "mlflow"}),
    ("bench.executors.*", True, {"optuna", "mlflow"}),
    ("methods.*", True, {"torchvision", "timm", "optuna", "mlflow"}),
    ("bench.status", False, {"torch", "torchvision", "timm", "optuna", "mlflow", "scipy", "pandas"}),
    ("bench.exchange_cli", False, {"torch", "torchvision", "timm", "optuna", "mlflow"}),
    ("bench.campaign", False, {"torchvision", "timm", "mlflow"}),
    ("bench.executors.*", False, {"torchvision", "timm"}),
    ("bench.publish", False, {"torch", "torchvision", "timm", "optuna", "mlflow"}),
    ("bench.cli", False, HEAVY),
    ("bench.commands", False, HEAVY),
    ("__init__", False, HEAVY),
]

DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow"}
OPTIONAL = {"ray", "pytest"}


@dataclass(frozen=True)
class Import:
    """One import: a module of ours, or the top name of a library; lazy when inside a function."""

    target: str
    ours: bool
    lazy: bool
    line: int


@cache
def modules() -> dict[str, Path]:
    """All modules of the package by name; the four rooms lie at the root, the rest in pkg/."""
    places = [(ROOT / "pkg" / "sparsebench", ())] + [(ROOT / room, (room,)) for room in ROOMS]
    found = {}
    for folder, prefix in places:
        for path in sorted(folder.rglob("*.py")):
            parts = (*prefix, *path.relative_to(folder).with_suffix("").parts)
            parts = parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts
            found[".".join(parts)] = path
    return found


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def statements(node: ast.AST, lazy: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import that can run, with whether a function has to be called first."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, lazy
        elif not is_type_checking(child):
            yield from statements(child, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def resolve(module: str, node: ast.ImportFrom) -> list[str]:
    """The modules of ours that a relative import means."""
    package = module.split(".") if modules()[module].name == "__init__.py" else module.split(".")[:-1]
    package = [part for part in package if part != "__init__"]
    base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
    inside = [".".join([*base, alias.name]) for alias in node.names]
    return sorted({name if name in modules() else ".".join(base) or "__init__" for name in inside})


@cache
def imports(module: str) -> tuple[Import, ...]:
    found = []
    for node, lazy in statements(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            found += [Import(name, True, lazy, node.lineno) for name in resolve(module, node)]
        else:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            found += [Import(name.split(".")[0], False, lazy, node.lineno) for name in names]
    return tuple(found)


@cache
def table() -> dict[str, tuple[list[str], list[str]]]:
    """Members and permissions of each part; a part may take several rows."""
    parts: dict[str, tuple[list[str], list[str]]] = {}
    for row in PARTS.strip().splitlines():
        (name,), members, allowed = (cell.split() for cell in row.split("|"))
        known = parts.setdefault(name, ([], []))
        known[0].extend(members)
        known[1].extend(allowed)
    return parts


def part_of(module: str) -> str:
    homes = [part for part, (members, _) in table().items() if any(fnmatchcase(module, m) for m in members)]
    assert len(homes) == 1, f"{module} stands in {len(homes)} rows of PARTS; it belongs in one"
    return homes[0]


def allowed_in(module: str, names: list[str]) -> bool:
    return any(name in (module, part_of(module)) for name in names)


def loaded_by(start: str, lazily: bool) -> dict[str, list[str]]:
    """Libraries that importing `start` loads, each with the chain of our modules that leads to it."""
    chains, libraries, queue = {start: [start]}, {}, [start]
    while queue:
        module = queue.pop()
        packages = [".".join(module.split(".")[:i]) for i in range(1, module.count(".") + 1)]
        ours = packages + [i.target for i in imports(module) if i.ours and (lazily or not i.lazy)]
        for item in imports(module):
            if not item.ours and (lazily or not item.lazy):
                libraries.setdefault(item.target, chains[module])
        for target in ours:
            if target not in chains:
                chains[target] = [*chains[module], target]
                queue.append(target)
    return libraries


def matching(pattern: str) -> list[str]:
    return [module for module in modules() if fnmatchcase(module, pattern)]


@pytest.mark.parametrize("module", modules())
def test_imports_follow_the_arrows(module: str) -> None:
    home = part_of(module)
    wrong = [
        f"line {item.line}: {home} may not import {item.target}"
        for item in imports(module)
        if item.ours and part_of(item.target) != home and not allowed_in(item.target, table()[home][1])
    ]
    assert not wrong


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_by_its_owners_alone(library: str) -> None:
    users = [m for m in modules() if any(i.target == library and not i.ours for i in imports(m))]
    assert [m for m in users if not allowed_in(m, OWNERS[library].split())] == []


def test_methods_import_torch_and_nothing_else() -> None:
    libraries = {i.target for m in matching("methods*") for i in imports(m) if not i.ours}
    assert libraries - sys.stdlib_module_names == {"torch"}


@pytest.mark.parametrize(("pattern", "lazily", "never"), NEVER_LOADED, ids=[row[0] for row in NEVER_LOADED])
def test_is_never_loaded(pattern: str, lazily: bool, never: set[str]) -> None:
    found = {
        library: " > ".join(chain)
        for module in matching(pattern)
        for library, chain in loaded_by(module, lazily).items()
        if library in never
    }
    assert found == {}


def test_there_are_no_import_cycles() -> None:
    order: list[str] = []

    def visit(module: str, path: list[str]) -> None:
        assert module not in path, f"a cycle: {' > '.join([*path, module])}"
        if module not in order:
            for target in sorted({i.target for i in imports(module) if i.ours}):
                visit(target, [*path, module])
            order.append(module)

    for module in modules():
        visit(module, [])
    assert sorted(order) == sorted(modules())


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
