"""From files to tensors."""

import dataclasses

import pytest
import torch

from cocodesign.data import fetch_dataset, load_dataset
from cocodesign.errors import DataFormatError, DataUnavailableError


def idx(code, shape, elements):
    sizes = b"".join(size.to_bytes(4, "big") for size in shape)
    return bytes([0, 0, code, len(shape)]) + sizes + bytes(elements)


@pytest.fixture
def digits():
    """The four files of a tiny data set with two classes."""
    return {
        "train-images-idx3-ubyte": idx(8, (3, 2, 2), range(12)),
        "train-labels-idx1-ubyte": idx(8, (3,), [1, 0, 1]),
        "t10k-images-idx3-ubyte": idx(8, (1, 2, 2), [9, 8, 7, 6]),
        "t10k-labels-idx1-ubyte": idx(8, (1,), [0]),
    }


@pytest.fixture
def make_digits(make_manifest, server):
    """Return a function that serves the files under a manifest with a reader."""

    def make(contents, reader="idx_images"):
        manifest = make_manifest(server.serve(contents), contents=contents)
        return dataclasses.replace(manifest, reader=reader, class_names=("a", "b"))

    return make


def test_reads_images_and_labels_of_both_splits(make_digits, digits):
    data = load_dataset(make_digits(digits))
    assert data.train.images.tolist()[2] == [[[8, 9], [10, 11]]]
    assert data.train.labels.tolist() == [1, 0, 1]
    assert data.test.images.shape == (1, 1, 2, 2)
    assert (data.name, data.class_names) == ("toy", ("a", "b"))


def test_without_permission_nothing_is_downloaded(make_digits, digits, server):
    manifest = make_digits(digits)
    with pytest.raises(DataUnavailableError, match="cocodesign data fetch toy"):
        load_dataset(manifest, download=False)
    assert not server.requests
    fetch_dataset(manifest)
    assert len(load_dataset(manifest, download=False).train) == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-labels-idx1-ubyte", idx(8, (2,), [0, 1]), "3 images, 2 labels"),
        ("train-labels-idx1-ubyte", idx(8, (3,), [0, 1, 2]), "labels from 0 to 2"),
        ("train-labels-idx1-ubyte", idx(9, (3,), [0, 1, 255]), "labels from -1 to 1"),
        ("t10k-images-idx3-ubyte", idx(8, (1, 4), range(4)), "expected uint8"),
        ("t10k-images-idx3-ubyte", b"text", "no IDX file"),
    ],
)
def test_refuses_files_that_do_not_fit_together(
    name, content, message, make_digits, digits
):
    with pytest.raises(DataFormatError, match=message):
        load_dataset(make_digits(digits | {name: content}))


def test_refuses_a_data_set_that_is_not_images(make_digits, digits):
    with pytest.raises(ValueError, match="'video', images are read by"):
        load_dataset(make_digits(digits, reader="video"))


@pytest.mark.slow
def test_fashion_mnist_is_what_it_is_known_to_be():
    try:
        data = load_dataset("fashion_mnist")
    except DataUnavailableError as error:
        pytest.skip(f"Fashion-MNIST cannot be fetched here: {error}")
    assert data.train.images.shape == (60_000, 1, 28, 28)
    assert data.test.images.shape == (10_000, 1, 28, 28)
    assert torch.bincount(data.train.labels).tolist() == [6_000] * 10
    assert torch.bincount(data.test.labels).tolist() == [1_000] * 10
    mean, std = data.train.channel_statistics()
    assert mean.item() == pytest.approx(0.2860, abs=5e-5)
    assert std.item() == pytest.approx(0.3530, abs=5e-5)
    x_train, _ = data.normalised()
    assert x_train.double().mean().item() == pytest.approx(0, abs=1e-5)
    assert x_train.double().std().item() == pytest.approx(1, abs=1e-5)
