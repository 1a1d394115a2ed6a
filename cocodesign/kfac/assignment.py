# pyright: strict
"""Which rank inverts what, and which ranks precondition a layer.

The p ranks form a grid of ``p / w`` columns of ``w`` neighbouring ranks. Every layer
belongs to one column, whose w ranks all hold its inverses and precondition its
gradient; each of its statistics (A, G) is averaged and inverted by one of them, the
owner. The layers' new directions then travel along the rows. The number of workers w
trades memory for communication:

* ``w = p``: every rank holds all inverses, no direction is sent (KAISA's COMM-OPT);
* ``w = 1``: every inverse is held once, all directions are sent (MEM-OPT);
* between: HYBRID-OPT.

Source: Pauloski et al. (2021), KAISA, arXiv:2107.01739, Section 3.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush


@dataclass(frozen=True)
class Assignment:
    """Who does what.

    Attributes:
        world_size: Ranks p.
        num_workers: Ranks w per column, a divisor of p.
        columns: For every layer its column.
        owners: For every layer and each of its statistics the rank that inverts it.
        loads: For every rank the cost of what it inverts.
    """

    world_size: int
    num_workers: int
    columns: tuple[int, ...]
    owners: tuple[tuple[int, ...], ...]
    loads: tuple[float, ...]

    @property
    def num_columns(self) -> int:
        """The number of columns, ``p / w``."""
        return self.world_size // self.num_workers

    @property
    def balance(self) -> float:
        """The mean load over the largest; 1 is a perfect balance."""
        largest = max(self.loads)
        return sum(self.loads) / self.world_size / largest if largest else 1.0

    def column_ranks(self, column: int) -> range:
        """Return the ranks of a column."""
        return range(column * self.num_workers, (column + 1) * self.num_workers)

    def row_ranks(self, rank: int) -> range:
        """Return the ranks of a rank's row: one of each column."""
        return range(rank % self.num_workers, self.world_size, self.num_workers)


def inversion_cost(size: int) -> float:
    """Return what inverting a matrix costs, in multiples of a constant: ``n³``."""
    return float(size) ** 3


def assign(
    costs: Sequence[Sequence[float]], world_size: int, num_workers: int
) -> Assignment:
    """Balance layers over columns, and their statistics over the ranks of a column.

    The longest first, each to whom has the least so far; the largest load then is at
    most ``4/3 - 1/(3m)`` times the least possible for m processors (Graham 1969,
    doi:10.1137/0117039). Within a column, A and G of one layer may have two owners. If
    there are fewer layers than ranks, the idle ranks lie evenly between the others:
    neighbours share a node and its network, and all owners receive at once.

    Args:
        costs: For every layer the costs of its statistics.
        world_size: Ranks p, at least 1.
        num_workers: Ranks w per column, a divisor of p.

    Returns:
        The assignment, the same wherever it is computed.

    Raises:
        ValueError: If w does not divide p.

    Example:
        >>> two_layers = [[8.0, 1.0], [4.0, 4.0]]
        >>> assign(two_layers, world_size=2, num_workers=1).owners  # whole layers
        ((0, 0), (1, 1))
        >>> assign(two_layers, world_size=2, num_workers=2).loads  # A and G apart
        (9.0, 8.0)
        >>> assign([[1.0], [1.0]], world_size=8, num_workers=1).columns  # far apart
        (0, 5)
    """
    if world_size < 1 or num_workers < 1 or world_size % num_workers:
        raise ValueError(
            f"num_workers must divide the {world_size} ranks, got {num_workers}"
        )
    num_columns = world_size // num_workers
    columns, _ = _longest_first([sum(layer) for layer in costs], num_columns)
    owners = [[0] * len(layer) for layer in costs]
    loads: list[float] = []
    for column in range(num_columns):
        members = [
            (layer, statistic)
            for layer, layer_costs in enumerate(costs)
            if columns[layer] == column
            for statistic in range(len(layer_costs))
        ]
        places, column_loads = _longest_first(
            [costs[layer][statistic] for layer, statistic in members], num_workers
        )
        for (layer, statistic), place in zip(members, places, strict=True):
            owners[layer][statistic] = column * num_workers + place
        loads += column_loads
    return Assignment(
        world_size,
        num_workers,
        tuple(columns),
        tuple(map(tuple, owners)),
        tuple(loads),
    )


def _longest_first(
    costs: Sequence[float], num_places: int
) -> tuple[list[int], list[float]]:
    """Return the place of every cost, and the load of every place."""
    places = [0] * len(costs)
    loads = [0.0] * num_places
    least = [(0.0, turn, place) for turn, place in enumerate(_spread(num_places))]
    for index in sorted(range(len(costs)), key=lambda each: (-costs[each], each)):
        load, turn, place = heappop(least)
        places[index] = place
        loads[place] = load + costs[index]
        heappush(least, (loads[place], turn, place))
    return places, loads


def _spread(num_places: int) -> list[int]:
    """Order the places so that the first few lie evenly and fill all groups alike."""
    # Multiples of the golden section do. An even distance such as 32 would choose the
    # same place of every node, to which a hierarchical reduce-scatter then sends all.
    step = round(num_places * (math.sqrt(5) - 1) / 2)
    while math.gcd(step, num_places) > 1:
        step += 1
    return [turn * step % num_places for turn in range(num_places)]
