# ruff: noqa: E402 (the environment is set before Ray is imported)
"""All that we ask of Ray: a cluster, its nodes, workers on them and their answers."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

# Before the import, at which Ray reads some of them. What the user has set stands.
for _name, _value in {
    "RAY_USAGE_STATS_ENABLED": "0",  # no calls home
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # a dead worker is our business, no lines amid the display
    "RAY_worker_niceness": "0",  # of a Ray that we start: at its 15 any other work starves the trials
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns of a change of its own to come
}.items():
    os.environ.setdefault(_name, _value)

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ....errors import SparsebenchError
from ...system.environment import cores
from .actor import TrialActor

Call = Any
"""A question that a worker has been asked; it can be waited for."""

REACH_SECONDS = 10.0
HEAD_SECONDS = 30.0  # a head that is restarted comes back in this time
OBJECT_STORE_BYTES = 100_000_000  # texts need no more


class Node(NamedTuple):
    """A node that is there, and what it offers."""

    id: str
    name: str
    cpus: int
    gpus: int


class WorkerLost(Exception):
    """A worker has died, or cannot be reached."""


class Worker:
    """A `TrialActor` in a process on a node; it ends with its driver."""

    def __init__(self, node: str, *, cpus: float, gpus: float, setting: str) -> None:
        self._actor = (
            ray.remote(TrialActor)
            .options(
                num_cpus=cpus,
                num_gpus=gpus,
                max_concurrency=2,  # to be told of a pause while a trial runs
                max_restarts=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            )
            .remote(setting)
        )

    def ask(self, method: str, *words: Any) -> Call:
        """Call a method; returns at once."""
        return getattr(self._actor, method).remote(*words)

    def kill(self) -> None:
        """End the process, dead or alive."""
        with suppress(RayError):
            ray.kill(self._actor)


def answer(call: Call) -> str:
    """What came of a call that is ready. Errors: `WorkerLost`."""
    try:
        return str(ray.get(call))
    except RayError as error:
        raise WorkerLost(f"{type(error).__name__}: {error}") from error


def content(call: Call, timeout: float) -> bytes:
    """The bytes that a call gives within `timeout` seconds. Errors: `WorkerLost`."""
    try:
        return bytes(ray.get(call, timeout=timeout))
    except RayError as error:
        raise WorkerLost(f"{type(error).__name__}: {error}") from error


class Cluster:
    """A connection to Ray, for one driver.

    `address` is `host:port` of the cluster's head, or `auto` for a cluster that runs on this machine; without
    it RAY_ADDRESS decides, and without that a Ray of our own is started on this machine's cores and GPUs. A
    connection that this process has already is used, and left as it is. Errors: no cluster there.
    """

    def __init__(self, address: str | None) -> None:
        self._own = not ray.is_initialized()
        if self._own:
            _connect(address or os.environ.get("RAY_ADDRESS") or "local")
        self._head = str(ray.get_runtime_context().gcs_address)
        self._heard = time.monotonic()
        self._nodes: list[Node] = []

    def nodes(self) -> list[Node]:
        """The nodes that are alive, in an order of no meaning that stays.

        Errors: the head has been gone for a while. Ray itself would end this process after a minute.
        """
        try:
            _reach(self._head, HEAD_SECONDS / 10)
        except OSError as error:
            if time.monotonic() - self._heard < HEAD_SECONDS:
                return self._nodes
            raise SparsebenchError(
                f"the head of the Ray cluster at {self._head} is gone; the same command continues on another"
            ) from error
        self._nodes = sorted(_described(node) for node in ray.nodes() if node["Alive"])
        self._heard = time.monotonic()
        return self._nodes

    def wait(self, calls: Sequence[Call], timeout: float) -> list[Call]:
        """Those that are ready, as soon as one is; none after `timeout` seconds."""
        ready, _ = ray.wait(list(calls), num_returns=1, timeout=timeout)
        if ready:  # and whatever else has come by now
            ready, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0)
        return list(ready)

    def close(self) -> None:
        """Ends a Ray that we have started, leaves any other alone. Closing twice does no harm."""
        if self._own:
            self._own = False
            with _signals_kept():
                ray.shutdown()


def _described(node: dict[str, Any]) -> Node:
    name, address, host = node["NodeName"], node["NodeManagerAddress"], node["NodeManagerHostname"]
    offers = node["Resources"]
    return Node(
        node["NodeID"],
        host if name == address else name,
        int(offers.get("CPU", 0)),
        int(offers.get("GPU", 0)),
    )


def _connect(address: str) -> None:
    options: dict[str, Any] = {}
    if address == "local":
        options = {"num_cpus": cores(), "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    try:
        _reach(address, REACH_SECONDS)  # Ray itself would try for minutes
    except OSError as error:
        port = address.rpartition(":")[2]
        raise SparsebenchError(
            f"no Ray cluster answers at {address} ({error}); start its head there with "
            f"`ray start --head --port {port}`"
        ) from error
    try:
        with _signals_kept():
            ray.init(address, log_to_driver=False, logging_level="error", **options)
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        what = "start Ray here" if address == "local" else f"join the Ray cluster at {address!r}"
        hint = "" if "RAY_AUTH_MODE" in os.environ else "; where it asks for a token, set RAY_AUTH_MODE=token"
        raise SparsebenchError(f"cannot {what}: {first or type(error).__name__}{hint}") from error


def _reach(address: str, seconds: float) -> None:
    """Errors: `OSError` if nobody listens at `host:port`. Other addresses are for Ray to judge."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and int(port) < 65536 and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), seconds).close()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray makes SIGTERM an exit of the process; a campaign stops in its own way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
