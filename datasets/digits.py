"""scikit-learn's handwritten digits: real data that ship with a dependency."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from ..errors import SparsebenchError
from .api import Data, register_dataset
from .assemble import Arrays, assemble
from .splits import held_out

TEST_COUNT = 359
"""A fifth of the 1,797 images: scikit-learn names no test set, so one is fixed here."""


@register_dataset(
    "digits",
    summary="8x8 handwritten digits, embedded in scikit-learn; no download",
    reference="https://archive.ics.uci.edu/dataset/80",
    shape=(1, 8, 8),
    classes=10,
    train_size=1150,
    args={"valid": 288},
)
def digits(root: Path, download: bool, *, valid: int) -> Data:
    """1,797 images of values 0…16: 359 for the test, `valid` for validation, the rest for training."""
    whole = embedded_arrays()
    rest, test = held_out(whole.labels, TEST_COUNT)
    return assemble("digits", whole.take(rest), whole.take(test), [str(d) for d in range(10)], valid)


def embedded_arrays() -> Arrays:
    """All images with their labels, in scikit-learn's order.

    The file is read where scikit-learn is installed, without importing it: the import costs seconds.
    """
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise SparsebenchError("dataset 'digits': it ships with scikit-learn: install that package")
    file = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if file.is_file():
        with gzip.open(file, "rt") as stream:
            table = np.loadtxt(stream, delimiter=",", dtype=np.uint8)
        images, labels = table[:, :-1].reshape(-1, 8, 8), table[:, -1]
    else:  # a scikit-learn that keeps it elsewhere
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]

        images, labels = load_digits().images, load_digits().target
    as_tensor = torch.from_numpy(images.astype(np.uint8)).unsqueeze(1)
    return Arrays(as_tensor, torch.from_numpy(labels.astype(np.int64)))
