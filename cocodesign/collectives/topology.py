"""Machines with shared links, in numbers.

A machine is a nest of domains: ranks in a node, nodes in a rack, all racks. Two ranks
talk over the links of the smallest domain that holds both; what leaves or enters a
domain shares its uplink with all else that does so at that moment.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise

import numpy as np
from jaxtyping import Float, Int

from cocodesign.collectives.schedules import Level, Step

ABCI_NUM_RANKS = 4352
"""GPUs of the ABCI of 2018, 1,088 nodes of 4."""

Ranks = Int[np.ndarray, " ranks"]


@dataclass(frozen=True)
class Domain:
    """Neighbouring ranks with links of their own.

    Attributes:
        num_ranks: How many; the outermost domain holds all ranks there are.
        latency_s: Of a message within the domain.
        bytes_per_s: Of one message alone within the domain.
        uplink_bytes_per_s: Of all messages that leave the domain at once, and again of
            all that enter it. The outermost domain has none.
    """

    num_ranks: int
    latency_s: float
    bytes_per_s: float
    uplink_bytes_per_s: float = float("inf")


@dataclass(frozen=True)
class Topology:
    """A machine.

    Attributes:
        name: What to call it.
        domains: From the innermost to the outermost, each a multiple of the one before.
        sum_bytes_per_s: How fast a rank adds up what it has received.
    """

    name: str
    domains: tuple[Domain, ...]
    sum_bytes_per_s: float = float("inf")

    def __post_init__(self) -> None:
        sizes = [domain.num_ranks for domain in self.domains]
        nested = all(outer % inner == 0 for inner, outer in pairwise(sizes))
        if not sizes or not nested:
            raise ValueError(
                f"each domain must be a multiple of the one inside it, got {sizes}"
            )

    def message_seconds(
        self,
        sources: Ranks,
        targets: Ranks,
        num_bytes: float | Float[np.ndarray, " ranks"],
    ) -> Float[np.ndarray, " ranks"]:
        """Return how long messages take that are under way at the same time.

        Args:
            sources: Who sends; each rank at most once.
            targets: Who receives; each rank at most once.
            num_bytes: Size of every message, or of each.

        Returns:
            Seconds of each message: its latency and, of its own link and the shared
            uplinks on its way, the time that the slowest needs.
        """
        sizes = np.broadcast_to(np.asarray(num_bytes, float), sources.shape)
        latencies = np.empty(len(sources))
        slowest = np.empty(len(sources))
        for domain in reversed(self.domains):  # the smallest that holds both counts
            inside = sources // domain.num_ranks == targets // domain.num_ranks
            inside |= domain is self.domains[-1]
            latencies[inside] = domain.latency_s
            slowest[inside] = sizes[inside] / domain.bytes_per_s
        for domain in self.domains[:-1]:
            homes, others = sources // domain.num_ranks, targets // domain.num_ranks
            leaving = homes != others
            if not leaving.any():
                continue
            for ends in (homes, others):
                loads = np.bincount(ends[leaving], sizes[leaving])
                shared = loads[ends[leaving]] / domain.uplink_bytes_per_s
                slowest[leaving] = np.maximum(slowest[leaving], shared)
        return latencies + slowest


@dataclass(frozen=True)
class SimulatedMachine:
    """A number of ranks of a topology; a ``Machine`` for ``predict`` and ``tune``.

    Each round ends when its slowest message has arrived. Native levels count as rings.

    Attributes:
        topology: The machine.
        world_size: The ranks, from the machine's first one on.
        overhead_s: Seconds of a collective of no rounds.
    """

    topology: Topology
    world_size: int
    overhead_s: float = 0.0

    def level_s(
        self, level: Level, stride: int, num_bytes: float, *, reduces: bool
    ) -> float:
        """Return the seconds of one level; see ``Machine``."""
        seconds = 0.0
        for step, num_rounds in step_kinds(level):
            message = num_bytes * step.num_blocks / level.size
            slowest = max(
                latency_s + message * seconds_per_byte
                for latency_s, seconds_per_byte in _links(self, level, stride, step)
            )
            seconds += num_rounds * (
                slowest + (self.sum_s(message) if reduces else 0.0)
            )
        return seconds

    def sum_s(self, num_bytes: float) -> float:
        """Return the seconds of adding up this many bytes."""
        return num_bytes / self.topology.sum_bytes_per_s

    def messages(self, level: Level, stride: int, step: Step) -> tuple[Ranks, Ranks]:
        """Return who sends to whom in a round of a reduce-scatter.

        Args:
            level: The level.
            stride: Distance between neighbouring members.
            step: The round.

        Returns:
            Sources and targets.
        """
        sources = np.arange(self.world_size)
        digits = sources // stride % level.size
        targets = sources + ((digits + step.skip) % level.size - digits) * stride
        return sources, targets


@lru_cache(maxsize=4096)
def _links(
    machine: SimulatedMachine, level: Level, stride: int, step: Step
) -> list[tuple[float, float]]:
    """Return the slowest links that a round uses: latency and seconds per byte."""
    sources, targets = machine.messages(level, stride, step)
    latencies = machine.topology.message_seconds(sources, targets, 0.0)
    # Exact, as the times of messages of one size are linear in it.
    slopes = machine.topology.message_seconds(sources, targets, 1.0) - latencies
    return [
        (latency_s, float(slopes[latencies == latency_s].max()))
        for latency_s in {domain.latency_s for domain in machine.topology.domains}
        if (latencies == latency_s).any()
    ]


def step_kinds(level: Level) -> Iterator[tuple[Step, int]]:
    """Yield the rounds of a level that differ if all blocks are of one size.

    Args:
        level: The level.

    Yields:
        The first of some like rounds, and how many there are.
    """
    for _, like in groupby(
        level.steps(), key=lambda step: (step.skip, step.num_blocks)
    ):
        rounds = list(like)
        yield rounds[0], len(rounds)


def abci(num_ranks: int = ABCI_NUM_RANKS) -> Topology:
    """Return the ABCI of 2018: 1,088 nodes of 4 V100.

    Peak rates as published by its operator: NVLink with 50 GB/s between two GPUs, two
    InfiniBand EDR ports of 12.5 GB/s a node, racks of 34 nodes, and between the racks a
    third of the full rate. The latencies, 5 µs and 10 µs, and the rate of summing are
    assumptions of ours.

    Args:
        num_ranks: The GPUs of the whole machine.

    Returns:
        The machine.
    """
    return Topology(
        "ABCI, 4 GPUs a node",
        (
            Domain(4, 5e-6, 50e9, uplink_bytes_per_s=25e9),
            Domain(136, 10e-6, 12.5e9, uplink_bytes_per_s=34 * 25e9 / 3),
            Domain(_whole(num_ranks, 136), 10e-6, 12.5e9),
        ),
        sum_bytes_per_s=300e9,
    )


def modern(num_ranks: int = 16_384) -> Topology:
    """Return a machine of nodes with 8 H100 and a network port for each.

    Peak rates of the manufacturer: NVLink with 450 GB/s for each GPU, one InfiniBand
    NDR port of 50 GB/s for each GPU, no thinning between nodes. The latencies, 3 µs and
    6 µs, and the rate of summing are assumptions of ours.

    Args:
        num_ranks: The GPUs of the whole machine.

    Returns:
        The machine.
    """
    return Topology(
        "8 GPUs a node, a port each",
        (
            Domain(8, 3e-6, 450e9, uplink_bytes_per_s=8 * 50e9),
            Domain(_whole(num_ranks, 8), 6e-6, 50e9),
        ),
        sum_bytes_per_s=1000e9,
    )


def _whole(num_ranks: int, unit: int) -> int:
    """Round up to whole nodes or racks."""
    return -(-num_ranks // unit) * unit
