import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sparsebench.datasets import on_device
from sparsebench.datasets.on_device import OnDevice, channel_statistics
from sparsebench.errors import SparsebenchError

CPU = torch.device("cpu")
DEVICES = [CPU] + ([torch.device("cuda")] if torch.cuda.is_available() else [])


def numbered(count, side=8, channels=1):
    """A split whose images and labels both carry the example's number."""
    images = torch.arange(count).view(-1, 1, 1, 1).expand(count, channels, side, side)
    zeros, ones = torch.zeros(channels), torch.ones(channels)
    return OnDevice(images.to(torch.uint8).clone(), torch.arange(count), zeros, ones)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@given(st.integers(1, 60), st.integers(1, 70), st.sampled_from(["none", "flip", "crop", "crop_flip"]))
def test_an_epoch_is_full_batches_of_distinct_examples(count, batch_size, augment):
    batches = list(numbered(count).epoch(batch_size, CPU, seeded(), augment))
    seen = torch.cat([labels for _, labels in batches]).tolist()
    expected = count if batch_size > count else count - count % batch_size
    assert len(seen) == len(set(seen)) == expected
    assert {len(labels) for _, labels in batches} == {min(batch_size, count)}
    for images, labels in batches:
        assert images.dtype == torch.float32 and images.shape == (len(labels), 1, 8, 8)
        middle = images[:, 0, 4, 4].long()
        assert torch.equal(middle, labels), "an image lost its label"


@given(st.integers(1, 60), st.integers(1, 70))
def test_batches_cover_everything_in_order_with_a_ragged_end(count, batch_size):
    batches = list(numbered(count).batches(batch_size, CPU))
    assert torch.cat([y for _, y in batches]).tolist() == list(range(count))
    assert torch.cat([x for x, _ in batches])[:, 0, 0, 0].tolist() == list(range(count))
    assert len(batches[-1][1]) == (count % batch_size or batch_size)


def test_the_generator_decides_order_and_augmentation():
    split = pictures()
    first = [x for x, _ in split.epoch(16, CPU, seeded(3), "crop_flip")]
    again = [x for x, _ in split.epoch(16, CPU, seeded(3), "crop_flip")]
    other = [x for x, _ in split.epoch(16, CPU, seeded(4), "crop_flip")]
    assert torch.equal(torch.cat(first), torch.cat(again))
    assert not torch.equal(torch.cat(first), torch.cat(other))


def test_two_epochs_of_one_generator_differ():
    generator, split = seeded(), numbered(50)
    first, second = (next(y for _, y in split.epoch(50, CPU, generator)) for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("augment", ["none", "flip", "crop", "crop_flip"])
def test_every_device_gets_the_same_epoch(augment):
    want = torch.cat([x for x, _ in pictures().epoch(16, CPU, seeded(5), augment)])
    for device in DEVICES:
        got = torch.cat([x for x, _ in pictures().epoch(16, device, seeded(5), augment)])
        assert got.device.type == device.type
        torch.testing.assert_close(got.cpu(), want)


def pictures(count=64, channels=3, side=8):
    images = torch.randint(1, 256, (count, channels, side, side), generator=seeded(9), dtype=torch.uint8)
    return OnDevice(images, torch.arange(count), torch.zeros(channels), torch.ones(channels))


def test_a_flip_mirrors_about_half_of_the_images():
    split = pictures(400)
    kinds = {"same": 0, "mirrored": 0}
    for images, labels in split.epoch(100, CPU, seeded(), "flip"):
        for image, label in zip(images, labels, strict=True):
            original = split.images[label].float()
            kinds["same" if torch.equal(image, original) else "mirrored"] += 1
            assert torch.equal(image, original) or torch.equal(image, original.flip(-1))
    assert 150 < kinds["mirrored"] < 250


def test_a_crop_is_the_image_shifted_over_black():
    split = pictures(200, channels=2)
    shifts = set()
    for images, labels in split.epoch(50, CPU, seeded(), "crop"):
        for image, label in zip(images, labels, strict=True):
            padded = torch.nn.functional.pad(split.images[label].float(), (1, 1, 1, 1))
            found = [
                (dy, dx)
                for dy in range(3)
                for dx in range(3)
                if torch.equal(image, padded[:, dy : dy + 8, dx : dx + 8])
            ]
            assert len(found) == 1
            shifts.update(found)
    assert len(shifts) == 9


def test_black_borders_are_black_after_normalisation():
    images = torch.full((32, 1, 8, 8), 200, dtype=torch.uint8)
    split = OnDevice(images, torch.zeros(32).long(), torch.tensor([100.0]), torch.tensor([50.0]))
    ((cropped, _),) = split.epoch(32, CPU, seeded(), "crop")
    assert set(cropped.unique().tolist()) == {-2.0, 2.0}


@pytest.mark.parametrize("augment", ["none", "flip"])
def test_both_storages_hand_out_the_same_numbers(monkeypatch, augment):
    small, large = pictures(), pictures()
    kept_as_float = [torch.cat([x for x, _ in small.epoch(16, CPU, seeded(), augment)])]
    kept_as_float += [x for x, _ in small.batches(64, CPU)]
    monkeypatch.setattr(on_device, "FLOAT_LIMIT_BYTES", 0)
    by_the_batch = [torch.cat([x for x, _ in large.epoch(16, CPU, seeded(), augment)])]
    by_the_batch += [x for x, _ in large.batches(64, CPU)]
    assert all(map(torch.equal, kept_as_float, by_the_batch))


def test_writing_into_a_batch_does_not_reach_the_dataset():
    split = pictures()
    for images, labels in [*split.batches(16, CPU), *split.epoch(64, CPU, seeded())]:
        images.zero_()
        labels.zero_()
    assert all(int(x.count_nonzero()) == x.numel() for x, _ in split.batches(16, CPU))
    assert torch.cat([y for _, y in split.batches(16, CPU)]).tolist() == list(range(64))


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_statistics_are_those_of_the_pixels(kind):
    images = torch.randint(0, 256, (50, 3, 6, 5), generator=seeded()).to(kind)
    images[:, 2] = 7
    mean, std = channel_statistics(images)
    torch.testing.assert_close(mean, images.double().mean((0, 2, 3)).float())
    torch.testing.assert_close(std[:2], images.double().std((0, 2, 3), correction=0)[:2].float())
    assert std[2] == 1


def test_an_unknown_augmentation_lists_what_is_near():
    with pytest.raises(SparsebenchError, match="did you mean 'flip'"):
        next(numbered(4).epoch(2, CPU, seeded(), "flipp"))


def test_a_model_may_work_in_place_on_its_batch_with_gradients():
    split = OnDevice(torch.rand(8, 1, 2, 2), torch.arange(8), torch.zeros(1), torch.ones(1))
    scale = torch.nn.Parameter(torch.ones(2))
    for images, _ in split.epoch(4, torch.device("cpu"), torch.Generator().manual_seed(0)):
        images.mul_(scale).sum().backward()
    assert scale.grad is not None
    assert torch.allclose(scale.grad, split.images.sum((0, 1, 2)))
