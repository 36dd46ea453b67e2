"""The checks of `sparsebench doctor`: versions, devices, datasets, databases, disk. They change nothing."""

import json
import os
import platform
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from shlex import quote
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from pydantic import BaseModel

from ....errors import SparsebenchError
from ...system.mlflow_address import check_tracking_store, named_address
from ...system.reachability import Unreachable, check_database, check_writable, free_bytes
from ...system.urls import shown_address, sqlite_url
from ...tracking.client import default_uri

Mark = Literal["ok", "note", "warning", "missing"]
LOW, FULL = 2e9, 1e8  # bytes: a campaign's records, checkpoints and databases
PACKAGE = "sparsebench"


class Check(BaseModel):
    """The result of one check of the machine.

    Attributes:
        group: The heading that it is printed under: versions, devices, data, tracking or disk.
        name: What was checked, such as a package, a device or a dataset.
        mark: `ok`; `note` for an optional thing that is absent; `warning` for a defect that runs survive;
            `missing` for something that every run needs.
        found: What was found, in words.
        advice: A command or a sentence that says what to do; empty where nothing is to be done.

    Example:
        >>> check = Check(group="versions", name="ray", mark="note", found="absent", advice="pip install ray")
        >>> f"{check.name} {check.found}: {check.advice}"
        'ray absent: pip install ray'
    """

    group: str
    name: str
    mark: Mark
    found: str
    advice: str = ""


def check_versions() -> Iterator[Check]:
    """Checks the versions of Python and of all packages against the requirements of sparsebench.

    Yields:
        A check of Python and of each required package, then of the packages of the extras; an absent extra
        is a `note`. One check alone where sparsebench itself is not installed.

    Example:
        >>> next(check_versions())
        Check(group='versions', name='python', mark='ok', found='3...', advice='')
    """
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
    """Returns the check of one package: installed in a version that fits or does not, or not installed."""
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


def check_devices() -> Iterator[Check]:
    """Checks the CPU cores, the GPUs, and the C compiler that makes factorized methods train faster.

    Yields:
        A check of the cores that this process may use, of each GPU, and of the compiler; one check alone
        where torch cannot be imported. No GPU is a `note`, unless `nvidia-smi` is installed: then torch was
        built for another driver, which is a `warning`.

    Example:
        >>> next(check_devices()).found
        '... cores usable'
    """
    group = "devices"
    try:
        from ...system.devices import gpus
        from ...system.environment import cores

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


def check_datasets(root: Path | None) -> Iterator[Check]:
    """Checks which datasets are present, judged by the names of their files; none is opened.

    Args:
        root: The folder of the datasets; None for SPARSEBENCH_DATA, else the cache folder.

    Yields:
        A check of each registered dataset, before them a `warning` where the folder cannot be read. An absent
        dataset is a `note` with advice how to get it.

    Example:
        >>> [check.name for check in check_datasets(Path("empty")) if check.mark == "ok"]
        ['digits', 'planted']
    """
    from ....datasets.api import data_root, present, registry

    place = data_root(root)
    try:
        names = list(registry)
    except SparsebenchError as error:  # a plugin that is broken
        yield Check(group="data", name="datasets", mark="missing", found=str(error))
        return
    if place.exists() and not (place.is_dir() and os.access(place, os.R_OK | os.X_OK)):
        yield Check(
            group="data", name="folder", mark="warning", found=f"{place} is not readable, or not a folder",
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
    """Returns the advice how to download a dataset: one text for all, so that it is printed once."""
    program = (
        "import sys; from sparsebench.datasets.api import open_dataset; "
        f"[open_dataset(name, {json.dumps(str(place))}) for name in sys.argv[1:]]"
    )
    return f"the first run that needs one fetches it; beforehand: python -c {quote(program)} NAME"


def check_tracking(uri: str | None, folder: Path) -> Iterator[Check]:
    """Checks MLflow's server, or the database that a run would make; nothing is written.

    Args:
        uri: The server or database; None for MLFLOW_TRACKING_URI, else `mlflow.db` in the output folder.
        folder: The output folder of a run.

    Yields:
        One check: `missing` for an address that a run refuses; a `warning` where MLflow does not answer,
        since a campaign runs without it too. Logins are not shown.

    Example:
        >>> next(check_tracking(None, Path("runs"))).found
        'sqlite:////.../runs/mlflow.db'
        >>> next(check_tracking("nonsense://host", Path("runs"))).mark
        'missing'
    """
    address, uri = named_address(uri), named_address(uri)
    where = f"{shown_address(address)}: " if address else ""
    advice = "runs go on without it, and `sparsebench track DIR` publishes later"
    try:
        address = address or default_uri(folder)
        if uri:
            check_tracking_store(address)
        else:
            _check_own(folder, address)
    except Unreachable as error:
        yield Check(group="tracking", name="MLflow", mark="warning", found=f"{where}{error}", advice=advice)
    except SparsebenchError as error:  # an address that `run` and `track` refuse
        yield Check(
            group="tracking", name="MLflow", mark="missing", found=str(error), advice="mend the address"
        )
    else:
        yield Check(group="tracking", name="MLflow", mark="ok", found=shown_address(address))


def _check_own(folder: Path, address: str) -> None:
    """Checks a database of the output folder, which a run makes together with the folder."""
    check_database(address) if folder.exists() else check_writable(folder)


def check_studies(url: str | None, folder: Path) -> Iterator[Check]:
    """Checks Optuna's database; nothing is written.

    Args:
        url: The database as an SQLAlchemy URL; None for `optuna.db` in the output folder.
        folder: The output folder of a run.

    Yields:
        One check; `missing` where it cannot be opened, since a run opens it before its first trial. Logins
        are not shown.

    Example:
        >>> next(check_studies("nonsense://host", Path("runs"))).mark
        'missing'
    """
    try:
        address = url or sqlite_url(folder / "optuna.db")
        if url:
            check_database(address)
        else:
            _check_own(folder, address)
    except SparsebenchError as error:  # a path that no address can hold
        yield Check(group="tracking", name="Optuna", mark="missing", found=str(error))
        return
    except Unreachable as error:
        advice = "mend the address after --storage, or leave it out for a file beside the records"
        found = f"{shown_address(address)}: {error}"
        yield Check(
            group="tracking", name="Optuna", mark="missing", found=found, advice=advice if url else ""
        )
        return
    yield Check(group="tracking", name="Optuna", mark="ok", found=shown_address(address))


def check_disk(folder: Path) -> Iterator[Check]:
    """Checks whether the output folder, existing or not, can be written, and the free space of its disk.

    Args:
        folder: The output folder of a run.

    Yields:
        One check: `missing` below 0.1 GB or without permission, `warning` below 2 GB.

    Example:
        >>> next(check_disk(Path("runs"))).found
        '... GB free for runs'
    """
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
