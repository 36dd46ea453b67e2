"""`sparsebench doctor`: what this machine has, what is missing, and how to get it. It changes nothing."""

import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from shlex import quote
from typing import Literal
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from pydantic import BaseModel
from rich.table import Table
from rich.text import Text

from ...errors import SparsebenchError
from ..system.reachability import Unreachable, check_database, check_server, check_writable, free_bytes
from ..system.urls import without_login
from ..tracking.client import default_uri
from .console import stdout_console

Mark = Literal["ok", "note", "warning", "missing"]
SIGNS = {"ok": ("✓", "green"), "note": ("–", "dim"), "warning": ("!", "yellow"), "missing": ("✗", "red")}
LOW, FULL = 2e9, 1e8  # bytes: a campaign's records, checkpoints and databases
PACKAGE = "sparsebench"


class Check(BaseModel):
    """One thing looked at. `missing` is needed by every run; without a `note` nothing is lost, without a
    `warning` something is. `advice` is a command, or a sentence."""

    group: str
    name: str
    mark: Mark
    found: str
    advice: str = ""


class Diagnosis(BaseModel):
    """All checks; `possible` says that runs are."""

    possible: bool
    checks: list[Check]


def examine(
    data: Path | None = None,
    tracking_uri: str | None = None,
    storage: str | None = None,
    out: Path | None = None,
) -> Diagnosis:
    """Look at everything. Nothing is downloaded, trained or written, and nothing waits for long."""
    folder = out or Path("runs")
    looks: list[Callable[[], Iterator[Check]]] = [
        versions,
        devices,
        lambda: datasets(data),
        lambda: tracking(tracking_uri, folder),
        lambda: studies(storage, folder),
        lambda: disk(folder),
    ]
    checks = [check for look in looks for check in look()]
    return Diagnosis(possible=all(check.mark != "missing" for check in checks), checks=checks)


def versions() -> Iterator[Check]:
    """Python and every package against what our own metadata ask for; the extras too."""
    try:
        facts = metadata.metadata(PACKAGE)
        asked = [Requirement(text) for text in metadata.requires(PACKAGE) or []]
    except metadata.PackageNotFoundError:
        yield Check(
            group="versions", name=PACKAGE, mark="missing", found="not installed", advice="pip install -e ."
        )
        return
    python, wanted = platform.python_version(), facts["Requires-Python"]
    fits = SpecifierSet(wanted).contains(python, prereleases=True)
    yield Check(
        group="versions", name="python", mark="ok" if fits else "missing", found=python,
        advice="" if fits else f"install a Python {wanted}",
    )  # fmt: skip
    for requirement in asked:
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _package(requirement, None)
        else:
            for extra in facts.get_all("Provides-Extra") or []:
                if requirement.marker.evaluate({"extra": extra}):
                    yield _package(requirement, extra)


def _package(requirement: Requirement, extra: str | None) -> Check:
    """A package that is there and fits, does not fit, or is not there; one of an extra may be absent."""
    remedy = f"pip install {quote(f'{requirement.name}{requirement.specifier}')}"
    worst: Mark = "missing" if extra is None else "warning"

    def check(mark: Mark, found: str, advice: str = "") -> Check:
        return Check(group="versions", name=requirement.name, mark=mark, found=found, advice=advice)

    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        if extra is None:
            return check("missing", "not installed", remedy)
        return check("note", f"not installed (optional: {extra})", f"pip install '{PACKAGE}[{extra}]'")
    if requirement.specifier.contains(version, prereleases=True):
        return check("ok", version)
    return check(worst, f"{version}, but {requirement.specifier} is asked for", remedy)


def devices() -> Iterator[Check]:
    """Processors, every GPU, and the compiler that makes some of the training faster."""
    group = "devices"
    try:
        from ..system.devices import gpus
        from ..system.environment import cores

        usable, found = cores(), gpus()
    except Exception as error:  # a broken torch raises what it likes
        yield Check(
            group=group, name="torch", mark="missing", found=f"does not import: {error}",
            advice="pip install --force-reinstall torch torchvision",
        )  # fmt: skip
        return
    of = f" of {os.cpu_count()}" if os.cpu_count() != usable else ""
    yield Check(group=group, name="cpu", mark="ok", found=f"{usable}{of} cores usable")
    for gpu in found:
        bfloat16 = "bfloat16" if gpu.bfloat16 else "no bfloat16"
        words = f"{gpu.name}, {gpu.memory_bytes / 2**30:.0f} GiB, {bfloat16}"
        yield Check(group=group, name=gpu.device, mark="ok", found=words)
    if not found:
        unseen = shutil.which("nvidia-smi") is not None
        yield Check(
            group=group, name="gpu", mark="warning" if unseen else "note",
            found="torch sees none, though nvidia-smi is there" if unseen else "none: trials run on the CPU",
            advice="install a torch built for your driver: https://pytorch.org/get-started" if unseen else "",
        )  # fmt: skip
    compiler = shutil.which(os.environ.get("CC", "cc").split()[0])
    yield Check(
        group=group, name="C compiler", mark="ok" if compiler else "note", found=compiler or "none",
        advice="" if compiler else "without one factorized methods train slower: install gcc, or set CC",
    )  # fmt: skip


