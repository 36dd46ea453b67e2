"""scikit-learn's handwritten digits: real images that come with a dependency, without a download."""

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
"""Images in the test set, a fifth of all 1,797: scikit-learn defines no test set, so this module does."""


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
    """Opens the 1,797 images of 8x8 pixels in 10 classes that are part of scikit-learn, with values 0 … 16.

    Args:
        root: The data root, which is not used.
        download: Not used either.
        valid: The number of images to hold out for validation, besides the 359 of the test set.

    Returns:
        The dataset, normalised by mean and standard deviation of the remaining training images.

    Raises:
        SparsebenchError: scikit-learn is not installed, or `valid` is out of range.

    Example:
        >>> from sparsebench.datasets.api import open_dataset
        >>> opened = open_dataset("digits")
        >>> opened.shape, opened.classes, len(opened.train), len(opened.valid), len(opened.test)
        ((1, 8, 8), 10, 1150, 288, 359)
    """
    whole = embedded_arrays()
    rest, test = held_out(whole.labels, TEST_COUNT)
    return assemble("digits", whole.take(rest), whole.take(test), [str(d) for d in range(10)], valid)


def embedded_arrays() -> Arrays:
    """Returns all images of scikit-learn's digits with their labels, in scikit-learn's order.

    The data file is read from scikit-learn's folder; the package is not imported, which would take seconds.

    Returns:
        The images, uint8 `(1797, 1, 8, 8)` with values 0 … 16, and their labels.

    Raises:
        SparsebenchError: scikit-learn is not installed.

    Example:
        >>> arrays = embedded_arrays()
        >>> arrays.images.shape, int(arrays.images.max()), arrays.labels[:5].tolist()
        (torch.Size([1797, 1, 8, 8]), 16, [0, 1, 2, 3, 4])
    """
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise SparsebenchError("dataset 'digits': it ships with scikit-learn: install that package")
    file = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if file.is_file():
        with gzip.open(file, "rt") as stream:
            table = np.loadtxt(stream, delimiter=",", dtype=np.uint8)
        images, labels = table[:, :-1].reshape(-1, 8, 8), table[:, -1]
    else:  # a release of scikit-learn with the file in another place
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]

        images, labels = load_digits().images, load_digits().target
    as_tensor = torch.from_numpy(images.astype(np.uint8)).unsqueeze(1)
    return Arrays(as_tensor, torch.from_numpy(labels.astype(np.int64)))
