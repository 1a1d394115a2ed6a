"""The algorithms that a kernel can be given to.

::

    algorithm    what every algorithm offers
    direct       torch's own convolution
    matrix       im2col and 1x1 as matrix products
    transformed  what Winograd and Fourier have in common, in all three directions
    winograd     minimal filtering F(m, r); matrices in toom_cook, loops in tiles
    fourier      whole pictures by FFT
    nnpack       NNPACK's transforms, where torch's library holds them
"""

from cocodesign.errors import PlanMismatchError
from cocodesign.microbatch.algorithms.algorithm import Algorithm, MapKernel, SumKernel
from cocodesign.microbatch.algorithms.direct import Direct
from cocodesign.microbatch.algorithms.fourier import Fourier
from cocodesign.microbatch.algorithms.matrix import MatrixProduct
from cocodesign.microbatch.algorithms.nnpack import nnpack_algorithms
from cocodesign.microbatch.algorithms.winograd import Winograd

__all__ = [
    "CPU_ALGORITHMS",
    "DIRECT",
    "Algorithm",
    "MapKernel",
    "SumKernel",
    "algorithm_named",
]

DIRECT = Direct()

CPU_ALGORITHMS: tuple[Algorithm, ...] = (
    DIRECT,
    MatrixProduct(unfolds=False),
    MatrixProduct(unfolds=True),
    Fourier(),
    Winograd(2),
    Winograd(4),
    *nnpack_algorithms(),
)


def algorithm_named(name: str) -> Algorithm:
    """Find the algorithm that a plan names.

    Args:
        name: An algorithm's ``name``.

    Returns:
        The algorithm.

    Raises:
        PlanMismatchError: If this version of the package has none of that name.
    """
    for algorithm in CPU_ALGORITHMS:
        if algorithm.name == name:
            return algorithm
    known = ", ".join(algorithm.name for algorithm in CPU_ALGORITHMS)
    raise PlanMismatchError(
        f"a plan names the algorithm {name!r}, but there are {known}: plan again"
    )
