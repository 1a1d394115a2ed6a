# pyright: strict
"""A convolution as numbers: what has to be computed, without any data.

Letters, for one convolution of a whole mini-batch:

* ``N`` examples, ``C`` input and ``K`` output channels, ``G`` groups;
* the window has one extent per spatial axis, one to three of them;
* the forward pass maps ``x`` of ``[N, C, *input_size]`` and ``w`` of
  ``[K, C/G, *kernel_size]`` to ``y`` of ``[N, K, *output_size]``;
* ``backward_data`` maps ``dy`` and ``w`` to ``dx``, ``backward_filter`` maps ``x`` and
  ``dy`` to ``dw``.

A transposed convolution is the ``backward_data`` of a problem, so it needs no problem
of its own: see ``cocodesign.microbatch.operators``.
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast, get_args

Direction = Literal["forward", "backward_data", "backward_filter"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)

ELEMENT_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
"""Bytes of an element, by the name of its type."""


@dataclass(frozen=True)
class ConvProblem:
    """The sizes of one convolution layer at one mini-batch.

    Attributes:
        mini_batch_size: N ≥ 1, the examples of an optimizer step.
        in_channels: C ≥ 1.
        out_channels: K ≥ 1.
        input_size: Extents of a picture, one to three of them.
        kernel_size: Extents of the window, as many as ``input_size``.
        stride: Steps of the window ≥ 1.
        padding: Zeros ≥ 0 on both sides of each axis.
        dilation: Distances of the window's elements ≥ 1.
        groups: G ≥ 1, a divisor of C and K.
        dtype: Type of all three tensors, a key of ``ELEMENT_BYTES``.

    Raises:
        ValueError: If a value is out of its range, or nothing is left to compute.

    Example:
        >>> ConvProblem.square(8, 3, 64, size=32, kernel=3, padding=1).output_size
        (32, 32)
    """

    mini_batch_size: int
    in_channels: int
    out_channels: int
    input_size: tuple[int, ...]
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.dtype not in ELEMENT_BYTES:
            known = ", ".join(ELEMENT_BYTES)
            raise ValueError(f"dtype must be one of {known}, got {self.dtype!r}")
        for name in ("mini_batch_size", "in_channels", "out_channels", "groups"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        if not 1 <= self.num_axes <= 3:
            raise ValueError(
                f"input_size needs 1 to 3 extents, got {self.input_size}: a batch and "
                "a channel axis are not part of it"
            )
        for name, lowest in (
            ("input_size", 1),
            ("kernel_size", 1),
            ("stride", 1),
            ("padding", 0),
            ("dilation", 1),
        ):
            values: tuple[int, ...] = getattr(self, name)
            if len(values) != self.num_axes or min(values) < lowest:
                raise ValueError(
                    f"{name} needs {self.num_axes} values of at least {lowest}, "
                    f"got {values}"
                )
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"groups must divide both numbers of channels, got {self.groups} for "
                f"{self.in_channels} and {self.out_channels}"
            )
        if min(self.output_size) < 1:
            raise ValueError(
                f"a window of {self.kernel_size} with dilation {self.dilation} does "
                f"not fit into {self.input_size} padded by {self.padding}"
            )

    @classmethod
    def square(
        cls,
        mini_batch_size: int,
        in_channels: int,
        out_channels: int,
        *,
        size: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        dtype: str = "float32",
    ) -> "ConvProblem":
        """Make a two-dimensional problem whose extents are the same on both axes."""
        return cls(
            mini_batch_size,
            in_channels,
            out_channels,
            (size, size),
            (kernel, kernel),
            (stride, stride),
            (padding, padding),
            (dilation, dilation),
            groups,
            dtype,
        )

    @property
    def num_axes(self) -> int:
        """The number of spatial axes."""
        return len(self.input_size)

    @property
    def output_size(self) -> tuple[int, ...]:
        """Extents of an output."""
        return tuple(
            (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel, stride, padding, dilation in zip(
                self.input_size,
                self.kernel_size,
                self.stride,
                self.padding,
                self.dilation,
                strict=True,
            )
        )

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the filter."""
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)

    @property
    def element_bytes(self) -> int:
        """Bytes of one element of the tensors."""
        return ELEMENT_BYTES[self.dtype]

    @property
    def input_bytes(self) -> int:
        """Bytes of one example's input."""
        return self.element_bytes * self.in_channels * math.prod(self.input_size)

    @property
    def output_bytes(self) -> int:
        """Bytes of one example's output."""
        return self.element_bytes * self.out_channels * math.prod(self.output_size)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the filter."""
        return self.element_bytes * math.prod(self.weight_shape)

    @property
    def flops(self) -> int:
        """Multiplications and additions of one direction by the definition."""
        per_output = 2 * math.prod(self.weight_shape[1:])
        num_outputs = self.out_channels * math.prod(self.output_size)
        return self.mini_batch_size * num_outputs * per_output

    @property
    def label(self) -> str:
        """The sizes in a table's length, such as ``28x28 192->32 5x5``."""
        text = f"{_times(self.input_size)} {self.in_channels}->{self.out_channels} "
        text += _times(self.kernel_size)
        if max(self.stride) > 1:
            text += f"/{_times(self.stride)}"
        return text

    def with_mini_batch(self, mini_batch_size: int) -> "ConvProblem":
        """Return the same layer at another mini-batch size."""
        return replace(self, mini_batch_size=mini_batch_size)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON."""
        return {
            name: list(cast("tuple[int, ...]", value))
            if isinstance(value, tuple)
            else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "ConvProblem":
        """Rebuild what ``to_dict`` gave."""
        axes: dict[str, Any] = {
            name: tuple(fields[name])
            for name in ("input_size", "kernel_size", "stride", "padding", "dilation")
        }
        return cls(**{**fields, **axes})


def _times(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))
