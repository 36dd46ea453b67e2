"""The house rules that a machine can check: who may import whom, what stays lazy, and how long things grow.

The source tree is parsed, never imported. Modules are named without the package: `records.store`.
"""

import ast
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest
from source_tree import imports, modules

pytestmark = pytest.mark.smoke

# The packages, lowest floor first: what each may import beside itself, `base` and `records`.
# A name on the right is a package or a single module: of the methods and the datasets, everyone else sees
# the protocol alone. Imports under TYPE_CHECKING count like all others.
PACKAGES = """
0 | base            | errors commands escaping reasons parsing registry files validation gc_pause learning start_file method_docs |
1 | records         | records records.*           |
1 | methods         | methods methods.*           |
1 | datasets        | datasets datasets.*         |
2 | reports.text    | reports reports.formatting reports.accuracy_scale |
2 | reports.verified | reports.verified     |
2 | reports.statistics | reports.statistics*      |
3 | reports.analysis | reports.analysis*          | reports.statistics reports.verified
4 | reports.style   | reports.style               | reports.analysis reports.text
5 | reports.tables  | reports.tables*             | reports.statistics reports.analysis reports.text
6 | reports.figures | reports.figures*            | reports.statistics reports.analysis reports.text reports.style reports.tables
6 | reports.site    | reports.site*               | reports.statistics reports.analysis reports.text reports.style reports.tables
7 | reports.write   | reports.write reports.drawing | reports.analysis reports.style reports.tables reports.figures reports.site
8 | bench.system    | bench bench.system*         |
8 | bench.config    | bench.config*               | methods.api datasets.api
8 | bench.data      | bench.data*                 | datasets.api datasets.located
8 | bench.models    | bench.models* bench.networks | datasets.api
8 | bench.measurement | bench.measurement*        | methods.channels methods.masks methods.sparsity datasets.api
9 | bench.training  | bench.training*             | methods.api datasets.api bench.config bench.system bench.data bench.models bench.measurement
9 | bench.compaction | bench.compaction*          | bench.measurement
9 | bench.search    | bench.search*               | methods.api datasets.api bench.config bench.system
9 | bench.tracking  | bench.tracking*             | bench.system
9 | bench.output_folder | bench.output_folder*    | methods.api bench.config
9 | bench.exchange  | bench.exchange*             | methods.sparsity bench.config bench.system
10 | bench.executors | bench.executors*           | methods.api datasets.api bench.config bench.system bench.models bench.training bench.output_folder
10 | bench.export   | bench.export*               | methods.sparsity bench.config bench.system bench.models bench.measurement bench.compaction bench.training bench.output_folder
10 | bench.verification | bench.verification*  | datasets.api reports.verified bench.config bench.data bench.models bench.measurement bench.exchange bench.output_folder
10 | bench.conformance | bench.conformance bench.conformance_nets | methods.api datasets.api datasets.on_device bench.config bench.measurement bench.training
11 | bench.latency  | bench.latency*              | bench.data bench.models bench.measurement bench.compaction bench.export
11 | bench.progress | bench.progress*             | bench.config bench.system bench.search bench.output_folder bench.executors
12 | bench.campaign | bench.campaign*             | methods.api datasets.api reports.text reports.analysis reports.style reports.tables reports.verified reports.write bench.config bench.system bench.models bench.measurement bench.training bench.search bench.tracking bench.output_folder bench.executors bench.export bench.latency bench.progress
12 | bench.board    | bench.board*                | reports.text reports.verified reports.statistics reports.analysis reports.tables bench.config bench.system bench.exchange bench.output_folder bench.verification
13 | bench.cli      | bench.cli*                  | methods.api datasets.api reports.analysis reports.tables bench.config bench.system bench.data bench.models bench.training bench.search bench.tracking bench.exchange bench.verification bench.executors bench.compaction bench.export bench.latency bench.progress bench.board bench.campaign
14 | public         | __init__                    | methods.api datasets.api bench.training bench.export bench.campaign
"""  # noqa: E501 (a table is read by its columns)

# Folders that hold plugins, one family a file, may have more modules than this.
LARGEST_FOLDER = 12
OPEN_FOLDERS = {"methods", "datasets"}
LARGEST_FLOORS = 6  # of the packages of bench/

