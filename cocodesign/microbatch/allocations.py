"""What a computation allocates, as torch's allocator reports it.

The allocator's events come from torch's profiler: every block that torch takes or frees
on the way, also inside its own functions. What a library such as oneDNN takes past
torch's allocator is not seen.
"""

import bisect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch.autograd.profiler import profile, record_function

_MEMORY_EVENT = "[memory]"
_REGION_PREFIX = "cocodesign.microbatch/"


@dataclass(frozen=True)
class Region:
    """A named stretch of a trace.

    Attributes:
        name: As given to ``named_region``.
        start: Index of the first event in it.
        stop: Index of the first event after it.
        duration_s: How long it took.
    """

    name: str
    start: int
    stop: int
    duration_s: float


@dataclass(frozen=True)
class MemoryTrace:
    """The allocated bytes over time, beyond what was there at the beginning.

    Attributes:
        seconds: When each block was taken or freed, from the first one on.
        live_bytes: What was allocated after each event.
        regions: The named regions, by beginning.
    """

    seconds: tuple[float, ...]
    live_bytes: tuple[int, ...]
    regions: tuple[Region, ...] = ()

    @property
    def peak_bytes(self) -> int:
        """The most that was allocated at once."""
        return max(self.live_bytes, default=0)

    @property
    def kept_bytes(self) -> int:
        """What was still allocated at the end."""
        return self.live_bytes[-1] if self.live_bytes else 0

    def highest(self, start: int, stop: int) -> int:
        """Return the most that was allocated between two events."""
        return max([self.before(start), *self.live_bytes[start:stop]])

    def before(self, index: int) -> int:
        """Return what was allocated before an event."""
        return self.live_bytes[index - 1] if index else 0


def trace_memory(work: Callable[[], object]) -> MemoryTrace:
    """Run something once and trace what it allocates on the CPU.

    What ``work`` returns is kept to the end, so that it counts as allocated.

    Args:
        work: Called once.

    Returns:
        The trace.

    Example:
        >>> import torch
        >>> trace_memory(lambda: torch.empty(1000)).peak_bytes
        4000
    """
    with _quiet_profiler(), profile(profile_memory=True) as profiler:
        kept = work()
    recorded: Any = profiler  # its stubs know neither sizes nor devices
    results = recorded.kineto_results
    events = [
        event
        for event in results.events()
        if event.name() == _MEMORY_EVENT and event.device_type().name == "CPU"
    ]
    events.sort(key=lambda event: event.start_ns())
    starts = [event.start_ns() for event in events]
    live: list[int] = []
    total = 0
    for event in events:
        total += event.nbytes()
        live.append(total)
    regions = [
        Region(
            event.name().removeprefix(_REGION_PREFIX),
            _first_at(starts, event.start_ns()),
            _first_at(starts, event.start_ns() + event.duration_ns()),
            event.duration_ns() * 1e-9,
        )
        for event in results.events()
        if event.name().startswith(_REGION_PREFIX)
    ]
    del kept
    origin = starts[0] if starts else 0
    return MemoryTrace(
        tuple((start - origin) * 1e-9 for start in starts),
        tuple(live),
        tuple(sorted(regions, key=lambda region: (region.start, -region.stop))),
    )


def named_region(name: str) -> record_function:
    """Mark a stretch of code, so that a trace shows where it begins and ends.

    Args:
        name: The name; it need not be unique.

    Returns:
        A context manager, which costs a few microseconds.
    """
    return record_function(_REGION_PREFIX + name)


def _first_at(starts: list[int], time_ns: int) -> int:
    """Return the index of the first event that is not earlier."""
    return bisect.bisect_left(starts, time_ns)


@contextmanager
def _quiet_profiler() -> Iterator[None]:
    """Keep the profiler from writing to standard error that it starts and stops.

    It reads its log level from the environment when it is first used.
    """
    name = "KINETO_LOG_LEVEL"
    before = os.environ.get(name)
    os.environ.setdefault(name, "99")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
