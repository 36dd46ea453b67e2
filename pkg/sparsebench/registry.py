"""Registries of objects by name, filled by decorators, installed packages' entry points and plugin files."""

import importlib.util
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from .errors import SparsebenchError, UnknownName
from .reasons import is_users, reason

T = TypeVar("T")

_ORIGINS: dict[str, str] = {}  # the plugin file that brought each module, as commands name it


class Registry(Mapping[str, T], Generic[T]):
    """A mapping from names to registered objects, in the order of the names, filled at the first look-up.

    A missing key is an `UnknownName`, which suggests similar names. An installed plugin that does not import
    is a `SparsebenchError` at every look-up.

    Args:
        kind: What the objects are, as messages call it ("dataset", "method").
        group: The entry-point group in which installed packages name their modules.
        builtins: The package whose public modules register the built-in objects; each is imported once, at
            the first look-up or the first registration from outside. Empty for none.

    Example:
        >>> optimizers = Registry("optimizer", "example.optimizers")
        >>> optimizers.add("sgd", "torch.optim.SGD")
        >>> optimizers["sgd"]
        'torch.optim.SGD'
        >>> optimizers["sdg"]
        Traceback (most recent call last):
            ...
        sparsebench.errors.UnknownName: unknown optimizer 'sdg': did you mean 'sgd'?
    """

    def __init__(self, kind: str, group: str, builtins: str = "") -> None:
        self.kind, self.group, self.builtins = kind, group, builtins
        self._items: dict[str, T] = {}
        self._builtins_loaded = self._plugins_loaded = False
        _registries.append(self)

    def add(self, name: str, item: T) -> None:
        """Registers an object; a name that another object has already is a `SparsebenchError`."""
        if not self._is_builtin(item):
            # Built-ins are registered first, so that a clash of names is an error of the plugin.
            self.load_builtins()
        known = self._items.get(name)
        if known is not None and _origin(known) != _origin(item):
            owner = f"{defined_in(known)[0]}.{_origin(known)[1]}"
            raise SparsebenchError(f"the {self.kind} {name!r} is registered already, by {owner}")
        self._items[name] = item

    def _is_builtin(self, item: T) -> bool:
        return f"{defined_in(item)[0]}.".startswith(f"{self.builtins}.")

    def load_builtins(self) -> None:
        """Imports the built-in objects' modules, once, and no installed plugin."""
        if self._builtins_loaded or not self.builtins:
            return
        self._builtins_loaded = True  # before the imports: they may look things up themselves
        try:
            for module in pkgutil.iter_modules(import_module(self.builtins).__path__):
                if not module.name.startswith("_"):
                    import_module(f"{self.builtins}.{module.name}")
        except BaseException:
            self._builtins_loaded = False
            raise

    def _load(self) -> None:
        self.load_builtins()
        if self._plugins_loaded:
            return
        self._plugins_loaded = True
        for point in entry_points(group=self.group):
            try:
                point.load()
            except (Exception, SystemExit) as error:
                self._plugins_loaded = False  # so that the next look-up raises it again
                why = reason(error, place=False)
                raise SparsebenchError(
                    f"the installed plugin {point.value!r} ({self.group}) does not import: {why}"
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


def defined_in(item: object) -> tuple[str, str | None]:
    """Returns where a registered object is defined.

    Args:
        item: A class, a function, or a dataset's entry, which is identified by its opener.

    Returns:
        The module's name, "__main__" for a script or a notebook, and its file where it has one.

    Example:
        >>> defined_in(Registry)[0], defined_in("text")
        ('sparsebench.registry', ('', None))
    """
    module = getattr(getattr(item, "open", item), "__module__", "") or ""
    file = getattr(sys.modules.get(module), "__file__", None)
    return module, str(Path(file).resolve()) if file else None


_registries: list[Registry[Any]] = []  # of this process


def awaiting_plugins() -> list[Registry[Any]]:
    """Returns the registries whose next look-up imports a plugin of an installed package.

    Returns:
        The registries; none where no installed package names a plugin.

    Example:
        >>> Registry("colour", "example.colours") in awaiting_plugins()
        False
    """
    return [
        registry
        for registry in _registries
        if registry.group and not registry._plugins_loaded and entry_points(group=registry.group)
    ]


def registered() -> list[dict[str, Any]]:
    """Returns what is registered now, of every kind.

    Returns:
        The objects by name, a dictionary for each registry.

    Example:
        >>> colours = Registry("colour", "example.colours")
        >>> colours.add("red", "#f00")
        >>> registered()[-1]
        {'red': '#f00'}
    """
    return [dict(registry._items) for registry in _registries]


def set_registered(objects: list[dict[str, Any]]) -> None:
    """Sets back what is registered.

    Args:
        objects: What `registered` has returned.

    Example:
        >>> colours = Registry("colour", "example.colours")
        >>> before = registered()
        >>> colours.add("red", "#f00")
        >>> set_registered(before)
        >>> "red" in colours
        False
    """
    for registry, items in zip(_registries, objects, strict=False):
        registry._items.clear()
        registry._items.update(items)


def _origin(item: object) -> tuple[str, str]:
    """Returns what identifies an object: its file, so a plugin is the script or module that it also is."""
    item = getattr(item, "open", item)
    module, file = defined_in(item)
    return file or module, getattr(item, "__qualname__", repr(item))


def plugin_of(item: object) -> str | None:
    """Returns the plugin file that brought a registered object.

    Args:
        item: A class, a function or a dataset's entry.

    Returns:
        The file's absolute path; None for what is known without a plugin file. A class of a module that the
        plugin has imported is of that plugin, if the module is no installed one.

    Example:
        >>> _ = Path("brings.py").write_text("def network(): ...")
        >>> load_plugin("brings.py")
        >>> module = next(name for name in sys.modules if name.startswith("sparsebench_plugin_brings"))
        >>> Path(plugin_of(sys.modules[module].network)).name, plugin_of(Registry)
        ('brings.py', None)
    """
    return _ORIGINS.get(defined_in(item)[0])


def load_plugin(path: str | Path, origin: str | None = None) -> None:
    r"""Imports a Python file, so that the methods and datasets in it are registered.

    Args:
        path: The file; one that has been loaded already is not executed again.
        origin: The file that it is a copy of, which commands and messages name; None for no copy.

    Raises:
        SparsebenchError: The file is missing, a folder or no Python file, or it fails to import (the
            message then names the line of the file).

    Example:
        >>> _ = Path("sound.py").write_text("print('registers a method')")
        >>> load_plugin("sound.py")
        registers a method
        >>> _ = Path("bad.py").write_text("import math\nmath.sqrt(-1)")
        >>> load_plugin("bad.py")
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: plugin file 'bad.py' fails to import at line 2: ValueError: ...
    """
    file = Path(path).resolve()
    if file.is_dir():
        raise SparsebenchError(f"plugin {str(path)!r} is a folder: name a Python file in it")
    if not file.is_file():
        raise SparsebenchError(f"plugin file {str(path)!r} does not exist")
    name = f"sparsebench_plugin_{file.stem}_{sha256(str(file).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise SparsebenchError(f"plugin file {str(path)!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    before = {*sys.modules}
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = _line_in(error, file)
        raise SparsebenchError(
            f"plugin file {str(origin or path)!r} fails to import{line}: {reason(error, place=False)}"
        ) from error
    mine = [new for new in {*sys.modules} - before if new == name or _is_users(sys.modules[new])]
    _ORIGINS.update(dict.fromkeys(mine, origin or str(file)))


def _is_users(module: object) -> bool:
    file, name = getattr(module, "__file__", None), str(getattr(module, "__name__", ""))
    return bool(file) and is_users(str(file), name)


def _line_in(error: BaseException, file: Path) -> str:
    if isinstance(error, SyntaxError):
        return f" at line {error.lineno}"
    line, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = f" at line {trace.tb_lineno}"
        trace = trace.tb_next
    return line
