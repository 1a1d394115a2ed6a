"""Convolution as products in a transformed domain: three directions, one skeleton.

Both Winograd's minimal filtering and the Fourier transform turn a convolution into a
product of matrices per *frequency*. With ``V`` the transformed input of ``[frequency,
tile, C]``, ``D`` the transformed output of ``[frequency, tile, K]`` and ``U`` the
transformed filter of ``[frequency, C, K]``,

    forward  D = V U,    backward_data  V' = D' Uᵀ,    backward_filter  U' = Σ Vᵀ D',

where a prime marks a gradient and the sum runs over all micro-batches. So U is computed
once per call and shared by all of them, the same U serves both data directions, and the
gradient of the filter is transformed back once, after the last micro-batch.
"""

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Num
from torch import Tensor

from cocodesign.microbatch.problem import ConvProblem, Direction

FILTERS_AT_ONCE = 16  # transformed together: few calls, little scratch


@runtime_checkable  # so that the tests' type checks can ask
class Domain(Protocol):
    """A transform and its adjoint, for one problem.

    Attributes:
        num_frequencies: Products per tile and pair of channels.
        tiles_per_image: Tiles that an example is cut into.
        dtype: Of what is transformed.
    """

    num_frequencies: int
    tiles_per_image: int
    dtype: torch.dtype

    def scratch_bytes(self) -> int:
        """Return what the transforms themselves need."""
        ...

    def analyse_input(self, x: Tensor, tiles: Tensor) -> None:
        """Transform the input ``x`` into V."""
        ...

    def restore_output(self, tiles: Tensor, y: Tensor) -> None:
        """Turn D into the output ``y``; every element is overwritten."""
        ...

    def analyse_output(self, dy: Tensor, tiles: Tensor) -> None:
        """Transform the output's gradient ``dy`` into D'."""
        ...

    def restore_input(self, tiles: Tensor, dx: Tensor) -> None:
        """Turn V' into the input's gradient ``dx``; every element is overwritten."""
        ...

    def analyse_filter(self, w: Tensor, spectrum: Tensor) -> None:
        """Transform the filter ``w`` into U."""
        ...

    def restore_filter(self, spectrum: Tensor) -> Tensor:
        """Turn U' into the filter's gradient."""
        ...


def domain_bytes(domain: Domain, problem: ConvProblem, micro_batch_size: int) -> int:
    """Return the scratch memory of a kernel in a domain.

    Args:
        domain: The transform.
        problem: The sizes.
        micro_batch_size: The largest micro-batch.

    Returns:
        Bytes, in any direction, of U, V, D and of the transforms' own scratch.
    """
    channels = problem.in_channels + problem.out_channels
    tiles = micro_batch_size * domain.tiles_per_image * channels
    spectrum = problem.in_channels * problem.out_channels
    total = domain.num_frequencies * (tiles + spectrum) * domain.dtype.itemsize
    return total + domain.scratch_bytes()


class TransformedMap:
    """Forward or backward_data in a domain.

    Args:
        domain: The transform.
        problem: The sizes.
        direction: ``forward`` or ``backward_data``.
        micro_batch_size: The largest micro-batch.
        w: The filter.
    """

    def __init__(
        self,
        domain: Domain,
        problem: ConvProblem,
        direction: Direction,
        micro_batch_size: int,
        w: Num[Tensor, "..."],
    ) -> None:
        self._domain = domain
        self._is_forward = direction == "forward"
        self._spectrum = _spectrum_buffer(domain, problem, w.device)
        domain.analyse_filter(w, self._spectrum)
        # Only now, so that the filter's scratch is gone.
        self._inputs, self._outputs = _tile_buffers(
            domain, problem, micro_batch_size, w.device
        )

    def run(self, source: Num[Tensor, "..."], target: Num[Tensor, "..."]) -> None:
        """Overwrite ``target`` with the result for one micro-batch.

        Args:
            source: ``x`` or ``dy``.
            target: ``y`` or ``dx``.
        """
        num_tiles = len(source) * self._domain.tiles_per_image
        inputs = _view(self._inputs, num_tiles)
        outputs = _view(self._outputs, num_tiles)
        if self._is_forward:
            self._domain.analyse_input(source, inputs)
            torch.bmm(inputs, self._spectrum, out=outputs)
            self._domain.restore_output(outputs, target)
        else:
            self._domain.analyse_output(source, outputs)
            torch.bmm(outputs, self._spectrum.mT, out=inputs)
            self._domain.restore_input(inputs, target)


class TransformedSum:
    """backward_filter in a domain.

    Args:
        domain: The transform.
        problem: The sizes.
        micro_batch_size: The largest micro-batch.
        device: Where to compute.
    """

    def __init__(
        self,
        domain: Domain,
        problem: ConvProblem,
        micro_batch_size: int,
        device: torch.device,
    ) -> None:
        self._domain = domain
        self._inputs, self._outputs = _tile_buffers(
            domain, problem, micro_batch_size, device
        )
        self._spectrum = _spectrum_buffer(domain, problem, device)
        self._is_empty = True

    def add(self, x: Num[Tensor, "..."], dy: Num[Tensor, "..."]) -> None:
        """Add what one micro-batch contributes.

        Args:
            x: The input.
            dy: The output's gradient.
        """
        num_tiles = len(x) * self._domain.tiles_per_image
        inputs = _view(self._inputs, num_tiles)
        outputs = _view(self._outputs, num_tiles)
        self._domain.analyse_input(x, inputs)
        self._domain.analyse_output(dy, outputs)
        if self._is_empty:
            torch.bmm(inputs.mT, outputs, out=self._spectrum)
            self._is_empty = False
        else:
            self._spectrum.baddbmm_(inputs.mT, outputs)

    def total(self) -> Num[Tensor, "..."]:
        """Return the gradient of the filter."""
        assert not self._is_empty, "no micro-batch was added"
        return self._domain.restore_filter(self._spectrum)


def _tile_buffers(
    domain: Domain, problem: ConvProblem, micro_batch_size: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    num_tiles = micro_batch_size * domain.tiles_per_image
    inputs, outputs = (
        torch.empty(
            (domain.num_frequencies, num_tiles, channels),
            dtype=domain.dtype,
            device=device,
        )
        for channels in (problem.in_channels, problem.out_channels)
    )
    return inputs, outputs


def _view(buffer: Tensor, num_tiles: int) -> Tensor:
    """Return a contiguous array of fewer tiles at the buffer's beginning."""
    num_frequencies, _, channels = buffer.shape
    size = num_frequencies * num_tiles * channels
    return buffer.view(-1)[:size].view(num_frequencies, num_tiles, channels)


def _spectrum_buffer(
    domain: Domain, problem: ConvProblem, device: torch.device
) -> Tensor:
    shape = (domain.num_frequencies, problem.in_channels, problem.out_channels)
    return torch.empty(shape, dtype=domain.dtype, device=device)


def fits_transform(problem: ConvProblem) -> bool:
    """Say whether a problem is one group with neither stride nor dilation.

    Args:
        problem: The sizes.

    Returns:
        Whether the skeleton applies.
    """
    return (
        problem.groups == 1
        and math.prod(problem.stride) == 1
        and math.prod(problem.dilation) == 1
        and problem.dtype in ("float32", "float64")
    )
