import pytest
import torch
from sparsebench.datasets.api import open_dataset
from sparsebench.datasets.planted import truth
from sparsebench.errors import SparsebenchError

CPU = torch.device("cpu")


def everything(split):
    ((images, labels),) = split.batches(len(split), CPU)
    return images.flatten(1), labels


def test_the_teacher_has_the_nonzeros_it_was_asked_for():
    teacher = truth(size=6, classes=4, nonzeros=5, seed=3)
    assert teacher.shape == (4, 36)
    assert (teacher != 0).sum(1).tolist() == [5] * 4
    magnitudes = teacher[teacher != 0].abs()
    assert float(magnitudes.min()) >= 1 and float(magnitudes.max()) <= 2
    assert (teacher[teacher != 0] < 0).any() and (teacher > 0).any()
    assert not torch.equal(teacher != 0, truth(size=6, classes=4, nonzeros=5, seed=4) != 0)


def test_without_noise_the_teacher_is_always_right():
    data = open_dataset("planted")
    for split in (data.train, data.valid, data.test):
        images, labels = everything(split)
        assert torch.equal((images.double() @ truth().double().T).argmax(1), labels)


def test_noise_moves_labels_and_nothing_else():
    clean, noisy = open_dataset("planted", seed=2), open_dataset("planted", seed=2, noise=1.0)
    images, labels = everything(noisy.test)
    assert torch.equal(images, everything(clean.test)[0])
    right = (images @ truth(seed=2).T).argmax(1) == labels
    assert 0.4 < float(right.float().mean()) < 0.95


def test_the_mask_can_be_recovered_from_the_data():
    # The class means of Gaussian inputs point along the teacher's rows, relative to the others' mean.
    data = open_dataset("planted", n=24_000, classes=4, nonzeros=3, valid=1000)
    images, labels = everything(data.train)
    means = torch.stack([images[labels == c].mean(0) for c in range(4)])
    found = (means - means.mean(0)).abs()
    mask = truth(classes=4, nonzeros=3) != 0
    alone = mask & (mask.sum(0) == 1)
    assert float(found[alone].min()) > float(found[:, mask.sum(0) == 0].max())


def test_the_arguments_shape_the_data():
    data = open_dataset("planted", size=5, classes=3, nonzeros=2, n=300, valid=60)
    assert data.shape == (1, 5, 5) and data.classes == 3
    assert (len(data.train), len(data.valid), len(data.test)) == (240, 60, 60)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"size": 0}, "size = 0 is out of range"),
        ({"classes": 1}, "classes = 1 is out of range"),
        ({"nonzeros": 65}, "nonzeros = 65 is out of range: 1 to 64"),
        ({"noise": -1}, "noise = -1.0 is out of range"),
        ({"noise": float("nan")}, "noise = nan is out of range"),
        ({"n": 5}, "n = 5 is out of range"),
        ({"n": 12, "valid": 1}, "too small to show each of 10 classes"),
        ({"seed": -1}, "seed = -1 is out of range"),
    ],
)
def test_a_setting_that_makes_no_task_is_refused(args, message):
    with pytest.raises(SparsebenchError, match=message):
        open_dataset("planted", **args)
