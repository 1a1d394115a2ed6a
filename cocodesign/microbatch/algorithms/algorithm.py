"""What every convolution algorithm offers, in all three directions.

An algorithm prepares a *kernel* once per call, which may transform the filter and
allocates the scratch memory for the largest micro-batch. The kernel then takes the
micro-batches one after the other:

* a ``MapKernel`` (forward, backward_data) fills a slice of the result per micro-batch;
* a ``SumKernel`` (backward_filter) adds up what the micro-batches contribute, and is
  asked for the total at the end.

All tensors have the batch axis first and 1 to 3 spatial axes; ``x`` stands for the
input of the convolution, ``y`` for its output, ``w`` for the filter.
"""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from cocodesign.microbatch.problem import ConvProblem, Direction

UNIT_ROUNDOFF = {
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
    "float32": 2.0**-24,
    "float64": 2.0**-53,
}


@runtime_checkable  # so that the tests' type checks can ask
class MapKernel(Protocol):
    """Computes outputs from inputs, or input gradients from output gradients."""

    def run(self, source: Float[Tensor, "..."], target: Float[Tensor, "..."]) -> None:
        """Overwrite ``target`` with the result for one micro-batch.

        Args:
            source: ``x`` for forward, ``dy`` for backward_data.
            target: ``y`` or ``dx`` of the same examples, contiguous or channels-last.
        """
        ...


@runtime_checkable  # so that the tests' type checks can ask
class SumKernel(Protocol):
    """Adds up the filter's gradient over micro-batches."""

    def add(self, x: Float[Tensor, "..."], dy: Float[Tensor, "..."]) -> None:
        """Add what one micro-batch contributes.

        Args:
            x: The input.
            dy: The output's gradient for the same examples.
        """
        ...

    def total(self) -> Float[Tensor, "..."]:
        """Return the gradient of the filter over all micro-batches so far."""
        ...


@runtime_checkable  # so that the tests' type checks can ask
class Algorithm(Protocol):
    """One way to compute a convolution."""

    @property
    def name(self) -> str:
        """The name in plans: lower-case letters, digits and underscores."""
        ...

    def supports(self, problem: ConvProblem, direction: Direction) -> bool:
        """Say whether the algorithm can compute this."""
        ...

    def workspace_bytes(
        self, problem: ConvProblem, direction: Direction, micro_batch_size: int
    ) -> int:
        """Return the scratch memory that the kernel itself allocates.

        What torch's functions take inside comes on top; it is measured.

        Args:
            problem: A supported problem.
            direction: A supported direction.
            micro_batch_size: The largest micro-batch.
        """
        ...

    def error_bound(self, problem: ConvProblem, direction: Direction) -> float:
        r"""Bound the rounding error of the result.

        Args:
            problem: A supported problem.
            direction: A supported direction.

        Returns:
            β such that every element is off by at most β times the largest value that
            the sizes of the operands allow: ``max|x| Σ|w|`` forward, ``max|dy| Σ|w|``
            for backward_data (the sum over what an element of the result depends on),
            and ``N L max|x| max|dy|`` for the filter's gradient, with L positions in
            an output. To first order in the unit roundoff.
        """
        ...

    def map_kernel(
        self,
        problem: ConvProblem,
        direction: Direction,
        micro_batch_size: int,
        w: Float[Tensor, "..."],
    ) -> MapKernel:
        """Prepare forward or backward_data.

        Args:
            problem: A supported problem.
            direction: ``forward`` or ``backward_data``.
            micro_batch_size: The largest micro-batch that will be given.
            w: The filter.
        """
        ...

    def sum_kernel(
        self, problem: ConvProblem, micro_batch_size: int, like: Float[Tensor, "..."]
    ) -> SumKernel:
        """Prepare backward_filter.

        Args:
            problem: A supported problem.
            micro_batch_size: The largest micro-batch that will be given.
            like: A tensor of the result's type on its device.
        """
        ...