def datasets(root: Path | None) -> Iterator[Check]:
    """Which are there, judged by their files' names, and how to get the others."""
    from ...datasets.api import data_root, present, registry

    place = data_root(root)
    try:
        names = list(registry)
    except SparsebenchError as error:  # a plugin that is broken
        yield Check(group="data", name="datasets", mark="missing", found=str(error))
        return
    if place.exists() and not (place.is_dir() and os.access(place, os.R_OK | os.X_OK)):
        yield Check(
            group="data", name="folder", mark="warning", found=f"{place} may not be read, or is no folder",
            advice="name another with --data or SPARSEBENCH_DATA",
        )  # fmt: skip
    for name in names:
        dataset = registry[name]
        if not dataset.files:
            yield Check(group="data", name=name, mark="ok", found="needs no files")
        elif present(name, place):
            yield Check(group="data", name=name, mark="ok", found=f"in {place}")
        elif dataset.downloads:
            yield Check(group="data", name=name, mark="note", found=f"not in {place}", advice=_fetch(place))
        else:
            yield Check(group="data", name=name, mark="note", found=f"not in {place}", advice=dataset.summary)


def _fetch(place: Path) -> str:
    """How to get datasets, in the same words for all that can be fetched."""
    program = (
        "import sys; from sparsebench.datasets.api import open_dataset; "
        f"[open_dataset(name, {json.dumps(str(place))}) for name in sys.argv[1:]]"
    )
    return f"the first run that needs one fetches it; beforehand: python -c {quote(program)} NAME"


def tracking(uri: str | None, folder: Path) -> Iterator[Check]:
    """MLflow's server, or the database that a run would make. A campaign runs without it too."""
    try:
        address = uri or default_uri(folder)
        if urlsplit(address).scheme in ("http", "https"):
            check_server(address, "/health")
        elif urlsplit(address).scheme in ("", "file"):
            check_writable(Path(urlsplit(address).path))
        elif "://" in address:
            check_database(address)
    except (Unreachable, SparsebenchError) as error:
        where = f"{without_login(uri)}: " if uri else ""
        yield Check(
            group="tracking", name="MLflow", mark="warning", found=f"{where}{error}",
            advice="runs go on without it, and `sparsebench track DIR` publishes later",
        )  # fmt: skip
        return
    yield Check(group="tracking", name="MLflow", mark="ok", found=without_login(address))


def studies(url: str | None, folder: Path) -> Iterator[Check]:
    """Optuna's storage, which a run opens before its first trial."""
    address = url or f"sqlite:///{(folder / 'optuna.db').absolute()}"
    try:
        check_database(address)
    except Unreachable as error:
        advice = "mend the address after --storage, or leave it out for a file beside the records"
        found = f"{without_login(address)}: {error}"
        yield Check(
            group="tracking", name="Optuna", mark="missing", found=found, advice=advice if url else ""
        )
        return
    yield Check(group="tracking", name="Optuna", mark="ok", found=without_login(address))


def disk(folder: Path) -> Iterator[Check]:
    """Whether the output folder can be written, and how much room there is."""
    try:
        check_writable(folder)
        free = free_bytes(folder)
    except (Unreachable, OSError) as error:
        yield Check(
            group="disk", name="output", mark="missing", found=str(error), advice="choose another --out"
        )
        return
    mark: Mark = "missing" if free < FULL else "warning" if free < LOW else "ok"
    found = f"{free / 1e9:.1f} GB free for {folder}"
    advice = "" if mark == "ok" else "make room, or choose another --out"
    yield Check(group="disk", name="output", mark=mark, found=found, advice=advice)


def print_diagnosis(found: Diagnosis, *, as_json: bool = False) -> None:
    """A table with what to do under it, or JSON."""
    if as_json:
        print(found.model_dump_json(indent=1))
        return
    console = stdout_console(highlight=False)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for _ in range(4):
        table.add_column(overflow="fold")
    group = ""
    for check in found.checks:
        sign, style = SIGNS[check.mark]
        title = Text(check.group if check.group != group else "", "bold")
        table.add_row(title, Text(sign, style), check.name, Text(check.found))
        group = check.group
    console.print(table)
    remedies: dict[tuple[Mark, str], list[str]] = {}
    for check in found.checks:
        if check.advice:
            remedies.setdefault((check.mark, check.advice), []).append(check.name)
    if remedies:
        console.print()
    for (mark, advice), names in remedies.items():
        sign, style = SIGNS[mark]
        console.print(Text.assemble((sign, style), f" {', '.join(names)}: {advice}"), soft_wrap=True)
    verdict = "runs are possible" if found.possible else "runs are not possible yet: see ✗"
    console.print(Text(f"\n{verdict}", "bold"))
