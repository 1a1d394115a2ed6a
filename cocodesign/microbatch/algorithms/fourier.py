"""Convolution by the fast Fourier transform of whole pictures."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.microbatch.algorithms.algorithm import UNIT_ROUNDOFF
from cocodesign.microbatch.algorithms.transformed import (
    FILTERS_AT_ONCE,
    TransformedMap,
    TransformedSum,
    domain_bytes,
    fits_transform,
)
from cocodesign.microbatch.problem import ConvProblem, Direction

_LEVEL_ERROR = 7.0  # roundings per butterfly level


class Fourier:
    """The convolution theorem: work that does not grow with the window.

    Pictures are padded to a fast size, so that nothing wraps around. One to three axes,
    any window, without stride or dilation, in one group.

    Source of the error bound: Higham, Accuracy and Stability of Numerical Algorithms,
    2nd edition, Theorem 24.2.
    """

    name = "fft"

    def supports(self, problem: ConvProblem, direction: Direction) -> bool:  # noqa: ARG002 (all or none)
        """Say whether there is a window, without stride or dilation."""
        return fits_transform(problem) and max(problem.kernel_size) > 1

    def workspace_bytes(
        self,
        problem: ConvProblem,
        direction: Direction,  # noqa: ARG002 (all take the same)
        micro_batch_size: int,
    ) -> int:
        """Return the bytes of the spectra; torch's own scratch is measured."""
        domain = FourierDomain(problem)
        return domain_bytes(domain, problem, micro_batch_size)

    def error_bound(self, problem: ConvProblem, direction: Direction) -> float:
        """Return the bound of three transforms and the sum over the channels."""
        domain = FourierDomain(problem)
        area = math.prod(domain.size)
        transforms = 3 * _LEVEL_ERROR * math.log2(area)
        if direction == "backward_filter":
            positions = math.prod(problem.output_size)
            growth = math.sqrt(area / positions)
            length = problem.mini_batch_size
        else:
            growth = math.sqrt(area)
            is_forward = direction == "forward"
            length = problem.in_channels if is_forward else problem.out_channels
        # A complex product is four real ones, so a sum of n has 4 n roundings.
        return growth * (transforms + 4 * length) * UNIT_ROUNDOFF[problem.dtype]

    def map_kernel(
        self,
        problem: ConvProblem,
        direction: Direction,
        micro_batch_size: int,
        w: Float[Tensor, "..."],
    ) -> TransformedMap:
        """Prepare forward or backward_data: transform the filter."""
        domain = FourierDomain(problem)
        return TransformedMap(domain, problem, direction, micro_batch_size, w)

    def sum_kernel(
        self, problem: ConvProblem, micro_batch_size: int, like: Float[Tensor, "..."]
    ) -> TransformedSum:
        """Prepare backward_filter."""
        domain = FourierDomain(problem)
        return TransformedSum(domain, problem, micro_batch_size, like.device)


