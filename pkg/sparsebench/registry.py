"""Names to things, filled by decorators, by installed packages' entry points and by single plugin files."""

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from typing import Generic, TypeVar

from .errors import SparsebenchError, UnknownName

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """A mapping whose missing keys say what is near, and that reads entry points at the first look-up.

    `kind` is the word used in messages; `group` the entry-point group that other packages register in.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind, self.group = kind, group
        self._items: dict[str, T] = {}
        self._loaded = False

    def add(self, name: str, item: T) -> None:
        known = self._items.get(name)
        if known is not None and _origin(known) != _origin(item):
            raise SparsebenchError(f"the {self.kind} {name!r} is registered already, by {_origin(known)}")
        self._items[name] = item

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        for point in entry_points(group=self.group):
            try:
                point.load()
            except Exception as error:
                raise SparsebenchError(
                    f"the installed plugin {point.value!r} ({self.group}) does not import: {error!r}"
                ) from error

    def __getitem__(self, name: str) -> T:
        self._load()
        try:
            return self._items[name]
        except KeyError:
            raise UnknownName(self.kind, name, self._items) from None

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._items))

    def __len__(self) -> int:
        self._load()
        return len(self._items)


def _origin(item: object) -> tuple[str, str]:
    return getattr(item, "__module__", ""), getattr(item, "__qualname__", repr(item))


def load_plugin(path: str | Path) -> None:
    """Import one Python file from disk, so that what it registers is known.

    Errors: a missing file, or one that fails to import, is a `SparsebenchError` with the file's line.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise SparsebenchError(f"plugin file {str(path)!r} does not exist")
    name = f"sparsebench_plugin_{file.stem}_{sha256(str(file).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise SparsebenchError(f"plugin file {str(path)!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        line = _line_in(error, file)
        raise SparsebenchError(f"plugin file {str(path)!r} fails to import{line}: {error!r}") from error


def _line_in(error: BaseException, file: Path) -> str:
    if isinstance(error, SyntaxError):
        return f" at line {error.lineno}"
    line, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = f" at line {trace.tb_lineno}"
        trace = trace.tb_next
    return line
