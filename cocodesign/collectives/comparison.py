"""Every schedule measured on the ranks at hand, beside prediction and library.

The cost model is fitted to measurements of their own, at other sizes than those that it
is then judged by.
"""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from cocodesign.collectives.communicator import Communicator
from cocodesign.collectives.cost_model import CostModel, Tier, predict
from cocodesign.collectives.fitting import Observation, fit_cost_model
from cocodesign.collectives.launching import Report, launch_ranks
from cocodesign.collectives.measurement import Timing, time_all_reduces, ways_of
from cocodesign.collectives.schedules import Schedule, all_schedules, halving
from cocodesign.collectives.tuning import tune

LIBRARY = "library"
"""Name of the all-reduce of the communication library, gloo or NCCL."""

PROBE_SIZES_BYTES = tuple(2**exponent for exponent in (11, 15, 19, 23))
"""Sizes that the cost model is fitted at, 2 KiB to 8 MiB."""


@dataclass(frozen=True)
class Comparison:
    """What was measured on some ranks.

    Attributes:
        world_size: The number of ranks.
        model: The cost model, fitted to ``probes``.
        probes: Measurements for the fit.
        timings: Measurements to judge by, and of the library.
        choices: The schedule that ``tune`` chose, by size in bytes.
    """

    world_size: int
    model: CostModel
    probes: tuple[Timing, ...]
    timings: tuple[Timing, ...]
    choices: dict[int, str]

    @property
    def sizes_bytes(self) -> list[int]:
        """The sizes that were measured, rising."""
        return sorted(self.choices)

    def seconds(self, schedule: str, num_bytes: int) -> float:
        """Return a measured time, the median over the turns."""
        return next(
            each.median_s
            for each in self.timings
            if (each.schedule, each.num_bytes) == (schedule, num_bytes)
        )

    def predicted(self) -> dict[tuple[str, int], float]:
        """Return what the cost model says, by schedule and size."""
        schedules = candidates(self.world_size)
        return {
            (str(schedule), size): predict(self.model, schedule, size)
            for schedule in schedules
            for size in self.sizes_bytes
        }

    def errors(self) -> dict[tuple[str, int], float]:
        """Return the relative errors of the predictions, by schedule and size."""
        return {
            (schedule, size): abs(predicted / self.seconds(schedule, size) - 1)
            for (schedule, size), predicted in self.predicted().items()
        }

    def regrets(self) -> dict[int, float]:
        """Return, by size, the time of the choice over that of the best schedule."""
        names = [str(schedule) for schedule in candidates(self.world_size)]
        return {
            size: self.seconds(chosen, size)
            / min(self.seconds(name, size) for name in names)
            for size, chosen in self.choices.items()
        }

    def library_ratios(self) -> dict[int, float]:
        """Return, by size, the time of the choice over that of the library."""
        return {
            size: self.seconds(chosen, size) / self.seconds(LIBRARY, size)
            for size, chosen in self.choices.items()
        }

    def summary(self) -> str:
        """Return regret, error and the choices in one line."""
        regret = statistics.median(self.regrets().values())
        error = statistics.median(self.errors().values())
        chosen = ", ".join(dict.fromkeys(self.choices.values()))
        return (
            f"{self.world_size} ranks: median regret {regret:.2f}, "
            f"median error {error:.0%}, chosen {chosen}"
        )

    def to_json(self) -> str:
        """Return the comparison as JSON text; ``from_json`` is its inverse."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Comparison":
        """Rebuild a comparison from its JSON text.

        Args:
            text: What ``to_json`` gave.

        Returns:
            An equal comparison.
        """
        fields = json.loads(text)
        model = fields.pop("model")
        model["tiers"] = tuple(Tier(**tier) for tier in model["tiers"])
        timings = {
            name: tuple(
                Timing(each["schedule"], each["num_bytes"], tuple(each["seconds"]))
                for each in fields.pop(name)
            )
            for name in ("probes", "timings")
        }
        choices = {int(size): name for size, name in fields.pop("choices").items()}
        return cls(model=CostModel(**model), choices=choices, **timings, **fields)


def compare_schedules(
    communicator: Communicator,
    library_all_reduce: Callable[[Tensor], object],
    sizes_bytes: Sequence[int],
    *,
    num_turns: int,
    tier_sizes: Sequence[int] = (),
    device: torch.device | str = "cpu",
) -> Comparison:
    """Fit the cost model, choose by it, and measure every schedule.

    Args:
        communicator: The ranks, at least two; all call this alike.
        library_all_reduce: Sums a tensor in place by the library's own all-reduce.
        sizes_bytes: Sizes to judge by, multiples of 4, none of ``PROBE_SIZES_BYTES``.
        num_turns: Turns of each measurement.
        tier_sizes: Ranks of the inner tiers, such as ``[8]`` for nodes of 8 GPUs.
        device: Where the tensors are.

    Returns:
        The comparison, the same on all ranks.

    Raises:
        ValueError: If a size to judge by is one that the model is fitted at.
    """
    if known := sorted({*sizes_bytes} & {*PROBE_SIZES_BYTES}):
        raise ValueError(
            f"the cost model is fitted at {known} bytes: it cannot be judged there"
        )
    schedules = candidates(communicator.world_size, equal_links=not tier_sizes)
    # All sizes in one go: a machine that slows down in between would pass for an error
    # of the model.
    timings = time_all_reduces(
        communicator,
        {**ways_of(communicator, schedules), LIBRARY: library_all_reduce},
        sorted({*PROBE_SIZES_BYTES, *sizes_bytes}),
        num_turns=num_turns,
        device=device,
    )
    by_name = {str(schedule): schedule for schedule in schedules}
    probes = [
        each
        for each in timings
        if each.num_bytes in PROBE_SIZES_BYTES and each.schedule in by_name
    ]
    model = fit_cost_model(
        [
            Observation(by_name[each.schedule], each.num_bytes, each.median_s)
            for each in probes
        ],
        tier_sizes,
    )
    return Comparison(
        world_size=communicator.world_size,
        model=model,
        probes=tuple(probes),
        timings=tuple(each for each in timings if each.num_bytes in sizes_bytes),
        choices={
            size: str(tune(model, communicator.world_size, size))
            for size in sizes_bytes
        },
    )


def compare_here(
    world_size: int,
    sizes_bytes: Sequence[int],
    *,
    num_turns: int,
    folder: Path,
    limit_s: float,
    report: Report | None = None,
) -> Comparison:
    """Compare the schedules on processes of this machine, over gloo.

    With fewer cores than processes every way is slow, and alike.

    Args:
        world_size: How many processes, at least two.
        sizes_bytes: Sizes to judge by, multiples of 4.
        num_turns: Turns of each measurement.
        folder: Where the ranks write their logs and the result.
        limit_s: After this many seconds the ranks are ended.
        report: Called with every line that a rank prints.

    Returns:
        The comparison.

    Raises:
        RankFailedError: If a rank failed or the limit passed.
    """
    path = folder / f"collectives-{world_size}.json"
    arguments = ["-m", "cocodesign.collectives", "--json", str(path)]
    arguments += ["--turns", str(num_turns), "--limit-s", str(limit_s)]
    for size in sizes_bytes:
        arguments += ["--size", str(size)]
    launch_ranks(
        arguments,
        world_size=world_size,
        limit_s=limit_s,
        log_dir=folder / f"logs-{world_size}",
        report=report,
    )
    return Comparison.from_json(path.read_text(encoding="utf-8"))


def candidates(world_size: int, *, equal_links: bool = True) -> list[Schedule]:
    """Return the schedules among which ``tune`` chooses.

    Args:
        world_size: The number of ranks.
        equal_links: Whether all ranks are linked alike; then of the one-shot forms,
            which all send the same, the one with the fewest rounds is the best.

    Returns:
        All factorisations with all patterns, and one-shot forms.
    """
    schedules = list(all_schedules(world_size))
    forms = [halving(world_size)] if equal_links else schedules
    return [*schedules, *(replace(each, one_shot=True) for each in forms)]
