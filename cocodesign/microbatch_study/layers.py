"""Some layers' forward passes under workspace limits, as metrics and tables."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from cocodesign.microbatch.algorithms import CPU_ALGORITHMS
from cocodesign.microbatch.comparison import LimitOutcome, compare_limits
from cocodesign.microbatch.division import Candidate, Division
from cocodesign.microbatch.measurement import candidates_of
from cocodesign.microbatch.pareto import pareto_front
from cocodesign.microbatch.planning import allowed_workspaces
from cocodesign.microbatch.problem import ConvProblem
from cocodesign.microbatch.timings import Timings
from cocodesign.results import Column, Measurement

MIB = 1 << 20


@dataclass(frozen=True)
class LayerStudy:
    """Some layers' forward passes under several workspace limits.

    Attributes:
        candidates: What was measured, by layer.
        outcomes: Per layer and limit, the limits in the same order for every layer.
    """

    candidates: dict[ConvProblem, tuple[Candidate, ...]]
    outcomes: tuple[LimitOutcome, ...]

    def metrics(self) -> dict[str, Measurement]:
        """Average the gains over the layers.

        Returns:
            By limit the geometric means: ``gain_vs_undivided_<limit>`` compares with
            the fastest algorithm that fits without dividing, ``gain_vs_torch_<limit>``
            with torch's own convolution.
        """
        metrics: dict[str, Measurement] = {}
        for limit in dict.fromkeys(
            each.workspace_limit_bytes for each in self.outcomes
        ):
            some = [one for one in self.outcomes if one.workspace_limit_bytes == limit]
            name = limit_name(limit)
            for against in ("undivided", "torch"):
                gains = [getattr(one, f"gain_vs_{against}") for one in some]
                metrics[f"gain_vs_{against}_{name}"] = Measurement(
                    (math.exp(statistics.fmean(map(math.log, gains))),),
                    "x",
                    note=f"geometric mean over {len(some)} layers, "
                    f"{min(gains):.2f} to {max(gains):.2f}",
                )
        return metrics

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return ``layers``, a row per layer and limit, and ``fronts``."""
        fronts = [
            (problem, kind, division)
            for problem, candidates in self.candidates.items()
            for kind, division in _both_fronts(problem, candidates)
        ]
        return {
            "layers": {
                "layer": [one.problem.label for one in self.outcomes],
                "limit": [
                    limit_name(one.workspace_limit_bytes) for one in self.outcomes
                ],
                "divided": [str(one.divided) for one in self.outcomes],
                "undivided": [str(one.undivided) for one in self.outcomes],
                "gain_vs_undivided": [one.gain_vs_undivided for one in self.outcomes],
                "gain_vs_torch": [one.gain_vs_torch for one in self.outcomes],
            },
            "fronts": {
                "layer": [problem.label for problem, _, _ in fronts],
                "kind": [kind for _, kind, _ in fronts],
                "workspace_bytes": [each.workspace_bytes for _, _, each in fronts],
                "time_s": [each.time_s for _, _, each in fronts],
                "division": [str(each) for _, _, each in fronts],
            },
        }


def study_layers(
    problems: Sequence[ConvProblem],
    workspace_limits_bytes: Sequence[int | None],
    *,
    repetitions: int = 3,
    timings: Timings | None = None,
) -> LayerStudy:
    """Measure the forward passes of some layers and plan them under several limits.

    Args:
        problems: The layers.
        workspace_limits_bytes: The limits; ``None`` for no limit.
        repetitions: The most runs behind a timing.
        timings: What is known already.

    Returns:
        The study.
    """
    timings = timings or Timings(repetitions=repetitions)
    finite = [limit for limit in workspace_limits_bytes if limit is not None]
    is_limited = len(finite) == len(workspace_limits_bytes)
    largest = max(finite) if is_limited else None
    candidates: dict[ConvProblem, tuple[Candidate, ...]] = {}
    outcomes: list[LimitOutcome] = []
    for problem in problems:
        allowed = allowed_workspaces(problem, "forward", "power_of_two", largest)
        candidates[problem] = candidates_of(
            [
                timings.get(problem, "forward", algorithm, size)
                for algorithm in CPU_ALGORITHMS
                for size in allowed.get(algorithm.name, ())
            ]
        )
        outcomes += compare_limits(problem, workspace_limits_bytes, timings=timings)
    return LayerStudy(candidates, tuple(outcomes))


def limit_name(limit_bytes: int | None) -> str:
    """Return a limit as metrics name it, such as ``64_mib`` or ``unlimited``."""
    return "unlimited" if limit_bytes is None else f"{limit_bytes // MIB}_mib"


def _both_fronts(
    problem: ConvProblem, candidates: Sequence[Candidate]
) -> list[tuple[str, Division]]:
    total = problem.mini_batch_size
    whole = [each for each in candidates if each.micro_batch_size == total]
    return [
        (kind, division)
        for kind, some in (("undivided", whole), ("divided", candidates))
        for division in pareto_front(some, total)
    ]
