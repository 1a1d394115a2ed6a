import pytest
import torch
from torch import Tensor, nn

from cocodesign.kfac import layers
from tests.tolerances import assert_close

CONVOLUTIONS = {
    "plain": nn.Conv2d(3, 4, 3),
    "strided": nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0)),
    "dilated": nn.Conv2d(3, 4, 3, dilation=(2, 1), padding=2),
    "same": nn.Conv2d(3, 4, (4, 3), padding="same", dilation=(1, 2)),
    "valid": nn.Conv2d(3, 4, 2, padding="valid"),
    "circular": nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"),
    "reflect": nn.Conv2d(3, 4, 3, padding=(2, 1), padding_mode="reflect"),
    "pointwise": nn.Conv2d(3, 4, 1),
}


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even")  # that's meant
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_rows_times_the_weight_matrix_are_the_convolution(name, channels_last):
    module = CONVOLUTIONS[name].double()
    x = drawn(2, 3, 7, 8).double()
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    output = module(x)
    rows = layers.input_rows(module, x)
    product = rows @ layers.as_matrix(module.weight).T + module.bias
    assert_close(product, layers.gradient_rows(module, output))


def test_rows_of_a_linear_layer_keep_examples_apart_from_positions():
    x = drawn(2, 5, 3)
    module = nn.Linear(3, 4)
    assert layers.input_rows(module, x).shape == (2, 5, 3)
    assert layers.input_rows(module, x[:, 0]).shape == (2, 1, 3)
    assert torch.equal(layers.input_rows(module, x), x)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2, 5)])
def test_like_weight_undoes_as_matrix(shape):
    weight = drawn(*shape)
    matrix = layers.as_matrix(weight)
    assert torch.equal(layers.like_weight(matrix, weight), weight)


def test_a_channels_last_weight_becomes_a_matrix_without_a_copy():
    weight = drawn(4, 3, 2, 5).contiguous(memory_format=torch.channels_last)
    assert layers.as_matrix(weight).data_ptr() == weight.data_ptr()


def test_only_exact_types_in_one_group_are_kronecker_layers():
    class Scaled(nn.Linear):
        pass

    assert layers.is_kronecker_layer(nn.Linear(2, 2))
    assert layers.is_kronecker_layer(nn.Conv2d(2, 2, 1))
    assert not layers.is_kronecker_layer(nn.Conv2d(2, 2, 1, groups=2))
    assert not layers.is_kronecker_layer(nn.Conv1d(2, 2, 1))
    assert not layers.is_kronecker_layer(Scaled(2, 2))
    assert layers.is_unit_wise_layer(nn.BatchNorm2d(2))
    assert not layers.is_unit_wise_layer(nn.BatchNorm1d(2, affine=False))
