"""Rearranging, reducing and comparing, through small graphs."""

import numpy as np
import pytest
import torch

from cocodesign.models import GraphModel
from tests.models.conftest import node, placeholder

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 7


def ints(*values):
    return np.array(values, np.int32)


@pytest.fixture
def compute(write_graph):
    """Return a function that applies one operation to ``X``."""

    def apply(op, *constants, after=True, **attributes):
        named = {f"c{place}": np.asarray(each) for place, each in enumerate(constants)}
        inputs = ["x", *named] if after else [*named, "x"]
        nodes = [placeholder("x", *X.shape), node("y", op, *inputs, **attributes)]
        outputs = [f"y:{index}" for index in range(attributes.get("num", 1))]
        model = GraphModel.load(write_graph(nodes, named, outputs))
        return [each.numpy() for each in model(torch.from_numpy(X))]

    return apply


@pytest.mark.parametrize(
    ("op", "constants", "attributes", "expected"),
    [
        ("Transpose", [ints(2, 0, 1)], {}, X.transpose(2, 0, 1)),
        ("Pad", [ints([0, 0], [1, 2], [0, 3])], {},
         np.pad(X, ((0, 0), (1, 2), (0, 3)))),
        ("PadV2", [ints([1, 0], [0, 0], [0, 0]), np.float32(9)], {},
         np.pad(X, ((1, 0), (0, 0), (0, 0)), constant_values=9)),
        ("StridedSlice", [ints(0, 1, 3), ints(0, 3, 4), ints(1, 1, 2)],
         {"begin_mask": 4, "shrink_axis_mask": 1}, X[0, 1:3, :4:2]),
        ("StridedSlice", [ints(0, 0), ints(0, 2), ints(1, 1)],
         {"new_axis_mask": 1}, X[None, :2]),
        ("Slice", [ints(1, 0, 1), ints(-1, 2, 2)], {}, X[1:, :2, 1:3]),
        ("GatherV2", [ints([2, 0], [1, 1]), np.int32(1)], {}, X[:, [[2, 0], [1, 1]]]),
        ("GatherNd", [ints([1, 2], [0, 0])], {}, X[[1, 0], [2, 0]]),
        ("ExpandDims", [np.int32(-1)], {}, X[..., None]),
        ("Tile", [ints(1, 2, 1)], {}, np.tile(X, (1, 2, 1))),
        ("Mean", [ints(0, 2)], {"keep_dims": True}, X.mean((0, 2), keepdims=True)),
        ("Sum", [np.int32(1)], {}, X.sum(1)),
        ("Max", [ints(2)], {}, X.max(2)),
        ("Min", [ints(2)], {}, X.min(2)),
        ("ArgMax", [np.int32(1)], {}, X.argmax(1)),
        ("FloorMod", [np.float32(5)], {}, X % 5),
        ("SquaredDifference", [np.float32(2)], {}, (X - 2) ** 2),
        ("LeakyRelu", [], {"alpha": 0.1}, np.where(X > 0, X, X * np.float32(0.1))),
        ("Prelu", [np.float32([1, 2, 3, 4])], {}, np.where(X > 0, X, X * [1, 2, 3, 4])),
        ("Cast", [], {"DstT": "DT_INT32"}, X.astype(np.int32)),
        ("Greater", [np.float32(0)], {}, X > 0),
        ("AddN", [np.float32([1, 2, 3, 4])], {}, X + np.arange(1, 5)),
        ("Size", [], {}, np.int32(24)),
    ],
    ids=str,
)  # fmt: skip
def test_equals_numpy(op, constants, attributes, expected, compute):
    (found,) = compute(op, *constants, **attributes)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_unstacks_and_splits_into_several_results(compute):
    first, second = compute("Unpack", axis=0, num=2)
    np.testing.assert_array_equal(np.stack([first, second]), X)
    one, two = compute("SplitV", ints(1, -1), np.int32(2), num=2)
    np.testing.assert_array_equal(np.concatenate([one, two], 2), X)
    assert one.shape == (2, 3, 1)


def test_the_largest_elements_come_sorted_with_their_places(compute):
    values, places = compute("TopKV2", np.int32(2), num=2)
    np.testing.assert_array_equal(places, np.broadcast_to([3, 2], places.shape))
    np.testing.assert_array_equal(values, X[..., [3, 2]])


def test_a_selection_by_fewer_axes_takes_whole_slices(compute):
    (found,) = compute("Select", np.array([True, False]), X + 100, after=False)
    np.testing.assert_array_equal(found, np.stack([X[0] + 100, X[1]]))


def test_refuses_to_slice_backwards(compute):
    with pytest.raises(ValueError, match="y slices backwards"):
        compute("StridedSlice", ints(0), ints(2), ints(-1))


def test_writes_values_into_a_constant_tensor(write_graph):
    constants = {
        "places": ints([0], [2]),
        "shape": ints(4),
        "values": np.float32([5, 6]),
        "rest": np.float32(1),
    }
    nodes = [placeholder("x", 4), node("dense", "SparseToDense", *constants)]
    nodes += [node("y", "Mul", "x", "dense")]
    (found,) = GraphModel.load(write_graph(nodes, constants, ["y"]))(torch.ones(4))
    assert found.tolist() == [5, 1, 6, 1]
