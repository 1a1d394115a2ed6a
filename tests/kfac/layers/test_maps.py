"""The rows of every layer, multiplied with its matrix, are what the layer computes."""

import pytest
import torch
from torch import Tensor, nn

from cocodesign.kfac.layers import (
    ConvolutionMap,
    LinearMap,
    LookupMap,
    TransposedConvolutionMap,
)
from cocodesign.kfac.layers.correlation import correlated_moment
from tests.tolerances import assert_close

CONVOLUTIONS = {
    "plain": (nn.Conv2d(4, 6, 3), (7, 6)),
    "strided": (nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0)), (7, 6)),
    "dilated": (nn.Conv2d(4, 6, 3, dilation=(2, 1), padding=2), (7, 6)),
    "same": (nn.Conv2d(4, 6, (4, 3), padding="same", dilation=(1, 2)), (7, 6)),
    "valid": (nn.Conv2d(4, 6, 2, padding="valid"), (7, 6)),
    "circular": (nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), (7, 6)),
    "reflect": (nn.Conv2d(4, 6, 3, padding=(2, 1), padding_mode="reflect"), (7, 6)),
    "pointwise": (nn.Conv2d(4, 6, 1), (7, 6)),
    "grouped": (nn.Conv2d(4, 6, 3, groups=2, padding=1), (7, 6)),
    "depthwise": (nn.Conv2d(4, 8, 3, groups=4, stride=2), (7, 6)),
    "one axis": (nn.Conv1d(4, 6, 3, padding=1, dilation=2), (9,)),
    "three axes": (nn.Conv3d(4, 6, (2, 3, 2), stride=(1, 2, 1)), (4, 5, 6)),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, padding=1), (4, 5)),
    "transposed, strided": (
        nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 3), output_padding=(1, 2)),
        (4, 5),
    ),
    "transposed, cropped": (nn.ConvTranspose2d(4, 6, 2, padding=2, dilation=2), (6, 5)),
    "transposed, grouped": (nn.ConvTranspose1d(4, 6, 3, groups=2, stride=2), (5,)),
    "transposed, three axes": (nn.ConvTranspose3d(2, 3, 2, stride=2), (2, 3, 2)),
}


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).double()


def build_map(module: nn.Module) -> ConvolutionMap | TransposedConvolutionMap:
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return ConvolutionMap(module)
    return TransposedConvolutionMap(module)


def example(name: str) -> tuple[nn.Module, Tensor]:
    module, sizes = CONVOLUTIONS[name]
    return module.double(), drawn(2, module.in_channels, *sizes)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even")  # that's meant
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_patches_times_the_weight_matrix_are_the_convolution(name, channels_last):
    module, x = example(name)
    if channels_last and x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    output = module(x)
    weight_map = build_map(module)
    matrix = weight_map.as_matrix(module.weight)
    product = weight_map.input_rows(x) @ (
        matrix.mT if module.groups == 1 else matrix.mT[:, None]
    )
    bias = module.bias.reshape(module.groups, 1, 1, -1)
    rows = weight_map.gradient_rows(output, x)
    assert_close(product + (bias[0] if module.groups == 1 else bias), rows)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even")  # that's meant
@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_the_input_moment_is_that_of_the_patches(name, has_bias):
    module, x = example(name)
    weight_map = build_map(module)
    rows = weight_map.input_rows(x).flatten(-3, -2)
    if has_bias:
        rows = torch.cat([rows, rows.new_ones(*rows.shape[:-1], 1)], -1)
    assert_close(weight_map.input_moment(x, has_bias=has_bias), rows.mT @ rows)


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize(
    ("sizes", "kernel_size", "stride", "dilation"),
    [
        ((9,), (3,), (1,), (1,)),
        ((9,), (3,), (1,), (2,)),
        ((6, 9), (3, 4), (2, 1), (1, 2)),
        ((6, 3), (3, 3), (1, 1), (1, 1)),
        ((4, 5, 6), (2, 3, 2), (1, 2, 1), (1, 1, 3)),
        ((5, 5), (2, 1), (1, 1), (1, 1)),
    ],
)
def test_correlations_give_the_moment_of_the_patches(
    sizes, kernel_size, stride, dilation, has_bias
):
    conv = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[len(sizes)]
    module = conv(3, 2, kernel_size, stride=stride, dilation=dilation)
    x = drawn(4, 3, *sizes)
    rows = ConvolutionMap(module).input_rows(x).flatten(0, 1)
    if has_bias:
        rows = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)
    picture = x.movedim(1, -1).contiguous()
    moment = correlated_moment(
        picture, kernel_size, stride, dilation, has_bias=has_bias
    )
    assert_close(moment, rows.T @ rows)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_like_weight_undoes_as_matrix(name):
    module, _ = example(name)
    weight_map = build_map(module)
    matrix = weight_map.as_matrix(module.weight)
    assert torch.equal(weight_map.like_weight(matrix, module.weight), module.weight)


def test_a_channels_last_weight_becomes_a_matrix_without_a_copy():
    module = nn.Conv2d(3, 4, (2, 5)).to(memory_format=torch.channels_last)
    matrix = ConvolutionMap(module).as_matrix(module.weight)
    assert matrix.data_ptr() == module.weight.data_ptr()


def test_rows_of_a_linear_layer_keep_examples_apart_from_positions():
    x = drawn(2, 5, 3)
    assert torch.equal(LinearMap().input_rows(x), x)
    assert LinearMap().input_rows(x[:, 0]).shape == (2, 1, 3)
    assert LinearMap().gradient_rows(drawn(2, 5, 4), x).shape == (2, 5, 4)


@pytest.mark.parametrize("padding_index", [None, 2])
def test_an_embedding_multiplies_one_hot_rows_but_for_its_padding(padding_index):
    table = nn.Embedding(5, 3, padding_idx=padding_index).double()
    indices = torch.tensor([[0, 2, 2], [4, 0, 1]])
    lookup = LookupMap(5, padding_index, torch.float64)
    product = lookup.input_rows(indices) @ lookup.as_matrix(table.weight).T
    expected = table(indices).detach()
    if padding_index is not None:
        expected[indices == padding_index] = 0
    assert_close(product.detach(), expected)
    counts = lookup.input_moment(indices, has_bias=False)
    assert counts.tolist() == [2, 1, 0 if padding_index == 2 else 2, 0, 1]
    gradient = drawn(2, 3, 3)
    rows = lookup.gradient_rows(gradient, indices)
    is_padding = (indices == padding_index).sum().item() if padding_index else 0
    assert (rows == 0).all(-1).sum() == is_padding
