"""Tensors whose values are few: integer symbols and what each symbol stands for."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int32
from torch import Tensor

LARGEST_SYMBOL = (1 << 23) - 1
"""Largest magnitude of a symbol: float32 still tells all of them apart."""


@dataclass(frozen=True)
class UniformQuantizer:
    """Symbol ``s`` stands for ``s × step_size``, computed in float32.

    Attributes:
        step_size: Δ, the distance of neighbouring values; positive, finite, and exactly
            a float32.
    """

    step_size: float

    def __post_init__(self) -> None:
        rounded = torch.tensor(self.step_size, dtype=torch.float32).item()
        if not 0 < rounded < float("inf"):
            raise ValueError(
                f"step_size must be a positive float32, got {self.step_size}"
            )
        object.__setattr__(self, "step_size", rounded)

    def dequantize(self, symbols: Int32[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the values that symbols stand for.

        Args:
            symbols: Any shape.

        Returns:
            float32 of the same shape.

        Example:
            >>> symbols = torch.tensor([-2, 0, 3], dtype=torch.int32)
            >>> UniformQuantizer(0.5).dequantize(symbols).tolist()
            [-1.0, 0.0, 1.5]
        """
        return symbols.float() * self.step_size


@dataclass(frozen=True)
class Codebook:
    """Symbol 0 stands for zero, symbol ``s`` for an entry of a sorted list.

    Attributes:
        negative: Values of the symbols -1, -2, …; falling.
        positive: Values of the symbols 1, 2, …; rising.
    """

    negative: tuple[float, ...]
    positive: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.negative) + len(self.positive) == 0:
            raise ValueError("a codebook needs at least one value beside zero")

    def dequantize(self, symbols: Int32[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the values that symbols stand for.

        Args:
            symbols: From ``-len(negative)`` to ``len(positive)``.

        Returns:
            float32 of the same shape.

        Raises:
            ValueError: If a symbol has no value.

        Example:
            >>> codebook = Codebook(negative=(-0.5,), positive=(0.25, 1.0))
            >>> symbols = torch.tensor([-1, 0, 2], dtype=torch.int32)
            >>> codebook.dequantize(symbols).tolist()
            [-0.5, 0.0, 1.0]
        """
        if symbols.numel():
            low, high = int(symbols.min()), int(symbols.max())
            if low < -len(self.negative) or high > len(self.positive):
                raise ValueError(
                    f"symbols from {low} to {high}, but the codebook has values for "
                    f"{-len(self.negative)} to {len(self.positive)}"
                )
        values = [*reversed(self.negative), 0.0, *self.positive]
        table = torch.tensor(values, dtype=torch.float32, device=symbols.device)
        return table[(symbols + len(self.negative)).long()]


Quantizer = UniformQuantizer | Codebook


@dataclass(frozen=True)
class QuantizedTensor:
    """Symbols and their meaning.

    Attributes:
        symbols: int32 in the tensor's shape, magnitudes up to ``LARGEST_SYMBOL``; zero
            is exactly zero.
        quantizer: What the symbols stand for.
        dtype: The tensor's dtype before, and after decoding.
    """

    symbols: Int32[Tensor, "..."]
    quantizer: Quantizer
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        if self.symbols.numel() and int(self.symbols.abs().max()) > LARGEST_SYMBOL:
            raise ValueError(
                f"symbols reach {int(self.symbols.abs().max())}, the largest magnitude "
                f"is {LARGEST_SYMBOL}: take a larger step"
            )

    def dequantize(self) -> Tensor:
        """Return the tensor that the symbols stand for, in its own dtype."""
        return self.quantizer.dequantize(self.symbols).to(self.dtype)

    @property
    def kept_fraction(self) -> float:
        """Share of symbols that are not zero; 0 for an empty tensor."""
        total = self.symbols.numel()
        return int(torch.count_nonzero(self.symbols)) / total if total else 0.0

    @property
    def num_levels(self) -> int:
        """How many different symbols occur, zero included if it does."""
        return len(self._counts())

    @property
    def entropy_bits(self) -> float:
        """Bits of all symbols, each coded on its own by their frequencies."""
        counts = self._counts().double()
        p = counts / max(self.symbols.numel(), 1)
        return float(-(counts * p.log2()).sum()) + 0.0  # not minus zero

    def _counts(self) -> Tensor:
        """Count every symbol that occurs."""
        flat = self.symbols.reshape(-1)
        alive = flat[flat != 0]  # few of millions: only these are sorted
        _, counts = alive.unique(return_counts=True)
        num_zeros = flat.numel() - alive.numel()
        return torch.cat([counts, counts.new_tensor([num_zeros])[: min(num_zeros, 1)]])
