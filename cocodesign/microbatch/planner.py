# pyright: strict
"""The fastest division of a mini-batch under a workspace limit, exactly.

Notation of Oyama et al. (2018), arXiv:1804.04806, Section III.B ("Workspace Reuse"):
with ``t(b)`` the fastest run of ``b`` examples whose workspace fits, the fastest way
through ``n`` examples is

    T(0) = 0,    T(n) = min over b ≤ n of t(b) + T(n - b).

Three things are added. All limits of a front are solved at once, as rows of one array.
Where the sizes form a chain of divisors (powers of two do), ``T`` needs only one state
per size. And algorithms may have a setup that is paid once (``Candidate.setup_s``):
the minimum then runs over the sets of algorithms that may be used, and sets whose
lower bound is too high are never solved.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cocodesign.errors import InfeasiblePlanError
from cocodesign.microbatch.division import Candidate, Division, Part

Policy = Literal["undivided", "power_of_two", "all"]
Times = NDArray[np.float64]


def candidate_sizes(mini_batch_size: int, policy: Policy) -> tuple[int, ...]:
    """Return the micro-batch sizes that a policy allows.

    Args:
        mini_batch_size: N ≥ 1.
        policy: ``undivided`` allows N alone, ``power_of_two`` the powers of two below
            N and N, ``all`` every size.

    Returns:
        The sizes in rising order.

    Raises:
        ValueError: If there is no such policy.

    Example:
        >>> candidate_sizes(12, "power_of_two")
        (1, 2, 4, 8, 12)
    """
    if policy == "undivided":
        return (mini_batch_size,)
    if policy == "power_of_two":
        powers = (1 << exponent for exponent in range(mini_batch_size.bit_length()))
        return tuple(sorted({mini_batch_size, *powers}))
    if policy == "all":
        return tuple(range(1, mini_batch_size + 1))
    raise ValueError(f"policy must be one of {get_args(Policy)}, got {policy!r}")


def best_division(
    candidates: Sequence[Candidate],
    mini_batch_size: int,
    workspace_limit_bytes: int | None = None,
    *,
    max_error: float = math.inf,
) -> Division:
    """Find the fastest division whose parts all fit into a workspace.

    Args:
        candidates: What was measured; sizes that it lacks are not used.
        mini_batch_size: N ≥ 1.
        workspace_limit_bytes: The limit; ``None`` for none.
        max_error: Candidates with a larger ``error_bound`` are not used.

    Returns:
        The fastest division. Among equally fast ones it has no property to rely on.

    Raises:
        InfeasiblePlanError: If no division of all examples fits.

    Example:
        >>> slow = Candidate("direct", 4, run_s=4.0, workspace_bytes=0)
        >>> fast = Candidate("fft", 2, run_s=1.0, workspace_bytes=100)
        >>> str(best_division([slow, fast], 4, 100))
        'fft:2*2'
        >>> str(best_division([slow, fast], 4, 99))
        'direct:4'
    """
    limit = math.inf if workspace_limit_bytes is None else workspace_limit_bytes
    usable = [one for one in candidates if one.error_bound <= max_error]
    (division,) = divisions_by_limit(usable, mini_batch_size, [limit])
    if division is None:
        lowest = min((one.workspace_bytes for one in candidates), default=0)
        raise InfeasiblePlanError(
            f"no division of {mini_batch_size} examples fits into {limit:,.0f} bytes "
            f"with an error bound of {max_error:.2g}: raise the limits (the smallest "
            f"workspace of the {len(candidates)} candidates is {lowest:,} bytes)"
        )
    return division


def divisions_by_limit(
    candidates: Sequence[Candidate], mini_batch_size: int, limits: Sequence[float]
) -> list[Division | None]:
    """Find the fastest division under each of several workspace limits.

    Args:
        candidates: What was measured.
        mini_batch_size: N ≥ 1.
        limits: In bytes.

    Returns:
        One division per limit, ``None`` where nothing fits.
    """
    table = _Table(candidates, mini_batch_size, limits)
    totals, chosen = _choose_algorithms(table)
    divisions: list[Division | None] = []
    known: dict[tuple[float, tuple[int, ...]], Division] = {}
    for row, algorithms in enumerate(chosen):
        key = (float(totals[row]), algorithms)
        division = known.get(key)  # of another limit that allows no faster one
        if algorithms and (not division or division.workspace_bytes > limits[row]):
            division = known[key] = table.division(row, algorithms)
        divisions.append(division)
    return divisions


class _Table:
    """The candidates as an array ``[algorithm, limit, size]`` of seconds."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        mini_batch_size: int,
        limits: Sequence[float],
    ) -> None:
        useful = _undominated(
            [one for one in candidates if one.micro_batch_size <= mini_batch_size]
        )
        self.algorithms = tuple(dict.fromkeys(one.algorithm for one in useful))
        self.sizes = tuple(sorted({one.micro_batch_size for one in useful}))
        self.mini_batch_size = mini_batch_size
        self.limits = limits
        self.known = {(one.algorithm, one.micro_batch_size): one for one in useful}
        if len(self.known) < len(useful):
            raise ValueError("an algorithm has two candidates of one micro-batch size")
        setups = {(one.algorithm, one.setup_s) for one in useful}
        if len(setups) > len(self.algorithms):
            raise ValueError(f"an algorithm needs one setup time, got {sorted(setups)}")
        shape = (len(self.algorithms), len(limits), len(self.sizes))
        self.run_s = np.full(shape, np.inf)
        for one in useful:
            fits = np.asarray(limits, dtype=float) >= one.workspace_bytes
            row = self.algorithms.index(one.algorithm)
            self.run_s[row, fits, self.sizes.index(one.micro_batch_size)] = one.run_s
        by_name = dict(setups)
        self.setup_s = np.array([by_name[name] for name in self.algorithms])

    def totals(self, algorithms: Sequence[int]) -> Times:
        """Return T(N) per limit when these algorithms may be used, without setups."""
        if not algorithms:
            return np.full(len(self.limits), np.inf)
        run_s = self.run_s[list(algorithms)].min(0)
        return shortest_times(run_s, self.sizes, self.mini_batch_size)

    def division(self, row: int, algorithms: Sequence[int]) -> Division:
        """Return the fastest division at one limit with these algorithms."""
        choices = self.run_s[list(algorithms), row]
        counts = shortest_path(choices.min(0), self.sizes, self.mini_batch_size)
        used: list[tuple[Candidate, int]] = []
        for index, count in counts.items():
            fastest = self.algorithms[algorithms[int(choices[:, index].argmin())]]
            used.append((self.known[fastest, self.sizes[index]], count))
        # Grouped, so that filters of two algorithms are never held at once.
        used.sort(key=lambda each: (each[0].algorithm, -each[0].micro_batch_size))
        setups = {one.algorithm: one.setup_s for one, _ in used}
        parts: list[Part] = []
        for one, count in used:
            parts += [Part(one.algorithm, one.micro_batch_size)] * count
        return Division(
            tuple(parts),
            time_s=sum(count * one.run_s for one, count in used) + sum(setups.values()),
            workspace_bytes=max(one.workspace_bytes for one, _ in used),
            error_bound=max(one.error_bound for one, _ in used),
        )


