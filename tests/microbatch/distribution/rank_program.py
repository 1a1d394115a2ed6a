"""What each process of the test does: ``rank_program.py FOLDER``.

``torchrun`` starts it; each rank leaves ``<rank>.pt`` in the folder.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

from cocodesign.collectives import Communicator
from cocodesign.collectives.membership import join_ranks
from cocodesign.microbatch.distribution import (
    local_parts,
    partition_axes,
    partitioned_convolution,
)
from cocodesign.microbatch.problem import ConvProblem

LIMIT_S = 30.0
PROBLEM = ConvProblem(4, 4, 6, (13, 10), (4, 3), (2, 1), (1, 2), (1, 2), 1, "float64")


def collect(communicator: Communicator) -> dict[str, Tensor]:
    """Compute outputs and gradients along every axis, plain and transposed."""
    results: dict[str, Tensor] = {}
    for is_transposed in (False, True):
        channels, size = PROBLEM.in_channels, PROBLEM.input_size
        if is_transposed:
            channels, size = PROBLEM.out_channels, PROBLEM.output_size
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(4, channels, *size, generator=generator, dtype=torch.float64)
        w = torch.randn(PROBLEM.weight_shape, generator=generator, dtype=torch.float64)
        for axis in partition_axes(PROBLEM):
            mine = [
                part.clone().requires_grad_()
                for part in local_parts(
                    PROBLEM,
                    axis,
                    communicator.rank,
                    communicator.world_size,
                    x,
                    w,
                    is_transposed=is_transposed,
                )
            ]
            y = partitioned_convolution(
                PROBLEM, axis, *mine, communicator, is_transposed=is_transposed
            )
            dx, dw = torch.autograd.grad(y.square().sum(), mine)
            name = f"{axis} {'transposed' if is_transposed else 'plain'}"
            results |= {
                f"{name} y": y.detach(),
                f"{name} dx": dx,
                f"{name} dw": dw,
            }
    return results


def main() -> None:
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    with join_ranks(limit_s=LIMIT_S) as communicator:
        torch.save(collect(communicator), folder / f"{communicator.rank}.pt")


if __name__ == "__main__":
    main()
