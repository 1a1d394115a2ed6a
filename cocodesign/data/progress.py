"""What a fetch tells its caller while it works."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class FetchEvent:
    """One step of a fetch, or a part of a transfer.

    Attributes:
        dataset: The data set's name.
        message: What is happening, one line.
        done_bytes: How much of a transfer has arrived; ``None`` for a step.
        total_bytes: Length of the transfer; ``None`` for a step, or if unknown.
    """

    dataset: str
    message: str
    done_bytes: int | None = None
    total_bytes: int | None = None


Progress = Callable[[FetchEvent], None]


def ignore(_event: FetchEvent) -> None:
    """Tell nobody."""
