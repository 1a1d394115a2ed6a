"""How a layer that was taken apart shows the linear maps inside it."""

from collections.abc import Callable

from torch import Tensor

# Is shown every use of a weight: the name of the linear map within its layer, what the
# weight multiplies, the product with the bias as it stands in the graph, and the axis
# of both that counts the examples.
Tap = Callable[[str, Tensor, Tensor, int], None]
