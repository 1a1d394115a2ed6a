"""What a block covers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Part:
    """A parameter, or consecutive rows of one; equal where they are the same.

    Attributes:
        parameter: The whole.
        rows: Start and end along the first axis; ``None`` means all.
    """

    parameter: nn.Parameter
    rows: tuple[int, int] | None = None

    def __eq__(self, other: object) -> bool:
        # Two different parameters compare element by element.
        return (
            isinstance(other, Part)
            and other.parameter is self.parameter
            and other.rows == self.rows
        )

    def __hash__(self) -> int:
        return hash((id(self.parameter), self.rows))

    def of(self, whole: Tensor) -> Tensor:
        """Return this part of a tensor of the parameter's shape, as a view."""
        return whole if self.rows is None else whole[slice(*self.rows)]

    def gradient(self, gradient_of: "GradientOf") -> Tensor | None:
        """Return this part of the parameter's gradient."""
        gradient = gradient_of(self.parameter)
        return None if gradient is None else self.of(gradient)


GradientOf = Callable[[nn.Parameter], Tensor | None]
Parts = Iterator[tuple[Part, Tensor]]

# From how many examples the passes held to what squared gradients are multiplied by.
Rescale = Callable[[int], float | Tensor]
