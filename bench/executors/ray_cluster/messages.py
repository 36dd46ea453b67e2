"""The messages between the driver and a worker on a node: its config, and its answer when it has started."""

from typing import Any, NamedTuple

from pydantic import BaseModel

from ...training.checkpointing import EVERY_SECONDS


class Plugin(NamedTuple):
    """A plugin file of the driver's machine.

    Attributes:
        path: Its absolute path there; a node that has the same file at this path loads that one.
        text: Its content, which is executed on the nodes.

    Example:
        >>> from pathlib import Path
        >>> path = Path("mine.py").resolve()
        >>> _ = path.write_text("answer = 42")
        >>> Plugin(str(path), path.read_text()).text
        'answer = 42'
    """

    path: str
    text: str


class RequiredDataset(NamedTuple):
    """A dataset that the campaign needs on every node.

    Attributes:
        dataset: Its registered name.
        args: Its arguments.
        digest: The digest of its content on the driver's machine; a node with another one is unfit.
        base: The folder in which relative paths among the arguments are looked for.

    Example:
        >>> from sparsebench.bench.training.trial import open_data
        >>> wanted = RequiredDataset("planted", {"n": 320, "valid": 64}, digest=data.digest)
        >>> open_data(wanted.dataset, args=wanted.args).digest == wanted.digest
        True
    """

    dataset: str
    args: dict[str, Any]
    digest: str
    base: str | None = None


class WorkerConfig(BaseModel):
    """The part of a campaign that its workers need, sent to each of them as JSON.

    Attributes:
        device: "cpu" or "cuda"; "auto" until the driver has chosen between them.
        versions: The driver's versions of packages.
        plugins: The campaign's plugins, loaded in this order.
        datasets: The datasets of its tasks.
        data_root: The driver's folder of datasets, used where the node has it too; else SPARSEBENCH_DATA of
            the node, or its user's cache.
        folder: The campaign's folder of checkpoints on the driver's machine.
        mark: The content of its mark file: a node that reads the same sees the same folder.
        models: The campaign's folder of finished models on the driver's machine; the driver fetches them from
            a node that does not see it.
        threads: CPU threads of a trial.
        checkpoint_seconds: Time between checkpoints.

    Example:
        >>> config = WorkerConfig(device="cpu", versions={"torch": "2.9.0"}, threads=2)
        >>> WorkerConfig.model_validate_json(config.model_dump_json()) == config
        True
    """

    device: str
    versions: dict[str, str]
    plugins: list[Plugin] = []
    datasets: list[RequiredDataset] = []
    data_root: str | None = None
    folder: str = ""
    mark: str = ""
    models: str = ""
    threads: int = 1
    checkpoint_seconds: float = EVERY_SECONDS


class WorkerReady(BaseModel):
    """A worker's answer when it has started, as JSON.

    Attributes:
        device: Its device on the node, such as "cpu" or "cuda:1".
        shares: Whether it sees the driver's folders of checkpoints and models.
        error: Why the node cannot run the campaign; empty for a fit one.

    Example:
        >>> WorkerReady(device="cuda:1", shares=True).model_dump_json()
        '{"device":"cuda:1","shares":true,"error":""}'
        >>> WorkerReady.model_validate_json('{"error": "it has torch 2.8.0, the driver 2.9.0"}').error
        'it has torch 2.8.0, the driver 2.9.0'
    """

    device: str = ""
    shares: bool = False
    error: str = ""
