"""The settings of a Ray that is started here: it listens on this machine alone, and asks for a token."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOOPBACK = "127.0.0.1"
MODE, TOKEN, FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


@contextmanager
def private_head() -> Iterator[None]:
    """Context manager in which a Ray can be started that no other machine and no other user can join.

    Ray replaces the address 127.0.0.1 by the machine's own and listens on every interface, except where it
    takes the system for macOS or Windows; here it does. The token is random, new for each Ray, and in the
    environment of this user's processes alone: Ray's own `~/.ray/auth_token` may be readable by others. A
    mode or a token that the user has set stays.

    Yields:
        Nothing: Ray is started in the block, and has ended when it is left.

    Example:
        >>> with private_head():
        ...     os.environ["RAY_AUTH_MODE"], len(os.environ["RAY_AUTH_TOKEN"])
        ('token', 64)
        >>> "RAY_AUTH_TOKEN" in os.environ
        False
    """
    from ray._private import ray_constants

    before = {name: os.environ[name] for name in (MODE, TOKEN) if name in os.environ}
    cluster, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    os.environ.setdefault(MODE, "token")
    if FILE not in os.environ:
        os.environ.setdefault(TOKEN, secrets.token_hex(32))
    _read_again()
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = cluster
        for name in (MODE, TOKEN):
            os.environ.pop(name, None)
        os.environ.update(before)
        _read_again()


def _read_again() -> None:
    """Makes Ray, which has read its mode and token at its import, read them again."""
    from ray import _raylet

    core: Any = _raylet  # compiled, without types
    core.Config.initialize("")
    core.AuthenticationTokenLoader.instance().reset_cache()
