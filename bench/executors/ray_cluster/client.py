# ruff: noqa: E402 (the environment is set before Ray is imported)
"""The only module that imports Ray: a cluster, its nodes, workers on them and their answers."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

# Before the import, at which Ray reads some of them. A variable that the user has set is not changed.
for _name, _value in {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray sends no usage statistics
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # the executor reports dead workers; no lines of Ray amid the display
    "RAY_worker_niceness": "0",  # of a Ray that is started here: at its 15 any other work starves the trials
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns of a change of its own to come
}.items():
    os.environ.setdefault(_name, _value)

import ray
from ray.exceptions import RayError
from ray.job_config import JobConfig
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ....errors import SparsebenchError
from ....reasons import reason
from ...system.environment import cores
from .actor import NodeActor
from .private_head import LOOPBACK, private_head

Call = Any
"""A pending call of a worker's method: a future of Ray (an ObjectRef)."""

REACH_SECONDS = 10.0  # for the head to accept a connection at the start
HEAD_SECONDS = 30.0  # without an answer until the head counts as lost; one that is restarted is back by then
OBJECT_STORE_BYTES = 100_000_000  # texts need no more


class Node(NamedTuple):
    """A node of the cluster that is alive.

    Attributes:
        id: Ray's id of the node.
        name: The name that it was started with, else its host name.
        cpus: CPU cores that the node offers to Ray, in use or not.
        gpus: GPUs that the node offers to Ray, in use or not.

    Example:
        >>> nodes = [Node("a1", "node-1", cpus=8, gpus=2), Node("b2", "node-2", cpus=4, gpus=0)]
        >>> sum(node.cpus for node in nodes)
        12
    """

    id: str
    name: str
    cpus: int
    gpus: int


class WorkerLost(Exception):
    """A worker has died or cannot be reached, or its method has raised.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.object(ray, "get", side_effect=RayError("the node is gone")):  # what Ray would raise
        ...     answer("a call")
        Traceback (most recent call last):
            ...
        sparsebench.bench.executors.ray_cluster.client.WorkerLost: RayError: the node is gone
    """


class Worker:
    """A `TrialActor` in a process of its own on a node; Ray ends it with its driver.

    Args:
        node: Ray's id of the node.
        cpus: CPU cores that Ray reserves for the worker.
        gpus: GPUs that Ray reserves, such as 0.5 for two workers on one.
        config: The `WorkerConfig` as JSON.

    Example:
        >>> from unittest.mock import patch
        >>> with patch(f"{__name__}.ray"):  # a stand-in for Ray: no process is started
        ...     worker = Worker("a1" * 28, cpus=0, gpus=0.5, config="{}")
        ...     call = worker.ask("forget", "0123456789abcdef")
        >>> worker._actor.forget.remote.call_args.args  # the method of the remote TrialActor that was called
        ('0123456789abcdef',)
    """

    def __init__(self, node: str, *, cpus: float, gpus: float, config: str) -> None:
        self._actor = (
            ray.remote(NodeActor)
            .options(
                num_cpus=cpus,
                num_gpus=gpus,
                max_concurrency=2,  # for a call of `pause` while a trial runs
                max_restarts=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            )
            .remote(config)
        )

    def ask(self, method: str, *words: Any) -> Call:
        """Calls a method of the `TrialActor` and returns at once, with the pending call."""
        return getattr(self._actor, method).remote(*words)

    def kill(self) -> None:
        """Kills the process; one that has ended already is no error."""
        with suppress(RayError):
            ray.kill(self._actor)


def answer(call: Call) -> str:
    """Returns what a worker's method has returned, as text; waits for it where the call is pending.

    Args:
        call: A call from `Worker.ask`.

    Returns:
        The text, such as `paused` or `record <JSON>` of `TrialActor.run`.

    Raises:
        WorkerLost: The worker has died, or the method has raised.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.object(ray, "get", {"a call": "paused"}.get):  # in place of a cluster
        ...     answer("a call")
        'paused'
    """
    try:
        return str(ray.get(call))
    except RayError as error:
        raise WorkerLost(reason(error)) from error


def content(call: Call, timeout: float) -> bytes:
    """Returns the bytes that a worker's method has returned: the file of a finished model.

    Args:
        call: A call of `TrialActor.model` from `Worker.ask`.
        timeout: Seconds to wait for it.

    Returns:
        The file's bytes; empty where the worker has no such file.

    Raises:
        WorkerLost: The worker has died, the method has raised or the time is over.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.object(ray, "get", lambda call, timeout: b"a model"):  # in place of a cluster
        ...     content("a call", timeout=60.0)
        b'a model'
    """
    try:
        return bytes(ray.get(call, timeout=timeout))
    except RayError as error:
        raise WorkerLost(reason(error)) from error


