"""The maps of linear layers and embeddings."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cocodesign.kfac import factors


class LinearMap:
    """A weight of ``d_out × d_in`` that multiplies every row of its input."""

    num_groups = 1

    def input_moment(
        self, x: Float[Tensor, "batch ..."], *, has_bias: bool
    ) -> Float[Tensor, "d_in d_in"]:
        """Return ``Σ ā āᵀ`` over all rows, without keeping them."""
        return factors.second_moment(x.reshape(-1, x.shape[-1]), has_bias=has_bias)

    def input_rows(
        self, x: Float[Tensor, "batch ..."]
    ) -> Float[Tensor, "batch shared features"]:
        """Return the rows that the weight multiplies."""
        return x.reshape(len(x), -1, x.shape[-1])

    def gradient_rows(
        self, gradient: Float[Tensor, "batch ..."], x: Float[Tensor, "batch ..."]
    ) -> Float[Tensor, "batch shared features"]:
        """Return the gradients with respect to what the weight produced from ``x``."""
        return gradient.reshape(len(x), -1, gradient.shape[-1])

    def as_matrix(
        self, weight: Float[Tensor, "d_out features"]
    ) -> Float[Tensor, "d_out features"]:
        """Return the weight, which is a matrix already."""
        return weight

    def like_weight(
        self,
        matrix: Float[Tensor, "d_out features"],
        weight: Float[Tensor, "d_out features"],
    ) -> Float[Tensor, "d_out features"]:
        """Undo ``as_matrix``."""
        return matrix.reshape(weight.shape)


class LookupMap:
    """The weight of an embedding, which multiplies one-hot rows.

    The second moment of one-hot rows is diagonal: how often each index occurs. It is
    kept as a vector, so that a large vocabulary costs no more than its table.

    Args:
        num_embeddings: Number of indices.
        padding_index: An index whose positions count as if they were empty, ``None``
            for none.
        dtype: Of what is returned; float32 at least.
    """

    num_groups = 1

    def __init__(
        self, num_embeddings: int, padding_index: int | None, dtype: torch.dtype
    ) -> None:
        self._num_embeddings = num_embeddings
        self._padding_index = padding_index
        self._dtype = torch.promote_types(dtype, torch.float32)

    def input_moment(
        self, x: Int[Tensor, "batch ..."], *, has_bias: bool
    ) -> Float[Tensor, " d_in"]:
        """Return how often each index occurs."""
        assert not has_bias  # an embedding has none
        indices = x.flatten()
        # Not bincount: on an accelerator it makes the host wait for the largest index.
        counts = torch.zeros(self._num_embeddings, dtype=self._dtype, device=x.device)
        counts.index_add_(0, indices, counts.new_ones(len(indices)))
        if self._padding_index is not None:
            counts[self._padding_index] = 0
        return counts

    def input_rows(
        self, x: Int[Tensor, "batch ..."]
    ) -> Float[Tensor, "batch shared features"]:
        """Return the one-hot rows."""
        rows = torch.nn.functional.one_hot(x.reshape(len(x), -1), self._num_embeddings)
        if self._padding_index is not None:
            rows[..., self._padding_index] = 0
        return rows.to(self._dtype)

    def gradient_rows(
        self, gradient: Float[Tensor, "batch ..."], x: Int[Tensor, "batch ..."]
    ) -> Float[Tensor, "batch shared features"]:
        """Return the gradients with respect to the vectors that were looked up."""
        if self._padding_index is not None:
            gradient = gradient * (x != self._padding_index)[..., None]
        return gradient.reshape(len(x), -1, gradient.shape[-1])

    def as_matrix(
        self, weight: Float[Tensor, "features d_out"]
    ) -> Float[Tensor, "d_out features"]:
        """Return the transposed table: it is what multiplies a one-hot column."""
        return weight.T

    def like_weight(
        self,
        matrix: Float[Tensor, "d_out features"],
        weight: Float[Tensor, "features d_out"],
    ) -> Float[Tensor, "features d_out"]:
        """Undo ``as_matrix``."""
        return matrix.T.reshape(weight.shape)
