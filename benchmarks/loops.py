"""The contestants: the harness's loop, the shortest loop by hand, and the loop with a DataLoader."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.models import factory as models
from sparsebench.bench.training.loop import Training
from sparsebench.datasets.api import Data, data_root, open_dataset
from sparsebench.methods.api import configure
from torch import Tensor, nn

CPU = torch.device("cpu")
BATCH = 256
MODEL = "lenet_300_100"


def mnist() -> Data:
    """From SPARSEBENCH_DATA or the cache, downloaded where it is not there."""
    return open_dataset("mnist")


def fresh_model(model: str = MODEL) -> nn.Module:
    torch.manual_seed(0)
    return models.create(model, (1, 28, 28), 10)


def harness(
    data: Data,
    method: str = "dense",
    epochs: int = 1000,
    *,
    model: str = MODEL,
    batch: int = BATCH,
    lr: float = 0.05,
    **knobs: Any,
) -> Training:
    """A training of the harness, ready to run."""
    recipe = Recipe(epochs=epochs, batch_size=batch, lr=lr, weight_decay=0.0)
    return Training(fresh_model(model), configure(method, knobs), data, recipe, seed=0, device=CPU)


def harness_steps(training: Training, count: int) -> Callable[[], object]:
    """The next `count` steps at each call; rows of the curve (a validation each) are left to the epoch."""
    training.metrics.every = training.clock.steps
    return lambda: training.run(stop_at=training.clock.step + count)


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, fused=True)


def train_on(model: nn.Module, optimizer: torch.optim.SGD, x: Tensor, y: Tensor) -> None:
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()


def preloaded(data: Data) -> tuple[Tensor, Tensor]:
    """All training images, normalised, and their labels."""
    batches = list(data.train.batches(len(data.train), CPU))
    return batches[0]


def endless(x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled full batches, epoch after epoch."""
    while True:
        order = torch.randperm(len(y))
        for start in range(0, len(y) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            yield x[chosen], y[chosen]


def by_hand(data: Data, count: int) -> Callable[[], None]:
    """The shortest loop over preloaded tensors: `count` steps at each call."""
    model, batches = fresh_model(), endless(*preloaded(data))
    optimizer = sgd(model)

    def block() -> None:
        for _ in range(count):
            train_on(model, optimizer, *next(batches))

    return block


def by_dataloader() -> Callable[[], None]:
    """One epoch at each call over torchvision's dataset and a DataLoader with two workers, as peers do it."""
    from torchvision import datasets, transforms

    pixels = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    images = datasets.MNIST(data_root(), train=True, transform=pixels)
    images = torch.utils.data.Subset(images, range(55_000))
    loader = torch.utils.data.DataLoader(images, BATCH, shuffle=True, drop_last=True, num_workers=2)
    model = fresh_model()
    optimizer = sgd(model)

    def block() -> None:
        for x, y in loader:
            train_on(model, optimizer, x, y)

    return block
