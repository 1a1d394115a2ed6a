"""What K-FAC has to know of a layer that multiplies with a weight.

Every such layer is a linear map applied to rows. Rows have the axes ``batch shared
features``, after an axis for the groups of a convolution where there are several.
"""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class WeightMap(Protocol):
    """How inputs, output gradients and weight of a layer become rows and matrices.

    Attributes:
        num_groups: Independent maps of equal size in the layer.
    """

    num_groups: int

    def input_moment(
        self, x: Tensor, *, has_bias: bool
    ) -> Float[Tensor, "*groups d_in d_in"] | Float[Tensor, " d_in"]:
        """Return ``Σ ā āᵀ`` over all rows, or its diagonal where it has no more."""
        ...

    def input_rows(self, x: Tensor) -> Float[Tensor, "*groups batch shared features"]:
        """Return what the weight multiplies, without a homogeneous coordinate."""
        ...

    def gradient_rows(
        self, gradient: Tensor, x: Tensor
    ) -> Float[Tensor, "*groups batch shared features"]:
        """Return the gradients with respect to what the weight produced from ``x``."""
        ...

    def as_matrix(self, weight: Tensor) -> Float[Tensor, "*groups d_out features"]:
        """Order a weight, or its gradient, as the rows are ordered."""
        ...

    def like_weight(self, matrix: Tensor, weight: Tensor) -> Tensor:
        """Undo ``as_matrix``, given any tensor of the weight's shape."""
        ...
