"""The source tree as a test sees it: modules by name and what each imports. Parsed, never imported.

Modules are named without the package: `records.store`.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("methods", "datasets", "bench", "reports")


@dataclass(frozen=True)
class Import:
    """One import: a module of ours, or the top name of a library; `when` as `statements` has it."""

    target: str
    ours: bool
    when: str
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


def statements(node: ast.AST, when: str = "") -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Every import, with when it runs: at once, `lazily` in a function, or for `types` alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, when
        elif is_type_checking(child):
            yield from statements(child, "types")
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from statements(child, when or ("lazily" if inside else ""))


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
    for node, when in statements(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            found += [Import(name, True, when, node.lineno) for name in resolve(module, node)]
        else:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            found += [Import(name.split(".")[0], False, when, node.lineno) for name in names]
    return tuple(found)
