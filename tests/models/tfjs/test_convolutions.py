"""Pictures with the channels last, against the definitions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cocodesign.models.tfjs import convolutions
from cocodesign.models.tfjs.topology import Node
from tests.references import picture_operations as reference
from tests.tolerances import assert_close


def conv_node(stride: int, dilation: int, *fused: str) -> Node:
    attributes = {
        "padding": "SAME",
        "strides": (1, stride, stride, 1),
        "dilations": (1, dilation, dilation, 1),
        "fused_ops": fused,
    }
    return Node("conv", "_FusedConv2D", attributes=attributes)


def double(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(array, np.float64))


geometries = st.tuples(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 3)
)


@settings(max_examples=30, deadline=None)
@given(geometries, st.integers(1, 2), st.booleans())
def test_same_padding_is_tensorflows(geometry, dilation, depthwise):
    height, width, window, stride = geometry
    random = np.random.default_rng(0)
    x = random.normal(size=(height, width, 2))
    kernel = random.normal(size=(window, window, 2, 3))
    expected = reference.convolve_same(x, kernel, stride, dilation, depthwise=depthwise)
    arrange = (
        convolutions.arrange_depthwise_kernel
        if depthwise
        else convolutions.arrange_kernel
    )
    found = convolutions.convolve(
        conv_node(stride, dilation), double(x)[None], arrange(double(kernel))
    )
    assert_close(found[0], double(expected))


def test_fewer_channels_in_the_kernel_mean_groups():
    x = torch.randn(1, 4, 4, 4, dtype=torch.float64)
    kernel = torch.randn(3, 3, 2, 6, dtype=torch.float64)
    arrange = convolutions.arrange_kernel
    halves = [
        convolutions.convolve(conv_node(1, 1), x[..., part], arrange(kernel[..., out]))
        for part, out in ((slice(0, 2), slice(0, 3)), (slice(2, 4), slice(3, 6)))
    ]
    whole = convolutions.convolve(conv_node(1, 1), x, arrange(kernel))
    assert_close(whole, torch.cat(halves, 3))


@pytest.mark.parametrize(
    ("fused", "expected"),
    [
        (("BiasAdd",), [-3.0, 10.0]),
        (("BiasAdd", "Relu"), [0.0, 10.0]),
        (("BiasAdd", "Relu6"), [0.0, 6.0]),
        (("BiasAdd", "LeakyRelu"), [-0.6, 10.0]),
        (("BiasAdd", "Prelu"), [-1.5, 10.0]),
    ],
)
def test_fused_activations_follow_the_bias(fused, expected):
    x = torch.tensor([[[[1.0, 1.0]]]], dtype=torch.float64)
    kernel = torch.diag(torch.tensor([-4.0, 9.0], dtype=torch.float64))[
        :, :, None, None
    ]
    added = [torch.ones(2, dtype=torch.float64), torch.full((2,), 0.5)]
    found = convolutions.convolve_fused(conv_node(1, 1, *fused), x, kernel, *added)
    assert found.flatten().tolist() == pytest.approx(expected)


def test_refuses_to_fuse_what_it_does_not_know():
    x = torch.ones(1, 1, 1, 1)
    with pytest.raises(ValueError, match="'Mish' cannot be fused"):
        convolutions.convolve_fused(conv_node(1, 1, "Mish"), x, torch.ones(1, 1, 1, 1))


@settings(max_examples=20, deadline=None)
@given(geometries)
def test_average_pooling_does_not_count_padding(geometry):
    height, width, window, stride = geometry
    x = np.random.default_rng(1).normal(size=(height, width, 2))
    window = max(window, stride)  # else windows leave gaps, of which nothing is asked
    attributes = {
        "padding": "SAME",
        "ksize": (1, window, window, 1),
        "strides": (1, stride, stride, 1),
    }
    found = convolutions.average_pool(
        Node("pool", "AvgPool", attributes=attributes), double(x)[None]
    )
    assert_close(found[0], double(reference.average_same(x, window, stride)))


def test_padding_never_wins_a_maximum():
    attributes = {"padding": "SAME", "ksize": (1, 2, 2, 1), "strides": (1, 2, 2, 1)}
    x = -torch.ones(1, 3, 3, 1)
    found = convolutions.max_pool(Node("pool", "MaxPool", attributes=attributes), x)
    assert found.flatten().tolist() == [-1.0] * 4


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.integers(1, 7)] * 4))
def test_the_oldest_resizing_places_pixels_by_their_corners(sizes):
    x = np.random.default_rng(2).normal(size=(*sizes[:2], 2))
    found = convolutions.resize_bilinear(
        Node("resize", "ResizeBilinear"), double(x)[None], list(sizes[2:])
    )
    assert_close(found[0], double(reference.resize_by_corners(x, *sizes[2:])))


def test_the_newer_resizings_are_pytorchs():
    x = torch.arange(4.0).reshape(1, 2, 2, 1)
    corners = Node("r", "ResizeBilinear", attributes={"align_corners": True})
    centres = Node("r", "ResizeBilinear", attributes={"half_pixel_centers": True})
    found = convolutions.resize_bilinear(corners, x, [1, 4]).flatten().tolist()
    assert found == pytest.approx([0, 1 / 3, 2 / 3, 1])
    found = convolutions.resize_bilinear(centres, x, [2, 4])[0, 0].flatten().tolist()
    assert found == pytest.approx([0, 0.25, 0.75, 1])


def test_depth_to_space_keeps_blocks_together():
    x = torch.arange(8.0).reshape(1, 1, 2, 4)
    node = Node("d", "DepthToSpace", attributes={"block_size": 2})
    found = convolutions.depth_to_space(node, x)
    assert found[0, :, :, 0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7]]
