"""A layer's inputs and output gradients as rows.

Every weight-sharing layer is a linear map applied to rows. Notation:

* ``N`` is the number of examples, ``T`` the number of positions that share the
  weights (1 for a plain linear layer, height times width of a convolution's output);
* rows have the axes ``batch shared features``;
* a convolution's input features are ordered ``kernel_height kernel_width channels``:
  with the channels last, a patch is a few contiguous pieces of the picture, and a
  channels-last weight is a matrix without a copy.

Source: Grosse & Martens (2016), arXiv:1602.01407, Section 3.
"""

from typing import TypeGuard

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

KroneckerLayer = nn.Linear | nn.Conv2d
UnitWiseLayer = nn.BatchNorm1d | nn.BatchNorm2d


def is_kronecker_layer(module: nn.Module) -> TypeGuard[KroneckerLayer]:
    """Tell whether a module's Fisher block is a Kronecker product of one A and one G.

    A subclass may compute anything, so only the exact types count.

    Args:
        module: Any module.

    Returns:
        True for a linear layer and for a two-dimensional convolution in one group.
    """
    if type(module) is nn.Conv2d:
        return module.groups == 1
    return type(module) is nn.Linear


def is_unit_wise_layer(module: nn.Module) -> TypeGuard[UnitWiseLayer]:
    """Tell whether a module scales and shifts each channel of a normalised batch."""
    return type(module) in (nn.BatchNorm1d, nn.BatchNorm2d) and bool(module.affine)


def input_rows(
    module: KroneckerLayer, x: Float[Tensor, "batch ..."]
) -> Float[Tensor, "batch shared features"]:
    """Return what the layer's weight matrix is multiplied with.

    Args:
        module: The layer.
        x: Its input, with the batch axis.

    Returns:
        The inputs of a linear layer, or a convolution's patches, without the
        homogeneous coordinate of the bias. May share memory with ``x``.
    """
    if isinstance(module, nn.Conv2d):
        return _patches(module, x)
    return x.reshape(len(x), -1, module.in_features)


def gradient_rows(
    module: KroneckerLayer, gradient: Float[Tensor, "batch ..."]
) -> Float[Tensor, "batch shared features"]:
    """Return the gradients with respect to what the weight matrix produces.

    Args:
        module: The layer.
        gradient: The gradient with respect to its output.

    Returns:
        One row per example and position. May share memory with ``gradient``.
    """
    if isinstance(module, nn.Conv2d):
        return gradient.flatten(2).transpose(1, 2)
    return gradient.reshape(len(gradient), -1, module.out_features)


def as_matrix(
    weight: Float[Tensor, "d_out ..."],
) -> Float[Tensor, "d_out features"]:
    """Order a weight, or its gradient, as the rows are ordered.

    Args:
        weight: The weight of a linear layer or a two-dimensional convolution.

    Returns:
        A matrix; it shares memory with ``weight`` where the order allows it.
    """
    if weight.ndim == 2:
        return weight
    return weight.permute(0, 2, 3, 1).flatten(1)


def like_weight(
    matrix: Float[Tensor, "d_out features"], weight: Float[Tensor, "d_out ..."]
) -> Float[Tensor, "d_out ..."]:
    """Undo ``as_matrix``.

    Args:
        matrix: What ``as_matrix`` gave for a tensor of the weight's shape.
        weight: Any tensor of the shape to return.

    Returns:
        A view of ``matrix``.
    """
    if weight.ndim == 2:
        return matrix
    _, channels, height, width = weight.shape
    return matrix.unflatten(1, (height, width, channels)).permute(0, 3, 1, 2)


def _patches(
    module: nn.Conv2d, x: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch shared features"]:
    padded = _padded(module, x).permute(0, 2, 3, 1).contiguous()
    num_examples, height, width, channels = padded.shape
    out_height = _num_positions(module, height, 0)
    out_width = _num_positions(module, width, 1)
    batch_stride, row_stride, column_stride, channel_stride = padded.stride()
    # Every patch is a view into the padded picture; the one copy is at the end.
    patches = padded.as_strided(
        (num_examples, out_height, out_width, *module.kernel_size, channels),
        (
            batch_stride,
            row_stride * module.stride[0],
            column_stride * module.stride[1],
            row_stride * module.dilation[0],
            column_stride * module.dilation[1],
            channel_stride,
        ),
    )
    return patches.reshape(num_examples, out_height * out_width, -1)


def _num_positions(module: nn.Conv2d, padded_size: int, axis: int) -> int:
    reach = module.dilation[axis] * (module.kernel_size[axis] - 1)
    return (padded_size - reach - 1) // module.stride[axis] + 1


def _padded(module: nn.Conv2d, x: Tensor) -> Tensor:
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    (top, bottom), (left, right) = (_padding(module, axis) for axis in (0, 1))
    if not any((top, bottom, left, right)):
        return x
    return functional.pad(x, (left, right, top, bottom), mode=mode)


def _padding(module: nn.Conv2d, axis: int) -> tuple[int, int]:
    """Return the padding before and after, resolving ``'same'`` and ``'valid'``."""
    if module.padding == "valid":
        return 0, 0
    if module.padding == "same":
        total = module.dilation[axis] * (module.kernel_size[axis] - 1)
        return total // 2, total - total // 2  # torch puts the odd one after
    padding = module.padding[axis]
    assert isinstance(padding, int)
    return padding, padding
