"""Public docstrings: every function and class tells its arguments, what it returns and raises, and runs."""

import ast
import doctest
import re
import warnings
from importlib import import_module
from pathlib import Path

import pytest
from example_names import NAMES
from source_tree import modules

pytestmark = pytest.mark.slow  # on one Python, with its newest packages

Definition = ast.FunctionDef | ast.ClassDef

# Commands of the command line: their docstring is their help, and typer lists their options.
COMMANDS = {"bench.cli.app", *(m for m in modules() if m.startswith("bench.cli.commands"))}
# What no example can run, and why.
WITHOUT_EXAMPLE = {
    "bench.executors.local.server.main": "it is the life of a server process",
    "bench.executors.local.worker.main": "it is the life of a worker process",
    "bench.cli.app.main": "it ends the process",
}


def public(module: str) -> list[Definition]:
    body = ast.parse(modules()[module].read_text(encoding="utf-8")).body
    return [node for node in body if isinstance(node, Definition) and not node.name.startswith("_")]


def is_overload(node: Definition) -> bool:
    return any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list)


DEFINITIONS = {
    f"{module}.{node.name}": node
    for module in modules()
    if module not in COMMANDS
    for node in public(module)
    if not is_overload(node)
}


def missing(name: str, node: Definition) -> list[str]:
    """Sections that the docstring ought to have and has not."""
    text = ast.get_docstring(node) or ""
    wanted = {"a docstring": "", "an example": ">>> "} if name not in WITHOUT_EXAMPLE else {"a docstring": ""}
    if isinstance(node, ast.FunctionDef):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if arguments or node.args.vararg or node.args.kwarg:
            wanted["Args"] = "Args:\n"
        returns = ast.unparse(node.returns) if node.returns else "None"
        if re.match(r"(Iterator|Generator)\b", returns):
            wanted["Yields"] = "Yields:\n"
        elif returns not in ("None", "NoReturn"):
            wanted["Returns"] = "Returns:\n"
        own = [n for n in ast.walk(node) if isinstance(n, ast.Raise) and n.exc is not None]
        if own:
            wanted["Raises"] = "Raises:\n"
    elif fields_of(node):
        wanted["Args or Attributes"] = ":\n"
    lacks = [what for what, mark in wanted.items() if not text or mark not in text]
    if "Args or Attributes" in wanted and not re.search(r"^(Args|Attributes):$", text, re.M):
        lacks.append("Args or Attributes")
    return sorted(set(lacks))


def fields_of(node: ast.ClassDef) -> list[str]:
    """The arguments of a class: annotated fields, or those of __init__."""
    fields = [
        item.target.id
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
        if not item.target.id.startswith("_") and "ClassVar" not in ast.unparse(item.annotation)
    ]
    inits = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
    return fields + [a.arg for init in inits for a in [*init.args.args[1:], *init.args.kwonlyargs]]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_public_name_tells_how_it_is_used(name: str) -> None:
    assert missing(name, DEFINITIONS[name]) == []


@pytest.mark.parametrize("module", [m for m in modules() if m != "__init__"])
def test_the_examples_of_a_module_run(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if ">>> " not in modules()[module].read_text(encoding="utf-8"):
        pytest.skip("no examples")
    monkeypatch.chdir(tmp_path)
    loaded = import_module(f"sparsebench.{module}")
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=options)
    report: list[str] = []
    for test in doctest.DocTestFinder(exclude_empty=True).find(loaded, f"sparsebench.{module}"):
        source = " ".join(example.source for example in test.examples)
        used = [name for name in NAMES if re.search(rf"\b{name}\b", source) and name not in vars(loaded)]
        test.globs.update({name: NAMES[name]() for name in used})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)
