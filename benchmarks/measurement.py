"""What all benchmarks share: arguments, interleaved timing, the report."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cocodesign.files import write_atomically
from cocodesign.provenance import collect_provenance

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Timings:
    """Repeated timings of one side.

    Attributes:
        seconds: One per round.
    """

    seconds: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """The median, which an interruption of the machine hardly moves."""
        return statistics.median(self.seconds)

    def to_dict(self) -> dict[str, float | int]:
        """Return median and spread for the report."""
        return {
            "median_s": round(self.median_s, 4),
            "low_s": round(min(self.seconds), 4),
            "high_s": round(max(self.seconds), 4),
            "rounds": len(self.seconds),
        }


def parse_arguments(description: str | None) -> argparse.Namespace:
    """Read ``--quick`` and ``--json FILE`` from the command line.

    Args:
        description: What the benchmark measures, such as its module's docstring.

    Returns:
        The arguments ``quick`` and ``json``.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="at most five minutes")
    parser.add_argument("--json", type=Path, help="write the report here as well")
    return parser.parse_args()


def time_interleaved(
    sides: Mapping[str, Callable[[], float]], *, rounds: int, warm_up_rounds: int = 1
) -> dict[str, Timings]:
    """Time several sides in turn, so that a slow minute of the machine hits all.

    The order is reversed from round to round, so that no side always follows another.

    Args:
        sides: By name, a function that does the work once and returns its seconds
            (only it knows where to synchronize).
        rounds: Rounds that count.
        warm_up_rounds: Rounds before them, for caches and compilation.

    Returns:
        The timings by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(warm_up_rounds + rounds):
        names = list(sides)
        if number % 2:
            names.reverse()
        for name in names:
            elapsed_s = sides[name]()
            if number >= warm_up_rounds:
                seconds[name].append(elapsed_s)
    return {name: Timings(tuple(values)) for name, values in seconds.items()}


def median_s(
    work: Callable[[], object], device: torch.device, *, rounds: int = 5
) -> float:
    """Time some work when the device has done it, after a warm-up.

    Args:
        work: Done once a round.
        device: Whose work is waited for.
        rounds: Rounds that count.

    Returns:
        The median seconds of a round.
    """
    seconds: list[float] = []
    for _ in range(1 + rounds):
        wait_for(device)
        started = time.perf_counter()
        work()
        wait_for(device)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def wait_for(device: torch.device) -> None:
    """Wait until a device has done all that it was given; a CPU has.

    Args:
        device: Any.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def report(results: Mapping[str, Any], *, json_path: Path | None = None) -> None:
    """Print the results with the environment as one JSON object, the last line.

    Args:
        results: Plain values; a missing one is ``None`` beside its reason.
        json_path: A file that gets the same, laid out.
    """
    content = {**results, "environment": collect_provenance(_ROOT).to_dict()}
    if json_path:
        write_atomically(json_path, json.dumps(content, indent=1) + "\n")
    print(json.dumps(content, allow_nan=False))
