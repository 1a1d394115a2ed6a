"""Subsets and conversions of labelled images."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.data import ImageClassification
from cocodesign.data.images import LabelledImages


def make_images(labels, channels=1):
    """Make images that carry their own index in each pixel."""
    index = torch.arange(len(labels), dtype=torch.uint8)
    images = index[:, None, None, None].expand(-1, channels, 2, 3).contiguous()
    return LabelledImages(images, torch.tensor(labels, dtype=torch.int64))


def test_refuses_images_without_labels():
    images = make_images([0, 1, 2])
    with pytest.raises((ValueError, TypeError)):
        LabelledImages(images.images, images.labels[:2])


def test_the_first_ones_keep_their_order_and_memory():
    data = make_images([3, 1, 2])
    first = data.first(2)
    assert first.labels.tolist() == [3, 1]
    assert first.images.data_ptr() == data.images.data_ptr()


@given(
    counts=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    fraction=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_a_balanced_subset_is_as_balanced_as_can_be(counts, fraction, seed):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    num = int(fraction * len(labels))
    data = make_images(labels)
    subset = data.balanced_subset(num, torch.Generator().manual_seed(seed))
    taken = torch.bincount(subset.labels, minlength=len(counts)).tolist()
    assert sum(taken) == len(subset) == num
    # A class that gave less than another by two or more had no more to give.
    assert all(
        count == had
        for count, had in zip(taken, counts, strict=True)
        if count < max(taken) - 1
    )
    index = subset.images[:, 0, 0, 0].tolist()
    assert index == sorted(set(index))
    assert [labels[each] for each in index] == subset.labels.tolist()


def test_a_subset_depends_on_the_generator_only():
    data = make_images([0, 1] * 50)
    draws = [
        data.balanced_subset(10, torch.Generator().manual_seed(seed)).images.tolist()
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("num", [-1, 4])
def test_refuses_more_images_than_there_are(num):
    data = make_images([0, 1, 2])
    with pytest.raises(ValueError, match=f"num is {num}, but there are 3"):
        data.first(num)
    with pytest.raises(ValueError, match=f"num is {num}, but there are 3"):
        data.balanced_subset(num, torch.Generator())


@pytest.mark.parametrize("channels", [1, 3])
def test_statistics_are_those_of_the_pixels(channels):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (20, channels, 7, 5), generator=generator)
    data = LabelledImages(pixels.to(torch.uint8), torch.zeros(20, dtype=torch.int64))
    mean, std = data.channel_statistics()
    values = pixels.double() / 255
    torch.testing.assert_close(mean, values.mean((0, 2, 3)))
    torch.testing.assert_close(std, values.std((0, 2, 3), correction=0))


def test_normalises_both_splits_by_the_training_split():
    train, test = make_images([0, 1, 0, 1], channels=2), make_images([1], channels=2)
    data = ImageClassification("toy", train, test, ("a", "b"))
    x_train, x_test = data.normalised()
    values = torch.tensor([0.0, 1.0, 2.0, 3.0])
    expected = (values - 1.5) / 1.25**0.5
    torch.testing.assert_close(x_train[:, 1, 1, 2], expected)
    torch.testing.assert_close(x_test, torch.full((1, 2, 2, 3), expected[0].item()))
    assert x_train.dtype == torch.float32
    assert data.num_classes == 2


def test_refuses_a_constant_channel():
    constant = LabelledImages(
        torch.full((2, 1, 2, 2), 7, dtype=torch.uint8), torch.tensor([0, 1])
    )
    with pytest.raises(ValueError, match="std must be positive"):
        ImageClassification("toy", constant, constant, ("a", "b")).normalised()


def test_no_images_have_no_statistics():
    with pytest.raises(ValueError, match="no pixels"):
        make_images([0]).first(0).channel_statistics()
