"""ResNet-18 on CIFAR-sized images in bfloat16: the whole training loop on a GPU, augmentation included.

python benchmarks/gpu.py                  # the first GPU, batches of 128 and 512
python benchmarks/gpu.py cpu 4            # tries the script alone: no figure of it means anything
"""

import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from loops import harness_steps, sgd
from sparsebench.bench.config.trial_spec import Recipe
from sparsebench.bench.models import factory as models
from sparsebench.bench.training.loop import Training
from sparsebench.bench.training.memory_format import set_memory_format
from sparsebench.datasets.api import Data
from sparsebench.datasets.on_device import OnDevice, channel_statistics
from sparsebench.methods.api import configure
from timing import compare, write
from torch import Tensor, nn

DEVICE = torch.device(sys.argv[1] if len(sys.argv) > 1 else "cuda")
ON_GPU = DEVICE.type == "cuda"
BATCHES = [int(word) for word in sys.argv[2:]] or [128, 512]
IMAGES, STEPS, REPETITIONS = (50_000, 50, 20) if ON_GPU else (64, 1, 1)
SHAPE, CLASSES = (3, 32, 32), 10


def noise() -> Data:
    """As many random images and labels as CIFAR-10 has: what they show does not change how long they take."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (IMAGES, *SHAPE), dtype=torch.uint8, generator=generator)
    split = OnDevice(
        images, torch.randint(CLASSES, (IMAGES,), generator=generator), *channel_statistics(images)
    )
    return Data("noise", SHAPE, CLASSES, split, split, split, digest="noise")


def fresh_model() -> nn.Module:
    torch.manual_seed(0)
    return models.create("resnet18_cifar", SHAPE, CLASSES).to(DEVICE)


def waiting(block: Callable[[], object]) -> Callable[[], None]:
    """The block with all that it has set going on the GPU."""

    def until_done() -> None:
        block()
        if ON_GPU:
            torch.cuda.synchronize(DEVICE)

    return until_done


def harness(batch: int, method: str = "dense", **knobs: float) -> Callable[[], None]:
    recipe = Recipe(
        epochs=10_000, batch_size=batch, lr=0.05, weight_decay=0.0, augment="crop_flip", precision="bfloat16"
    )
    training = Training(fresh_model(), configure(method, knobs), data, recipe, seed=0, device=DEVICE)
    return waiting(harness_steps(training, STEPS))


def augmented(padded: Tensor, chosen: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Crops of 32 × 32 at random places, half of them mirrored, normalised."""
    count = len(chosen)
    top, left = torch.randint(9, (2, count), device=DEVICE)
    windows = padded[chosen].unfold(2, 32, 1).unfold(3, 32, 1)
    images = windows[torch.arange(count, device=DEVICE), :, top, left]
    mirrored = torch.rand(count, 1, 1, 1, device=DEVICE) < 0.5
    return (torch.where(mirrored, images.flip(3), images).float() - mean) / std


def by_hand(batch: int) -> Callable[[], None]:
    """The same arithmetic in the shortest loop over images that lie on the device."""
    model, train = fresh_model(), data.train
    assert isinstance(train, OnDevice)
    set_memory_format(model, torch.channels_last)
    optimizer = sgd(model)
    padded, labels = F.pad(train.images, (4, 4, 4, 4)).to(DEVICE), train.labels.to(DEVICE)
    mean, std = (value.to(DEVICE).view(1, 3, 1, 1) for value in (train.mean, train.std))

    def block() -> None:
        for chosen in torch.randperm(IMAGES, device=DEVICE).split(batch)[:STEPS]:
            optimizer.zero_grad()
            with torch.autocast(DEVICE.type, torch.bfloat16):
                loss = F.cross_entropy(model(augmented(padded, chosen, mean, std)), labels[chosen])
            loss.backward()
            optimizer.step()

    return waiting(block)


data = noise()
table = {}
for batch in BATCHES:
    blocks = {
        "by hand, dense": by_hand(batch),
        "dense": harness(batch),
        "dwf, D=2": harness(batch, "dwf", depth=2),
        "dwf, D=3": harness(batch, "dwf", depth=3),
        "dwf, D=4": harness(batch, "dwf", depth=4),
        "random, masked": harness(batch, "random", sparsity=0.9),
    }
    for name, row in compare(blocks, "dense", REPETITIONS, STEPS).items():
        images_per_second = round(1000 * batch / row["wall_ms"])
        table[f"{name}, batch {batch}"] = {**row, "images_per_second": images_per_second}
what = "milliseconds of a training step of ResNet-18, and its ratio to the harness's dense step"
if ON_GPU:
    write("gpu", what, table, gpu=torch.cuda.get_device_name(DEVICE))
else:
    print("\n".join(f"{name:28}  {row}" for name, row in table.items()))