class FourierDomain:
    """The spectra of one problem, one tile per picture.

    ``V`` holds the *conjugate* spectrum of the input: correlation needs one conjugate,
    and here it is free, while the products then need none.

    Args:
        problem: The sizes.
    """

    tiles_per_image = 1

    def __init__(self, problem: ConvProblem) -> None:
        self._input_size = problem.input_size
        self._padding = problem.padding
        self._output_size = problem.output_size
        self._weight_shape = problem.weight_shape
        self.size = tuple(
            fast_size(extent + 2 * padding)
            for extent, padding in zip(problem.input_size, problem.padding, strict=True)
        )
        self._half = (*self.size[:-1], self.size[-1] // 2 + 1)
        self.num_frequencies = math.prod(self._half)
        self._axes = tuple(range(-problem.num_axes, 0))
        self.dtype = torch.complex64 if problem.dtype == "float32" else torch.complex128

    def scratch_bytes(self) -> int:
        """Return nothing: torch's functions allocate what they need."""
        return 0

    def analyse_input(self, x: Tensor, tiles: Tensor) -> None:
        """Write the conjugate spectra of the padded pictures."""
        margins = [
            (padding, size - extent - padding)
            for size, extent, padding in zip(
                self.size, self._input_size, self._padding, strict=True
            )
        ]
        for index, picture in enumerate(x):
            spectrum = self._spectrum(self._padded(picture, margins))
            tiles[:, index] = spectrum.conj().T

    def restore_output(self, tiles: Tensor, y: Tensor) -> None:
        """Transform back and cut out the outputs."""
        window = tuple(slice(0, extent) for extent in self._output_size)
        for index in range(len(y)):
            y[index] = self._picture(tiles[:, index].T.conj())[:, *window]

    def analyse_output(self, dy: Tensor, tiles: Tensor) -> None:
        """Write the spectra of the outputs' gradients."""
        margins = [
            (0, size - extent)
            for size, extent in zip(self.size, self._output_size, strict=True)
        ]
        for index, picture in enumerate(dy):
            tiles[:, index] = self._spectrum(self._padded(picture, margins)).T

    def restore_input(self, tiles: Tensor, dx: Tensor) -> None:
        """Transform back and cut off the padding."""
        window = tuple(
            slice(padding, padding + extent)
            for padding, extent in zip(self._padding, self._input_size, strict=True)
        )
        for index in range(len(dx)):
            dx[index] = self._picture(tiles[:, index].T)[:, *window]

    def analyse_filter(self, w: Tensor, spectrum: Tensor) -> None:
        """Write the spectra of the filters, some at a time."""
        margins = list(zip(self.size, w.shape[2:], strict=True))
        for start in range(0, len(w), FILTERS_AT_ONCE):
            some = w[start : start + FILTERS_AT_ONCE]
            padded = self._padded(some.flatten(0, 1), [(0, q - r) for q, r in margins])
            spectra = self._spectrum(padded).view(*some.shape[:2], -1)
            spectrum[:, :, start : start + len(some)] = spectra.permute(2, 1, 0)

    def restore_filter(self, spectrum: Tensor) -> Tensor:
        """Transform the gradient back, some filters at a time, and cut out the taps."""
        gradient = torch.empty(
            self._weight_shape, dtype=spectrum.real.dtype, device=spectrum.device
        )
        window = tuple(slice(0, taps) for taps in self._weight_shape[2:])
        for start in range(0, len(gradient), FILTERS_AT_ONCE):
            some = spectrum[:, :, start : start + FILTERS_AT_ONCE].permute(2, 1, 0)
            pictures = self._picture(some.conj().flatten(0, 1))
            gradient[start : start + len(some)] = pictures[:, *window].unflatten(
                0, some.shape[:2]
            )
        return gradient

    def _padded(self, picture: Tensor, margins: list[tuple[int, int]]) -> Tensor:
        """Surround ``[channel, *axes]`` by zeros, as a contiguous tensor."""
        flat = [extent for pair in reversed(margins) for extent in pair]
        return torch.nn.functional.pad(picture.contiguous(), flat)

    def _spectrum(self, padded: Tensor) -> Tensor:
        """Return ``[channel, frequency]``."""
        return torch.fft.rfftn(padded, dim=self._axes).flatten(1)

    def _picture(self, spectrum: Tensor) -> Tensor:
        """Return ``[channel, *axes]`` of a spectrum ``[channel, frequency]``."""
        halves = spectrum.reshape(-1, *self._half)
        return torch.fft.irfftn(halves, s=self.size, dim=self._axes)


def fast_size(lowest: int) -> int:
    """Return the next size that is even and a product of 2, 3 and 5.

    Args:
        lowest: At least 1.

    Returns:
        The smallest such size that is not below it.

    Example:
        >>> [fast_size(n) for n in (1, 7, 31, 33)]
        [2, 8, 32, 36]
    """
    size = lowest + lowest % 2
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 2
