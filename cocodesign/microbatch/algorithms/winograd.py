"""Winograd's minimal filtering, nested over one or two axes."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.microbatch.algorithms.algorithm import UNIT_ROUNDOFF
from cocodesign.microbatch.algorithms.direct import sum_length
from cocodesign.microbatch.algorithms.tiles import (
    image_to_tiles,
    strip_shape,
    tiles_to_image,
)
from cocodesign.microbatch.algorithms.toom_cook import minimal_filter
from cocodesign.microbatch.algorithms.transformed import (
    FILTERS_AT_ONCE,
    TransformedMap,
    TransformedSum,
    domain_bytes,
    fits_transform,
)
from cocodesign.microbatch.problem import DIRECTIONS, ConvProblem, Direction

_LARGEST_TILE = 8

Matrices = tuple[np.ndarray, np.ndarray]


class Winograd:
    """F(m, r) on each axis: fewer products, more additions and larger errors.

    The larger the tile, the fewer products and the larger the errors; F(2, 3) takes
    1/2.25 of the definition's products and F(4, 3) a quarter. It fits windows of 2 to
    5 on one or two axes without stride or dilation, in one group.

    Source: Lavin & Gray (2016), arXiv:1509.09308, Section 4. Different here: the data
    gradient is the transpose of the forward pass, not a pass of its own with flipped
    filters, so that both share one transformed filter.

    Args:
        tile_outputs: m, the outputs of a tile on each axis that has a window.
    """

    def __init__(self, tile_outputs: int) -> None:
        self._tile_outputs = tile_outputs

    @property
    def name(self) -> str:
        """The name in plans, such as ``winograd4``."""
        return f"winograd{self._tile_outputs}"

    def supports(self, problem: ConvProblem, direction: Direction) -> bool:  # noqa: ARG002 (all or none)
        """Say whether the windows are small and plain."""
        return (
            fits_transform(problem)
            and problem.num_axes <= 2
            and max(problem.kernel_size) > 1
            and max(problem.kernel_size) + self._tile_outputs - 1 <= _LARGEST_TILE
        )

    def workspace_bytes(
        self,
        problem: ConvProblem,
        direction: Direction,  # noqa: ARG002 (all take the same)
        micro_batch_size: int,
    ) -> int:
        """Return the bytes of the transformed filter, of all tiles and of a strip."""
        domain = WinogradDomain(problem, self._tile_outputs)
        return domain_bytes(domain, problem, micro_batch_size)

    def error_bound(self, problem: ConvProblem, direction: Direction) -> float:
        """Return the amplification of rounding errors, axis by axis."""
        domain = WinogradDomain(problem, self._tile_outputs)
        index = DIRECTIONS.index(direction)
        growth = math.prod(each.amplification()[index] for each in domain.filters)
        window = math.prod(problem.kernel_size)
        length = sum_length(problem, direction)
        if direction == "backward_filter":
            length /= math.prod(each.num_outputs for each in domain.filters)
        else:
            length /= window
        # Three transforms of as many additions as a tile is wide, on each axis.
        additions = sum(3 * each.tile_size for each in domain.filters)
        return growth * (length + additions) * UNIT_ROUNDOFF[problem.dtype]

    def map_kernel(
        self,
        problem: ConvProblem,
        direction: Direction,
        micro_batch_size: int,
        w: Float[Tensor, "..."],
    ) -> TransformedMap:
        """Prepare forward or backward_data: transform the filter."""
        domain = WinogradDomain(problem, self._tile_outputs)
        return TransformedMap(domain, problem, direction, micro_batch_size, w)

    def sum_kernel(
        self, problem: ConvProblem, micro_batch_size: int, like: Float[Tensor, "..."]
    ) -> TransformedSum:
        """Prepare backward_filter."""
        domain = WinogradDomain(problem, self._tile_outputs)
        return TransformedSum(domain, problem, micro_batch_size, like.device)


class WinogradDomain:
    """The tiles of one problem; a picture of one axis counts as one row.

    Args:
        problem: The sizes.
        tile_outputs: m, on each axis that has a window.
    """

    def __init__(self, problem: ConvProblem, tile_outputs: int) -> None:
        missing = 2 - problem.num_axes
        kernel = (1,) * missing + problem.kernel_size
        output = (1,) * missing + problem.output_size
        self.filters = tuple(
            minimal_filter(tile_outputs if extent > 1 else 1, extent)
            for extent in kernel
        )
        self._step = tuple(each.num_outputs for each in self.filters)
        top, left = (0,) * missing + problem.padding
        self._origin = (-top, -left)
        self._grid = tuple(
            -(-size // step) for size, step in zip(output, self._step, strict=True)
        )
        self._channels = (problem.in_channels, problem.out_channels)
        self._weight_shape = problem.weight_shape
        self._numpy_type = np.dtype(problem.dtype)
        self.dtype = getattr(torch, problem.dtype)
        self.tiles_per_image = math.prod(self._grid)
        self._tile = tuple(each.tile_size for each in self.filters)
        self.num_frequencies = math.prod(self._tile)
        self._input_matrices = self._matrices("input_matrix")
        self._output_matrices = self._matrices("output_matrix")

    def scratch_bytes(self) -> int:
        """Return the bytes of the largest strip."""
        strips = [
            strip_shape(
                channels,
                self._window(matrices),
                self._tile[0],
                self._step[1],
                self._grid[1],
            )
            for channels, matrices in (
                (self._channels[0], self._input_matrices),
                (self._channels[1], self._output_matrices),
            )
        ]
        return max(map(math.prod, strips)) * self._numpy_type.itemsize

    def analyse_input(self, x: Tensor, tiles: Tensor) -> None:
        """Transform every window of the input: ``Bᵀ d B``."""
        self._analyse(x, self._input_matrices, self._origin, tiles)

    def restore_output(self, tiles: Tensor, y: Tensor) -> None:
        """Write the outputs of every tile: ``Aᵀ D A``."""
        self._restore(tiles, self._output_matrices, (0, 0), y)

    def analyse_output(self, dy: Tensor, tiles: Tensor) -> None:
        """Transform the gradient of every tile's outputs: ``A dy Aᵀ``."""
        self._analyse(dy, self._output_matrices, (0, 0), tiles)

    def restore_input(self, tiles: Tensor, dx: Tensor) -> None:
        """Add up the gradients of the overlapping windows: ``B V' Bᵀ``."""
        self._restore(tiles, self._input_matrices, self._origin, dx)

    def analyse_filter(self, w: Tensor, spectrum: Tensor) -> None:
        """Transform the filter: ``G g Gᵀ``."""
        kernel = tuple(each.num_taps for each in self.filters)
        taps = w.reshape(*w.shape[:2], *kernel)
        rows, columns = self._filter_matrices(w)
        target = spectrum.view(*self._tile, *spectrum.shape[1:])
        for start in range(0, len(w), FILTERS_AT_ONCE):
            some = slice(start, start + FILTERS_AT_ONCE)
            half = torch.einsum("ir,kcrs->isck", rows, taps[some])
            target[..., some] = torch.einsum("js,isck->ijck", columns, half)

    def restore_filter(self, spectrum: Tensor) -> Tensor:
        """Transform the filter's gradient back: ``Gᵀ U' G``."""
        rows, columns = self._filter_matrices(spectrum)
        full = spectrum.view(*self._tile, *spectrum.shape[1:])
        gradient = spectrum.new_empty(self._weight_shape)
        kernel = tuple(each.num_taps for each in self.filters)
        target = gradient.view(*gradient.shape[:2], *kernel)
        for start in range(0, len(gradient), FILTERS_AT_ONCE):
            some = slice(start, start + FILTERS_AT_ONCE)
            half = torch.einsum("ir,ijck->rjck", rows, full[..., some])
            target[some] = torch.einsum("js,rjck->kcrs", columns, half)
        return gradient

    def _analyse(
        self,
        image: Tensor,
        matrices: Matrices,
        origin: tuple[int, int],
        tiles: Tensor,
    ) -> None:
        strip = self._strip(image.shape[1], matrices)
        pictures, channels_last = _as_array(image)
        image_to_tiles(
            pictures,
            channels_last,
            matrices[0],
            matrices[1],
            self._step,
            origin,
            self._grid,
            strip,
            tiles.view(*self._tile, *tiles.shape[1:]).numpy(),
        )

    def _restore(
        self,
        tiles: Tensor,
        matrices: Matrices,
        origin: tuple[int, int],
        image: Tensor,
    ) -> None:
        strip = self._strip(image.shape[1], matrices)
        pictures, channels_last = _as_array(image)
        tiles_to_image(
            tiles.view(*self._tile, *tiles.shape[1:]).numpy(),
            matrices[0],
            matrices[1],
            self._step,
            origin,
            self._grid,
            strip,
            pictures,
            channels_last,
        )

    def _strip(self, channels: int, matrices: Matrices) -> np.ndarray:
        shape = strip_shape(
            channels,
            self._window(matrices),
            self._tile[0],
            self._step[1],
            self._grid[1],
        )
        return torch.empty(shape, dtype=self.dtype).numpy()

    def _window(self, matrices: Matrices) -> tuple[int, int]:
        return matrices[0].shape[1], matrices[1].shape[1]

    def _matrices(self, name: str) -> Matrices:
        rows, columns = (
            np.ascontiguousarray(getattr(each, name), dtype=self._numpy_type)
            for each in self.filters
        )
        return rows, columns

    def _filter_matrices(self, like: Tensor) -> tuple[Tensor, ...]:
        return tuple(
            torch.from_numpy(each.filter_matrix).to(like) for each in self.filters
        )


def _as_array(image: Tensor) -> tuple[np.ndarray, bool]:
    """View pictures of one or two axes as an array, and say where the channels are."""
    if image.ndim == 3:
        image = image.unsqueeze(2)
    if image.is_contiguous():
        return image.detach().numpy(), False
    assert image.is_contiguous(memory_format=torch.channels_last)
    return image.detach().permute(0, 2, 3, 1).numpy(), True
