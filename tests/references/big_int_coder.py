"""Entropy coders on Python's unbounded integers: no carry, no words, no lanes.

The arithmetic coder keeps its whole interval as one integer; the numeral system keeps
its whole state. What the library streams byte by byte must describe the same numbers.
"""

from collections.abc import Sequence


class BigIntEncoder:
    """The binary arithmetic coder with ``low`` as one growing integer."""

    def __init__(self) -> None:
        self.low, self.range, self.num_shifts = 0, (1 << 48) - 1, 0

    def encode(self, bit: int, probability: int) -> None:
        bound = (self.range >> 16) * probability
        if bit:
            self.range = bound
        else:
            self.low += bound
            self.range -= bound
        while self.range < 1 << 40:
            self.range <<= 8
            self.low <<= 8
            self.num_shifts += 1

    def contains(self, stream: bytes) -> bool:
        """Whether the stream, with zeros behind it, lies in the final interval."""
        length = self.num_shifts + 6
        value = int.from_bytes(stream.ljust(length, b"\0")[:length], "big")
        return len(stream) <= length and self.low <= value < self.low + self.range


def big_state(classes: Sequence[int], frequencies: Sequence[int]) -> int:
    """Return the state of a numeral system that coded classes, the last one first."""
    total = sum(frequencies)
    starts = [sum(frequencies[:i]) for i in range(len(frequencies))]
    state = 1
    for number in reversed(classes):
        f = frequencies[number]
        state = state // f * total + starts[number] + state % f
    return state


def classes_of_state(state: int, num: int, frequencies: Sequence[int]) -> list[int]:
    """Undo ``big_state``."""
    total = sum(frequencies)
    owners = [i for i, f in enumerate(frequencies) for _ in range(f)]
    starts = [sum(frequencies[:i]) for i in range(len(frequencies))]
    classes = []
    for _ in range(num):
        slot = state % total
        number = owners[slot]
        state = frequencies[number] * (state // total) + slot - starts[number]
        classes.append(number)
    return classes
