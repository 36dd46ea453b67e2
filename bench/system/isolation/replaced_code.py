"""Functions and classes that code of others may replace in modules that every training uses."""

import sys
from types import ModuleType
from typing import Any

_WHOLE = ("torch.nn", "torch.optim", "torch.autograd", __name__.partition(".bench.")[0])
_SINGLE = (
    "builtins", "copy", "math", "numpy", "numpy.linalg", "numpy.random", "os", "random", "time", "torch",
    "torch._tensor", "torch.cuda", "torch.functional", "torch.linalg", "torch.random", "torch.serialization",
)  # fmt: skip
_WRAPPERS = ("/torch/_dynamo/", "/torch/_compile.py", "/torch/optim/optimizer.py")
_MISSING = object()


class Code:
    """The functions and classes of the watched modules, with the functions of these classes, as they are now.

    Watched are the parts of torch that trainings use, numpy, some modules of Python and sparsebench itself.

    Example:
        >>> import math
        >>> code = Code()
        >>> math.sqrt = abs
        >>> code.restore()
        ['math.sqrt']
        >>> math.sqrt(4.0)
        2.0
    """

    def __init__(self) -> None:
        self._held: list[tuple[str, Any, dict[str, Any], set[str]]] = []
        for module in _watched():
            self._hold(module.__name__, module)
            for name, value in vars(module).items():
                if isinstance(value, type) and value.__module__ == module.__name__:
                    self._hold(f"{module.__name__}.{name}", value)

    def _hold(self, where: str, owner: Any) -> None:
        self._held.append((where, owner, _functions(owner), set(vars(owner))))

    def restore(self) -> list[str]:
        """Sets back what has been replaced since, or now hides what a class inherits; returns the names."""
        changed = []
        for where, owner, before, names in self._held:
            now = vars(owner)
            for name, value in before.items():
                new = now.get(name, _MISSING)
                if new is not value and not _wraps(new, value) and _set(owner, name, value):
                    changed.append(f"{where}.{name}")
            for name in now.keys() - names if isinstance(owner, type) else ():
                inherited = (getattr(base, name, None) for base in owner.__mro__[1:])
                if any(map(callable, inherited)) and _set(owner, name, _MISSING):
                    changed.append(f"{where}.{name}")
        return sorted(changed)


def _watched() -> list[ModuleType]:
    return [
        module
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType)
        and (name in _SINGLE or any(name == whole or name.startswith(f"{whole}.") for whole in _WHOLE))
    ]


def _wraps(new: Any, old: Any) -> bool:
    """Returns whether torch has put a wrapper around a function of its own, as the first optimizer does."""
    file = getattr(getattr(new, "__code__", None), "co_filename", "")
    return getattr(new, "__wrapped__", None) is old and any(own in file for own in _WRAPPERS)


def _functions(owner: Any) -> dict[str, Any]:
    """Returns the attributes that code replaces and a program does not: functions, classes, properties."""
    return {
        name: value
        for name, value in list(vars(owner).items())
        if callable(value) or isinstance(value, property | classmethod | staticmethod)
    }


def _set(owner: Any, name: str, value: Any) -> bool:
    """Sets or deletes an attribute; returns whether that was possible."""
    try:
        if value is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, value)
    except (AttributeError, TypeError):
        return False
    return True
