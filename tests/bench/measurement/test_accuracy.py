"""Accuracy: a NaN is no answer, and a batch of one counts."""

import torch
from sparsebench.bench.measurement.accuracy import by_class, correct
from sparsebench.datasets.on_device import OnDevice
from torch import Tensor, nn

CPU = torch.device("cpu")


def split(labels: list[int]) -> OnDevice:
    images = torch.arange(float(len(labels))).view(-1, 1, 1, 1)
    return OnDevice(images, torch.tensor(labels), torch.zeros(1), torch.ones(1))


class Net(nn.Module):
    """It answers 0, as `argmax` answers NaN, and gives NaN from image `first` on."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        logits = torch.tensor([2.0, 1.0]).repeat(len(x), 1)
        logits[x.flatten() >= self.first] = torch.nan
        return logits.squeeze()


def test_an_example_without_a_number_is_not_correct() -> None:
    found = by_class(Net(first=6), split([0, 0, 0, 1, 1, 1, 0, 0, 0, 1]), CPU)
    assert (found.hits.tolist(), found.examples.tolist(), found.unknown) == ([3, 0], [6, 4], 4)
    assert (found.accuracy, correct(Net(first=6), split([0] * 10), CPU)) == (0.3, 6)


def test_the_last_batch_may_be_one_example_whose_logits_a_model_squeezes() -> None:
    labels = [0] * 1025  # a batch and one
    assert correct(Net(first=1025), split(labels), CPU) == 1025