def _undominated(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Drop what one without a setup beats at the same size in time and workspace."""
    kept: list[Candidate] = []
    fastest: dict[int, float] = {}
    for one in sorted(candidates, key=lambda one: (one.workspace_bytes, one.run_s)):
        if one.run_s < fastest.get(one.micro_batch_size, math.inf):
            kept.append(one)
            if one.setup_s == 0:
                fastest[one.micro_batch_size] = one.run_s
    return kept


def _choose_algorithms(table: _Table) -> tuple[Times, list[tuple[int, ...]]]:
    """Find, per limit, the least time and the set of algorithms that reaches it.

    Sets are tried by rising number of paid setups. A set costs at least its setups and
    the time of a division that pays none; where that reaches the best known time, no
    larger set can win either, as its setups only grow.

    Returns:
        The times, and the sets as indices; infinite and empty where nothing fits.
    """
    everything = range(len(table.algorithms))
    free = tuple(index for index in everything if table.setup_s[index] == 0)
    paid = [index for index in everything if table.setup_s[index] > 0]
    best = table.totals(free)
    chosen = [free if math.isfinite(total) else () for total in best]
    relaxed = table.totals(tuple(everything))
    for added in _rising_subsets(paid):
        setup_s = float(table.setup_s[list(added)].sum())
        if not np.any(setup_s + relaxed < best):
            continue
        totals = table.totals((*free, *added)) + setup_s
        for row in np.flatnonzero(totals < best):
            best[row] = totals[row]
            chosen[row] = (*free, *added)
    return best, chosen


def _rising_subsets(items: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for count in range(1, len(items) + 1):
        yield from combinations(items, count)


def shortest_times(run_s: Times, sizes: Sequence[int], total: int) -> Times:
    """Solve the recurrence for many rows of times.

    Args:
        run_s: Seconds by row and size; infinite where a size is not allowed.
        sizes: The sizes in rising order, none above N.
        total: N.

    Returns:
        T(N) per row, infinite where there is no way.
    """
    if _is_chain(sizes, total):
        return _chain_times(run_s, sizes, total)[0]
    return _all_times(run_s, sizes, total)[0][:, total]


def shortest_path(run_s: Times, sizes: Sequence[int], total: int) -> Counter[int]:
    """Return how often each size is taken on a fastest way through N examples.

    Args:
        run_s: Seconds by size; one way at least must be finite.
        sizes: The sizes in rising order, none above N.
        total: N.

    Returns:
        Counts by index into ``sizes``.
    """
    rows = run_s[None]
    if _is_chain(sizes, total):
        return _chain_path(rows, sizes, total)
    _, taken = _all_times(rows, sizes, total)
    path: Counter[int] = Counter()
    n = total
    while n:
        index = int(taken[0, n])
        path[index] += 1
        n -= sizes[index]
    return path


def _all_times(
    run_s: Times, sizes: Sequence[int], total: int
) -> tuple[Times, NDArray[np.intp]]:
    """Return T(n) for all n ≤ N, and the index of the size taken there."""
    steps = np.asarray(sizes)
    times = np.full((len(run_s), total + 1), np.inf)
    times[:, 0] = 0
    taken = np.zeros((len(run_s), total + 1), dtype=np.intp)
    for n in range(1, total + 1):
        count = int(np.searchsorted(steps, n, side="right"))
        if count:
            sums = run_s[:, :count] + times[:, n - steps[:count]]
            taken[:, n] = sums.argmin(1)
            times[:, n] = sums.min(1)
    return times, taken


def _is_chain(sizes: Sequence[int], total: int) -> bool:
    """Say whether each size below N divides the next, N itself left aside.

    Returns:
        If so, parts in falling order fill every multiple of a size before they get
        smaller: a size is one run or several fastest ways through the size before it,
        and N is one run or its digits in the mixed radix of the sizes.
    """
    below = [size for size in sizes if size < total]
    return all(large % small == 0 for small, large in pairwise(below))


def _chain_times(run_s: Times, sizes: Sequence[int], total: int) -> tuple[Times, Times]:
    """Return T(N) per row, and the fastest way through each size by row and size."""
    num_below = sum(size < total for size in sizes)
    times = np.array(run_s)
    for index in range(1, num_below):
        count = sizes[index] // sizes[index - 1]
        times[:, index] = np.minimum(run_s[:, index], count * times[:, index - 1])
    result = np.zeros(len(run_s))
    rest = total
    for index in reversed(range(num_below)):
        count, rest = divmod(rest, sizes[index])
        if count:
            result += count * times[:, index]
    if rest:
        result[:] = np.inf
    if num_below < len(sizes):
        result = np.minimum(result, run_s[:, num_below])
    return result, times


def _chain_path(run_s: Times, sizes: Sequence[int], total: int) -> Counter[int]:
    result, times = _chain_times(run_s, sizes, total)
    num_below = sum(size < total for size in sizes)
    if num_below < len(sizes) and run_s[0, num_below] <= result[0]:
        return Counter({num_below: 1})
    path: Counter[int] = Counter()
    rest = total
    for index in reversed(range(num_below)):
        count, rest = divmod(rest, sizes[index])
        if not count:
            continue
        finest = index
        while run_s[0, finest] > times[0, finest]:  # several of the size before it
            count *= sizes[finest] // sizes[finest - 1]
            finest -= 1
        path[finest] += count
    return path