class Cluster:
    """The connection of a driver to a Ray cluster.

    A connection that this process has already is used, and stays open when this object is closed.

    Args:
        address: The cluster's head as "host:port", or "auto" for a cluster that runs on this machine. None is
            RAY_ADDRESS; without that, a Ray is started here on this machine's cores and GPUs, for this user
            alone (see `private_head`). Raises `SparsebenchError` where no cluster can be joined.

    Example:
        >>> Cluster("127.0.0.1:1")
        Traceback (most recent call last):
            ...
        sparsebench.errors.SparsebenchError: no Ray cluster answers at 127.0.0.1:1 (...); start its head...
    """

    def __init__(self, address: str | None) -> None:
        self._own = not ray.is_initialized()
        self._settings = ExitStack()
        if self._own:
            place = address or os.environ.get("RAY_ADDRESS") or "local"
            with ExitStack() as settings:
                if place == "local":
                    settings.enter_context(private_head())
                _connect(place)
                self._settings = settings.pop_all()
        self._head = str(ray.get_runtime_context().gcs_address)
        self._heard = time.monotonic()
        self._nodes: list[Node] = []

    def nodes(self) -> list[Node]:
        """Returns the nodes that are alive, in an arbitrary order that is the same in every call.

        Where the head does not answer, the last result is returned; after `HEAD_SECONDS` without it
        `SparsebenchError` is raised. Ray itself would end this process after a minute.
        """
        try:
            _reach(self._head, HEAD_SECONDS / 10)
        except OSError as error:
            if time.monotonic() - self._heard < HEAD_SECONDS:
                return self._nodes
            raise SparsebenchError(
                f"the head of the Ray cluster at {self._head} is gone; the same command continues on another"
            ) from error
        self._nodes = sorted(_node_of(node) for node in ray.nodes() if node["Alive"])
        self._heard = time.monotonic()
        return self._nodes

    def wait(self, calls: Sequence[Call], timeout: float) -> list[Call]:
        """Returns the calls that are ready, as soon as one is; an empty list after `timeout` seconds."""
        ready, _ = ray.wait(list(calls), num_returns=1, timeout=timeout)
        if ready:  # and all others that are ready by now
            ready, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0)
        return list(ready)

    def close(self) -> None:
        """Disconnects from Ray, if this object has connected; a Ray that it has started ends then.

        Closing twice does no harm.
        """
        if self._own:
            self._own = False
            with _signals_kept(), self._settings:
                ray.shutdown()


def _node_of(node: dict[str, Any]) -> Node:
    """Returns a node from its entry in `ray.nodes()`."""
    name, address, host = node["NodeName"], node["NodeManagerAddress"], node["NodeManagerHostname"]
    offers = node["Resources"]
    return Node(
        node["NodeID"],
        host if name == address else name,
        int(offers.get("CPU", 0)),
        int(offers.get("GPU", 0)),
    )


class _Job(JobConfig):  # type: ignore[misc] # Ray has no types
    """A job whose workers import what is installed, and nothing from the driver's working folder."""

    def _runtime_env_has_working_dir(self) -> bool:
        return True  # else Ray puts that folder and the script's on the workers' path


def _connect(address: str) -> None:
    """Connects this process to Ray; raises `SparsebenchError` with what to do where that fails."""
    options: dict[str, Any] = {}
    if address == "local":
        options = {"num_cpus": cores(), "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
        options["_node_ip_address"] = LOOPBACK
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
            ray.init(address, log_to_driver=False, logging_level="error", job_config=_Job(), **options)
    except Exception as error:
        what = "start Ray here" if address == "local" else f"join the Ray cluster at {address!r}"
        hint = "" if "RAY_AUTH_MODE" in os.environ else "; where it asks for a token, set RAY_AUTH_MODE=token"
        raise SparsebenchError(f"cannot {what}: {reason(error)}{hint}") from error


def _reach(address: str, seconds: float) -> None:
    """Raises OSError if no process listens at `host:port`. Addresses of other forms are left to Ray."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and int(port) < 65536 and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), seconds).close()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Restores the handler of SIGTERM: Ray replaces it by an exit, but a campaign stops with checkpoints."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
