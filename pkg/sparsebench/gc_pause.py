"""A pause of Python's garbage collector, which would traverse thousands of long-lived records repeatedly."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_gc() -> Iterator[None]:
    """Context manager that turns automatic garbage collection off and exempts all present objects from it.

    Within the block, `collect_new` collects objects made since its start. Afterwards collection is automatic
    again if it was before. A report holds all records in memory while it makes and discards figures, which
    are full of reference cycles: automatic collection takes a sixth of the report's time.

    Yields:
        None, once when collection is off.

    Example:
        >>> with paused_gc():
        ...     print(gc.isenabled(), gc.get_freeze_count() > 0)
        False True
        >>> gc.isenabled(), gc.get_freeze_count()
        (True, 0)
    """
    before = gc.isenabled()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if before:
            gc.enable()


def collect_new() -> None:
    """Collects the unreachable cycles of objects, within `paused_gc` among the new objects alone.

    A report calls it when figures are written. It is fast there, since the collector does not traverse the
    objects that are older than the block.

    Example:
        >>> import weakref
        >>> class Figure: ...
        >>> with paused_gc():
        ...     figure = Figure()
        ...     figure.axes = figure  # a cycle, which reference counting never frees
        ...     reference, figure = weakref.ref(figure), None
        ...     print(reference() is None)
        ...     collect_new()
        ...     print(reference() is None)
        False
        True
    """
    gc.collect()


def skip_last_collection() -> None:
    """Exempts all objects from the interpreter's last garbage collection, which takes a second with torch.

    Not where triton was imported, as in a training: it reports the objects as leaks, in forty lines.

    Example:
        >>> skip_last_collection()
        >>> gc.unfreeze()
    """
    if "triton" not in sys.modules:
        gc.freeze()
