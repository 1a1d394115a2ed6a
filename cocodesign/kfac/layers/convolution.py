"""The maps of convolutions, in any number of dimensions, and of transposed ones.

Patches are rows whose features are ordered ``kernel positions, channels``: with the
channels last a patch is a few contiguous pieces of the picture, and a channels-last
weight is a matrix without a copy.

Source: Grosse & Martens (2016), arXiv:1602.01407, Section 3. Groups are independent
layers, each with its own factors; transposed convolutions are written as convolutions
of the picture with zeros between its elements.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from cocodesign.kfac import factors
from cocodesign.kfac.layers.correlation import correlated_moment, is_faster
from cocodesign.kfac.layers.patches import unfolded

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
TransposedConvolution = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d


class ConvolutionMap:
    """The weight of a convolution: one matrix for each group.

    Args:
        module: The layer.
    """

    def __init__(self, module: Convolution) -> None:
        self.num_groups = module.groups
        self._module = module

    def input_moment(
        self, x: Float[Tensor, "batch channels ..."], *, has_bias: bool
    ) -> Float[Tensor, "*groups d_in d_in"]:
        """Return ``Σ ā āᵀ`` over all patches, in the way that is faster here."""
        picture, module = self._picture(x), self._module
        window = module.kernel_size, module.stride, module.dilation
        if self.num_groups == 1 and is_faster(picture.shape, *window):
            return correlated_moment(picture, *window, has_bias=has_bias)
        rows = self._patches(picture)
        return factors.second_moment(rows.flatten(-3, -2), has_bias=has_bias)

    def input_rows(
        self, x: Float[Tensor, "batch channels ..."]
    ) -> Float[Tensor, "*groups batch shared features"]:
        """Return the patches, without the homogeneous coordinate of the bias."""
        return self._patches(self._picture(x))

    def gradient_rows(
        self, gradient: Float[Tensor, "batch channels ..."], x: Float[Tensor, "..."]
    ) -> Float[Tensor, "*groups batch shared features"]:
        """Return the gradient at every position. May share memory with it."""
        del x  # an embedding needs it
        return _channels_last(gradient.flatten(2).transpose(1, 2), self.num_groups)

    def as_matrix(
        self, weight: Float[Tensor, "channels_out channels ..."]
    ) -> Float[Tensor, "*groups d_out features"]:
        """Order a weight or its gradient as the patches are; a view if it can be."""
        matrix = weight.movedim(1, -1).flatten(1)
        if self.num_groups == 1:
            return matrix
        return matrix.unflatten(0, (self.num_groups, -1))

    def like_weight(
        self,
        matrix: Float[Tensor, "*groups d_out features"],
        weight: Float[Tensor, "channels_out channels ..."],
    ) -> Float[Tensor, "channels_out channels ..."]:
        """Undo ``as_matrix``; a view."""
        if self.num_groups > 1:
            matrix = matrix.flatten(0, 1)
        return matrix.unflatten(1, (*weight.shape[2:], weight.shape[1])).movedim(-1, 1)

    def _picture(self, x: Tensor) -> Float[Tensor, "batch ... channels"]:
        module = self._module
        margins = [_margin(module, axis) for axis in range(len(module.kernel_size))]
        amounts = [amount for margin in reversed(margins) for amount in margin]
        if any(amounts):
            zeros = module.padding_mode == "zeros"
            mode = "constant" if zeros else module.padding_mode
            x = functional.pad(x, amounts, mode=mode)
        return x.movedim(1, -1).contiguous()

    def _patches(self, picture: Tensor) -> Tensor:
        module = self._module
        patches = unfolded(picture, module.kernel_size, module.stride, module.dilation)
        return _rows(patches, len(module.kernel_size), self.num_groups)


class TransposedConvolutionMap:
    """The weight of a transposed convolution: one matrix for each group.

    Args:
        module: The layer, called without ``output_size``.
    """

    def __init__(self, module: TransposedConvolution) -> None:
        self.num_groups = module.groups
        self._module = module

    def input_moment(
        self, x: Float[Tensor, "batch channels ..."], *, has_bias: bool
    ) -> Float[Tensor, "*groups d_in d_in"]:
        """Return ``Σ ā āᵀ`` over all patches."""
        rows = self.input_rows(x).flatten(-3, -2)
        return factors.second_moment(rows, has_bias=has_bias)

    def input_rows(
        self, x: Float[Tensor, "batch channels ..."]
    ) -> Float[Tensor, "*groups batch shared features"]:
        """Return what each output position is computed from, mostly zeros."""
        module = self._module
        num_axes = len(module.kernel_size)
        spread_sizes = [
            (size - 1) * module.stride[axis] + 1
            for axis, size in enumerate(x.shape[2:])
        ]
        spread = x.new_zeros(*x.shape[:2], *spread_sizes)
        spread[(..., *(slice(None, None, step) for step in module.stride))] = x
        amounts: list[int] = []
        for axis in reversed(range(num_axes)):
            reach = module.dilation[axis] * (module.kernel_size[axis] - 1)
            padding = module.padding[axis]
            assert isinstance(padding, int)
            before = reach - padding
            amounts += [before, before + module.output_padding[axis]]
        picture = functional.pad(spread, amounts).movedim(1, -1).contiguous()
        ones = (1,) * num_axes
        patches = unfolded(picture, module.kernel_size, ones, module.dilation)
        return _rows(patches, num_axes, self.num_groups)

    def gradient_rows(
        self, gradient: Float[Tensor, "batch channels ..."], x: Float[Tensor, "..."]
    ) -> Float[Tensor, "*groups batch shared features"]:
        """Return the gradient at every position. May share memory with it."""
        del x  # an embedding needs it
        return _channels_last(gradient.flatten(2).transpose(1, 2), self.num_groups)

    def as_matrix(
        self, weight: Float[Tensor, "channels channels_out ..."]
    ) -> Float[Tensor, "*groups d_out features"]:
        """Order a weight, or its gradient, as the patches are ordered."""
        kernel_axes = tuple(range(2, weight.ndim))
        weight = weight.flip(kernel_axes)  # o = i·stride + k·dilation - padding
        weight = weight.unflatten(0, (self.num_groups, -1))
        # -> group, output channel, kernel positions, input channel
        matrix = weight.movedim(1, -1).flatten(2)
        return matrix.squeeze(0) if self.num_groups == 1 else matrix

    def like_weight(
        self,
        matrix: Float[Tensor, "*groups d_out features"],
        weight: Float[Tensor, "channels channels_out ..."],
    ) -> Float[Tensor, "channels channels_out ..."]:
        """Undo ``as_matrix``."""
        if self.num_groups == 1:
            matrix = matrix.unsqueeze(0)
        sizes = (*weight.shape[2:], len(weight) // self.num_groups)
        grouped = matrix.unflatten(2, sizes).movedim(-1, 1)
        return grouped.flatten(0, 1).flip(tuple(range(2, weight.ndim)))


def _rows(patches: Tensor, num_axes: int, num_groups: int) -> Tensor:
    """Flatten positions and kernel of an unfolded picture; the one copy of it."""
    num_shared = patches.shape[1 : 1 + num_axes].numel()
    if num_groups == 1:
        return patches.reshape(len(patches), num_shared, -1)
    channels = patches.shape[-1]
    apart = patches.unflatten(-1, (num_groups, channels // num_groups)).movedim(-2, 0)
    return apart.reshape(num_groups, len(patches), num_shared, -1)


def _channels_last(rows: Tensor, num_groups: int) -> Tensor:
    if num_groups == 1:
        return rows
    return rows.unflatten(2, (num_groups, -1)).movedim(2, 0)


def _margin(module: Convolution, axis: int) -> tuple[int, int]:
    """Return the padding before and after, resolving ``'same'`` and ``'valid'``."""
    if module.padding == "valid":
        return 0, 0
    if module.padding == "same":
        total = module.dilation[axis] * (module.kernel_size[axis] - 1)
        return total // 2, total - total // 2  # torch puts the odd one after
    padding = module.padding[axis]
    assert isinstance(padding, int)
    return padding, padding
