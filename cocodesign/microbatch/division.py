# pyright: strict
"""What the planner chooses from, and what it chooses.

A kernel (one direction of one layer) may run its mini-batch in parts. Its parts run in
turn in one workspace, grouped by algorithm, so that

    time = Σ run + Σ setup of the algorithms used,   workspace = max over the parts.

A *setup* is what is paid once per call however many parts there are: transforming the
filter, or transforming its summed gradient back. Without setups this is the model of
Oyama et al. (2018), arXiv:1804.04806, Section III.
"""

import re
from dataclasses import dataclass
from itertools import groupby

_PART = re.compile(r"([a-z0-9_]+):(\d+)(?:\*(\d+))?")


@dataclass(frozen=True)
class Candidate:
    """An algorithm at one micro-batch size, as measured.

    Attributes:
        algorithm: Its name.
        micro_batch_size: Examples per run.
        run_s: Seconds of one run, without the setup.
        workspace_bytes: Scratch memory while it runs, that of the setup included.
        setup_s: Seconds once per call.
        error_bound: Bound on the error relative to the sum of the absolute products.
    """

    algorithm: str
    micro_batch_size: int
    run_s: float
    workspace_bytes: int
    setup_s: float = 0.0
    error_bound: float = 0.0

    def __post_init__(self) -> None:
        if self.micro_batch_size < 1:
            raise ValueError(
                f"micro_batch_size must be at least 1, got {self.micro_batch_size}"
            )
        if not (self.run_s >= 0 and self.setup_s >= 0 and self.workspace_bytes >= 0):
            raise ValueError(
                f"times and workspace must not be negative: {self.algorithm}, "
                f"{self.run_s} s, {self.setup_s} s, {self.workspace_bytes} bytes"
            )


@dataclass(frozen=True)
class Part:
    """Some examples of the mini-batch and the algorithm that takes them.

    Attributes:
        algorithm: Its name.
        micro_batch_size: The number of examples.
    """

    algorithm: str
    micro_batch_size: int


@dataclass(frozen=True)
class Division:
    """How one kernel runs its mini-batch.

    Attributes:
        parts: In the order in which they run, one algorithm after the other.
        time_s: Expected seconds.
        workspace_bytes: The largest scratch memory of any part.
        error_bound: The largest bound of any part.
    """

    parts: tuple[Part, ...]
    time_s: float = 0.0
    workspace_bytes: int = 0
    error_bound: float = 0.0

    @property
    def mini_batch_size(self) -> int:
        """The examples of all parts."""
        return sum(part.micro_batch_size for part in self.parts)

    @property
    def is_undivided(self) -> bool:
        """Whether the mini-batch stays whole."""
        return len(self.parts) == 1

    def __str__(self) -> str:
        """Return the parts as text; ``parse_parts`` is the inverse."""
        texts: list[str] = []
        for part, equal in groupby(self.parts):
            count = len(list(equal))
            times = f"*{count}" if count > 1 else ""
            texts.append(f"{part.algorithm}:{part.micro_batch_size}{times}")
        return " ".join(texts)


def parse_parts(text: str) -> tuple[Part, ...]:
    """Read the parts of a division from its text.

    Args:
        text: Such as ``"fft:32*3 direct:4"``.

    Returns:
        The parts.

    Raises:
        ValueError: If the text is none.

    Example:
        >>> [part.micro_batch_size for part in parse_parts("fft:32*2 direct:4")]
        [32, 32, 4]
    """
    parts: list[Part] = []
    for word in text.split():
        match = _PART.fullmatch(word)
        if match is None or int(match[2]) < 1:
            raise ValueError(
                f"a part reads algorithm:examples or algorithm:examples*times, "
                f"got {word!r}"
            )
        parts += [Part(match[1], int(match[2]))] * int(match[3] or 1)
    if not parts:
        raise ValueError("a division needs at least one part")
    return tuple(parts)
