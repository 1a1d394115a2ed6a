# pyright: strict
r"""The matrices of Winograd's minimal filtering, F(m, r), in exact fractions.

One-dimensional correlation of ``n = m + r - 1`` inputs d with r taps g gives m outputs

    y = Aᵀ ((G g) ⊙ (Bᵀ d)),

with n multiplications instead of m·r. The polynomial behind is evaluated at n - 1
points and at infinity.

Sources: Toom (1963), Cook (1966), Winograd (1980); for convolutional networks Lavin &
Gray (2016), arXiv:1509.09308; construction and error analysis after Barabasz et al.
(2020), arXiv:1803.10986. The points are 0, ±1, ±2, ±1/2, in this order.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_POINTS = (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2))

Matrix = list[list[Fraction]]


@dataclass(frozen=True)
class MinimalFilter:
    """F(m, r) as matrices in float64.

    Attributes:
        num_outputs: m.
        num_taps: r.
        input_matrix: Bᵀ, of shape ``[n, n]``.
        filter_matrix: G, of shape ``[n, r]``.
        output_matrix: A, of shape ``[n, m]``.
    """

    num_outputs: int
    num_taps: int
    input_matrix: NDArray[np.float64]
    filter_matrix: NDArray[np.float64]
    output_matrix: NDArray[np.float64]

    @property
    def tile_size(self) -> int:
        """The number of inputs and of multiplications, ``n = m + r - 1``."""
        return self.num_outputs + self.num_taps - 1

    def amplification(self) -> tuple[float, float, float]:
        """Return by how much rounding errors can grow, forward and backward.

        Returns:
            For forward, backward_data and backward_filter, the largest sum of absolute
            coefficients with which one filter tap (or output gradient) enters a result
            when all other operands have the size 1; the definition itself has 1.
        """
        inputs = np.abs(self.input_matrix)
        taps = np.abs(self.filter_matrix)
        outputs = np.abs(self.output_matrix)
        m = self.num_outputs
        forward = float((outputs.T @ (taps * inputs.sum(1)[:, None])).max())
        # A tile's gradients overlap the next tile's: positions m apart are one.
        by_position = inputs.T @ (taps * outputs.sum(1)[:, None])
        overlapped = [by_position[start::m].sum(0) for start in range(m)]
        backward_data = float(np.max(overlapped))
        both = inputs.sum(1) * outputs.sum(1)
        backward_filter = float((taps.T @ both).max()) / m
        return forward, backward_data, backward_filter


@lru_cache
def minimal_filter(num_outputs: int, num_taps: int) -> MinimalFilter:
    """Construct F(m, r).

    Args:
        num_outputs: m ≥ 1.
        num_taps: r ≥ 1, with ``m + r - 1`` at most 8.

    Returns:
        The matrices; F(1, 1) is the plain product.

    Raises:
        ValueError: If there are not enough points.

    Example:
        >>> f = minimal_filter(2, 3)
        >>> d, g = np.array([1.0, 2, 3, 4]), np.array([1.0, 0, 2])
        >>> f.output_matrix.T @ ((f.filter_matrix @ g) * (f.input_matrix @ d))
        array([ 7., 10.])
    """
    n = num_outputs + num_taps - 1
    if num_outputs < 1 or num_taps < 1 or n > len(_POINTS) + 1:
        raise ValueError(
            f"F({num_outputs}, {num_taps}) needs sizes of at least 1 whose sum is at "
            f"most {len(_POINTS) + 2}"
        )
    points = [Fraction(point) for point in _POINTS[: n - 1]]
    at_infinity = [Fraction(0)] * (n - 1) + [Fraction(1)]
    outputs = [[point**i for i in range(num_outputs)] for point in points]
    outputs.append(at_infinity[-num_outputs:])
    taps: Matrix = []
    inputs: Matrix = []
    for index, point in enumerate(points):
        others = points[:index] + points[index + 1 :]
        scale = Fraction(1)
        for other in others:
            scale *= point - other
        taps.append([point**i / scale for i in range(num_taps)])
        inputs.append([*_polynomial(others), Fraction(0)])
    taps.append(at_infinity[-num_taps:])
    inputs.append(_polynomial(points))
    return MinimalFilter(
        num_outputs, num_taps, _array(inputs), _array(taps), _array(outputs)
    )


def _polynomial(roots: list[Fraction]) -> list[Fraction]:
    """Return the coefficients of Π (x - root), the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        for index, value in enumerate(coefficients):
            shifted[index] -= root * value
        coefficients = shifted
    return coefficients


def _array(matrix: Matrix) -> NDArray[np.float64]:
    return np.array([[float(value) for value in row] for row in matrix])