# Libraries that belong to few: the packages and modules that may import them, lazily or not.
OWNERS = {
    "optuna": "bench.search",
    "optuna_dashboard": "bench.search",
    "mlflow": "bench.tracking",
    "ray": "bench.executors.ray_cluster.client bench.executors.ray_cluster.private_head",
    "torch": "methods datasets bench.system bench.data bench.models bench.measurement bench.training "
    "bench.compaction bench.executors bench.export bench.latency bench.verification bench.conformance "
    "bench.campaign.dry_run bench.cli.run",
    "torchvision": "datasets",
    "sklearn": "datasets",
    "timm": "bench.models",
    "seaborn": "reports.figures",
    "matplotlib": "reports.figures",
    "jinja2": "reports.site",
    "typer": "bench.cli",
    "pytest": "bench.conformance",
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
    ("reports*", True, {"torch", "torchvision", "timm", "optuna", "mlflow"}),
    ("records*", True, {"torch", "optuna", "mlflow"}),
    ("bench.training.*", True, {"optuna", "mlflow"}),
    ("bench.executors.*", True, {"optuna", "mlflow"}),
    ("methods.*", True, {"torchvision", "timm", "optuna", "mlflow"}),
    ("bench.progress.status", False, {"torch", "torchvision", "timm", "optuna", "mlflow", "scipy", "pandas"}),
    ("bench.cli.exchange", False, {"torch", "torchvision", "timm", "optuna", "mlflow"}),
    ("bench.campaign.driver", False, {"torchvision", "timm", "mlflow"}),
    ("bench.executors.*", False, {"torchvision", "timm"}),
    ("bench.campaign.publish", False, {"torch", "torchvision", "timm", "optuna", "mlflow"}),
    ("bench.campaign.options", False, HEAVY),
    ("bench.cli.app", False, HEAVY),
    ("bench.cli.run", False, HEAVY),
    ("__init__", False, HEAVY),
]


@dataclass(frozen=True)
class Package:
    """A row of PACKAGES."""

    floor: int
    name: str
    members: tuple[str, ...]
    allowed: tuple[str, ...]


@cache
def packages() -> tuple[Package, ...]:
    rows = [[cell.split() for cell in row.split("|")] for row in PACKAGES.strip().splitlines()]
    return tuple(Package(int(f[0]), name[0], tuple(members), tuple(may)) for f, name, members, may in rows)


def package_of(module: str) -> Package:
    homes = [package for package in packages() if any(fnmatchcase(module, m) for m in package.members)]
    assert len(homes) == 1, f"{module} stands in {len(homes)} rows of PACKAGES; it belongs in one"
    return homes[0]


def allowed_in(module: str, names: Iterable[str]) -> bool:
    return any(name in (module, package_of(module).name) for name in names)


def loaded_by(start: str, lazily: bool) -> dict[str, list[str]]:
    """Libraries that importing `start` loads, each with the chain of our modules that leads to it."""
    chains, libraries, queue = {start: [start]}, {}, [start]
    while queue:
        module = queue.pop()
        parents = [".".join(module.split(".")[:i]) for i in range(1, module.count(".") + 1)]
        when = {"", "lazily"} if lazily else {""}
        ours = parents + [i.target for i in imports(module) if i.ours and i.when in when]
        for item in imports(module):
            if not item.ours and item.when in when:
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
    home = package_of(module)
    may = (*home.allowed, "base", "records")
    wrong = [
        f"line {item.line}: {home.name} may not import {item.target}"
        for item in imports(module)
        if item.ours and package_of(item.target) != home and not allowed_in(item.target, may)
    ]
    assert not wrong


def test_no_arrow_points_upwards() -> None:
    found = {(package_of(m), package_of(i.target)) for m in modules() for i in imports(m) if i.ours}
    upwards = [(a.name, b.name) for a, b in found if a != b and a.floor <= b.floor]
    assert upwards == []


def test_the_harness_has_few_floors() -> None:
    floors = {package.floor for package in packages() if package.name.startswith("bench.")}
    assert len(floors) <= LARGEST_FLOORS


@pytest.mark.parametrize("folder", sorted({path.parent for path in modules().values()}), ids=lambda p: p.name)
def test_a_folder_holds_few_modules(folder: Path) -> None:
    found = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(found) <= LARGEST_FOLDER or folder.name in OPEN_FOLDERS


@pytest.mark.parametrize("module", [m for m, path in modules().items() if path.name == "__init__.py"])
def test_a_package_says_what_it_is_for(module: str) -> None:
    assert ast.get_docstring(ast.parse(modules()[module].read_text(encoding="utf-8")))


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
