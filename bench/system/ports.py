"""Ports and addresses that a server of this machine can listen on."""

import contextlib
import ipaddress
import socket

from ...errors import SparsebenchError


def free_port(host: str, wanted: int) -> int:
    """Returns a port that a server can listen on.

    Args:
        host: IPv4 or IPv6 address, or a name.
        wanted: Preferred port.

    Returns:
        The preferred port if it is free, otherwise one that the operating system chooses.

    Raises:
        SparsebenchError: No port of the host can be bound.

    Example:
        >>> with socket.create_server(("127.0.0.1", 0)) as server:
        ...     taken = server.getsockname()[1]
        ...     free_port("127.0.0.1", taken) != taken
        True
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in (wanted, 0):
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server itself does
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                return int(probe.getsockname()[1])
    raise SparsebenchError(f"no free port on {host}")


def is_loopback(host: str) -> bool:
    """Returns whether a host is this machine's own, which no other machine reaches.

    Args:
        host: An IPv4 or IPv6 address, or a name.

    Returns:
        True for a loopback address and for `localhost`.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
