"""What the conformance suite trains: small networks, a dataset, and checks of masks during training."""

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from ..datasets.api import Data
from ..datasets.on_device import OnDevice
from ..methods.api import Clock, Knob, Net, Sparsifier, configure, keep_count
from .config.search_space import settle_recipe
from .config.trial_spec import Recipe
from .measurement.compression import zero_below
from .training.loop import Training

EPOCHS, BATCH, IMAGES = 6, 32, 320
CPU = torch.device("cpu")


@lru_cache(maxsize=1)
def data() -> Data:
    """Returns the dataset of the suite: 6×6 images of Gaussian noise, labelled by a sparse linear teacher.

    A third of the pixels is always zero, so that the gradient of the weights on them is zero and ties among
    their magnitudes last.

    Returns:
        320 training images of four classes; 128 more are the validation and the test split.

    Example:
        >>> data().shape, data().classes, len(data().train), len(data().valid)
        ((1, 6, 6), 4, 320, 128)
    """
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(IMAGES + 128, 1, 6, 6, generator=generator)
    x[:, :, :, ::3] = 0
    teacher = torch.randn(4, 36, generator=generator) * (torch.rand(4, 36, generator=generator) < 0.2)
    y = (x.flatten(1) @ teacher.T).argmax(dim=1)
    zero, one = torch.zeros(1), torch.ones(1)
    train, rest = OnDevice(x[:IMAGES], y[:IMAGES], zero, one), OnDevice(x[IMAGES:], y[IMAGES:], zero, one)
    return Data("conformance", (1, 6, 6), 4, train, rest, rest, digest="conformance")


def build(kind: str) -> nn.Module:
    """Returns a small network of the suite, the same one at each call; it sets torch's global seed to 0.

    Args:
        kind: "mlp", whose initial weights hold many ties; "conv", one convolution with BatchNorm; "deep",
            two of them.

    Returns:
        A plain model in train mode.

    Example:
        >>> [layer.weight.shape for layer in build("mlp") if isinstance(layer, nn.Linear)]
        [torch.Size([32, 36]), torch.Size([4, 32])]
    """
    torch.manual_seed(0)
    if kind == "mlp":
        layers = nn.Linear(36, 32), nn.Linear(32, 4)
        with torch.no_grad():
            for layer in layers:
                layer.weight.copy_((layer.weight * 20).round().clamp(-3, 3) / 20 + 0.01)
        return nn.Sequential(nn.Flatten(), layers[0], nn.ReLU(), layers[1])
    widths = (1, 8) if kind == "conv" else (1, 4, 8)
    blocks: list[nn.Module] = []
    for before, width in pairwise(widths):
        blocks += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*blocks, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(72, 4))


class MaskCheck:
    """A check around a method's hooks: masked weights are zero, and no optimizer's buffer could revive them.

    Where a method has a target, the buffers are checked for all weights that its hooks set to zero, with or
    without `net.set_masks`. Without a target a hook may be a proximal map, whose zeros come and go.

    Args:
        method: The method, whose hooks are replaced by checked ones.

    Attributes:
        seen: How many times a weight tensor had masked weights after a hook; 0 for a method without masks.
        alive: A sentence for each violation.

    Example:
        >>> made, check = training("magnitude", {}, watch=True)
        >>> _ = made.run()
        >>> check.seen > 0, check.alive
        (True, [])
    """

    def __init__(self, method: Sparsifier) -> None:
        self.seen = 0
        self.alive: list[str] = []
        self.targeted = method.target() is not None
        for hook in ("start_round", "before_step", "after_step"):
            setattr(method, hook, self._checked(hook, getattr(method, hook)))

    def _checked(self, hook: str, inner: Callable[[Net, Clock], Any]) -> Callable[[Net, Clock], Any]:
        """Returns a hook that calls `inner` and then checks every weight."""

        def checked(net: Net, clock: Clock) -> Any:
            before = {name: net.weight(name) != 0 for name in net.names}
            answer = inner(net, clock)
            for name, living in before.items():
                masked = ~net.masks[name] if name in net.masks else torch.zeros_like(living)
                zeroed = living & (net.weight(name) == 0) & ~masked
                where = f"{hook} at step {clock.step}, {name}"
                self.seen += int(masked.any())
                if hook == "after_step" and int(net.weight(name)[masked].count_nonzero()):
                    self.alive.append(f"{where}: a masked weight is not zero")
                if _buffers(net, name, masked):
                    self.alive.append(f"{where}: the optimizer remembers masked weights; use net.set_masks")
                if self.targeted and _buffers(net, name, zeroed):
                    self.alive.append(
                        f"{where}: the optimizer remembers weights that were set to zero; use net.set_masks, "
                        "or net.forget where they may come back"
                    )
            return answer

        return checked


