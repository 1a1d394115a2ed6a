"""How closely two ways of computing one number must agree, by dtype.

The numbers leave room for a few hundred roundings in sums of well-scaled terms, not
for an ill-conditioned problem: a test of one states its own bound and why.
"""

import torch
from torch import Tensor

RELATIVE = {torch.float64: 1e-10, torch.float32: 2e-5}


def assert_close(actual: Tensor, expected: Tensor) -> None:
    """Compare with the tolerance of the actual dtype, relative to the largest entry."""
    scale = max(expected.abs().max().item(), torch.finfo(expected.dtype).tiny)
    torch.testing.assert_close(
        actual, expected, rtol=0, atol=RELATIVE[actual.dtype] * scale
    )
