"""The import of plugin files, which registers what they define and leaves the process as it was."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from ....errors import SparsebenchError
from ....registry import awaiting_plugins, load_plugin
from .process_state import kept_state


def warn(sentence: str) -> None:
    """Issues a warning of Python.

    Args:
        sentence: The message.

    Example:
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     warn("the plugin 'mine.py' has changed the process")
        >>> str(caught[0].message)
        "the plugin 'mine.py' has changed the process"
    """
    warnings.warn(sentence, stacklevel=2)


def load_plugins(
    paths: Iterable[str | Path], say: Callable[[str], None] = warn, origins: Mapping[Path, str] | None = None
) -> None:
    r"""Imports installed plugins and files of plugins, and sets back what that changes for other trainings.

    An installed plugin that does not import is not reported: each look-up of a name reports it.
    Environment, search path and logging, which imports change as a matter of course, stay as they become.

    Args:
        paths: The files; one that has been loaded already is not executed again.
        say: Called with a sentence for each file whose import has changed more than that.
        origins: The files that some of them are copies of, which commands and messages name.

    Raises:
        SparsebenchError: A file cannot be imported, as `load_plugin` says.

    Example:
        >>> _ = Path("mine.py").write_text("import torch\ntorch.set_default_dtype(torch.float64)")
        >>> load_plugins(["mine.py"], say=print)
        the import of 'mine.py' has changed the process, which is set back: the default dtype
    """
    for registry in awaiting_plugins():
        who = f"the import of installed {registry.kind}s"
        with kept_state(say, who, imports=False), suppress(SparsebenchError):
            len(registry)
    for path in paths:
        origin = (origins or {}).get(Path(path))
        with kept_state(say, f"the import of {origin or str(path)!r}", imports=False):
            load_plugin(path, origin)