def _buffers(net: Net, name: str, where: torch.Tensor) -> int:
    """Returns how many entries of optimizer buffers are nonzero at some coordinates of a plain weight."""
    weight = net.weights_by_name[name]
    states = (optimizer.state.get(weight, {}) for optimizer in net.optimizers)
    tensors = (v for state in states for v in state.values() if isinstance(v, torch.Tensor))
    return sum(int(v[where].count_nonzero()) for v in tensors if v.shape == weight.shape)


def training(
    method: str,
    knobs: dict[str, Any],
    kind: str = "mlp",
    optimizer: str = "sgd",
    watch: bool = False,
    device: torch.device = CPU,
    **more: Any,
) -> tuple[Training, MaskCheck | None]:
    """Returns a new training of a configured method on a small network, with momentum and weight decay.

    The budget is six epochs of ten steps.

    Args:
        method: Name of a registered method.
        knobs: Its knobs; the others have their defaults.
        kind: The network, as for `build`.
        optimizer: The recipe's optimizer, unless the method cannot work with it.
        watch: Whether a `MaskCheck` is put around the method's hooks.
        device: The device that trains.
        **more: Further fields of the recipe.

    Returns:
        The training before its first step, and the check where there is one.

    Example:
        >>> made, _ = training("magnitude", {"sparsity": 0.75})
        >>> made.run().steps, made.net.size, zeros(made)
        (60, 1280, 960)
    """
    configured = configure(method, knobs)
    recipe = Recipe(epochs=EPOCHS, batch_size=BATCH, optimizer=optimizer, weight_decay=1e-3, **more)  # type: ignore[arg-type]
    check = MaskCheck(configured) if watch else None
    settled = settle_recipe(recipe, type(configured))
    made = Training(build(kind).to(device), configured, data(), settled, seed=3, device=device)
    return made, check


def zeros(made: Training, threshold: float = 0.0) -> int:
    """Returns how many prunable weights of a finished model are zero.

    Args:
        made: The finished training.
        threshold: Weights of smaller magnitude count as zero; 0 counts exact zeros.

    Returns:
        The number of zeros.

    Example:
        >>> made, _ = training("dense", {})
        >>> zeros(made, threshold=10.0)  # all 36·32 + 32·4 weights are smaller
        1280
    """
    weights = [made.net.weight(name).clone() for name in made.prunable]
    zero_below(weights, threshold)
    return sum(int((w == 0).sum()) for w in weights)


def on_target(made: Training) -> bool:
    """Returns whether as many weights are kept as the method's target leaves.

    A weight that a mask keeps may be zero: one that RigL has grown, and that no gradient has reached.

    Args:
        made: The finished training.

    Returns:
        True where the count is exact, or the method has no target.

    Example:
        >>> made, _ = training("magnitude", {"sparsity": 0.9})
        >>> before = on_target(made)  # no weight is pruned yet
        >>> _ = made.run()
        >>> before, on_target(made)
        (False, True)
    """
    sparsity, net = made.method.target(), made.net
    if sparsity is None:
        return True
    kept = {name: (net.weight(name) != 0) | net.masks.get(name, torch.tensor(False)) for name in net.names}
    return sum(int(stays.sum()) for stays in kept.values()) == keep_count(sparsity, net.size)


def middle(knob: Knob) -> float:
    """Returns the middle of a knob's search range on the knob's own scale.

    Args:
        knob: A knob with a range.

    Returns:
        The arithmetic mean on a linear scale, the geometric one on a logarithmic scale; on a density scale
        the sparsity whose density is the geometric mean of the ends' densities.

    Example:
        >>> middle(Knob(0.1, 0.01, 1.0, "log")), round(middle(Knob(0.9, 0.0, 0.99, "density")), 3)
        (0.1, 0.9)
    """
    low, high = float(knob.low or 0), float(knob.high or 0)
    if knob.scale == "linear":
        return (low + high) / 2
    if knob.scale == "density":
        return 1 - math.sqrt((1 - low) * (1 - high))
    return math.copysign(math.sqrt(low * high), low)
