"""The places that Python imports from: a working folder's modules are the data of a command, not its code."""

import os
import sys
from pathlib import Path


def drop_working_folder() -> None:
    """Removes the working folder from the import path, of this process and of those that it starts.

    An empty or relative entry of PYTHONPATH, such as the one that `PYTHONPATH=$PYTHONPATH:/lib` leaves, puts
    it there; a `torch.py` in a folder that a command was started in would then be run. Absolute entries stay.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, PYTHONPATH=":.:/lib"), patch.object(sys, "path", ["", "/lib"]):
        ...     drop_working_folder()
        ...     os.environ["PYTHONPATH"], sys.path
        ('/lib', ['/lib'])
    """
    given = os.environ.get("PYTHONPATH")
    relative = {""}
    if given:
        entries = given.split(os.pathsep)
        kept = [entry for entry in entries if Path(entry).is_absolute()]
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)
        relative |= {os.path.abspath(entry) for entry in entries if entry not in kept}  # noqa: PTH100 (as site)
        if not kept:
            del os.environ["PYTHONPATH"]
    sys.path[:] = [entry for entry in sys.path if entry not in relative]
