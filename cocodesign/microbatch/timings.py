"""Timings kept on disk, by machine, library versions and problem.

Every timing is a file of its own, written in one step: processes that measure at the
same time, also on different nodes, overwrite each other's equals and lose nothing.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from cocodesign.files import write_atomically
from cocodesign.microbatch.algorithms import Algorithm
from cocodesign.microbatch.division import Division, Part
from cocodesign.microbatch.measurement import Timing, measure, measure_gain
from cocodesign.microbatch.problem import ConvProblem, Direction
from cocodesign.provenance import processor_name

_DIGITS = 16  # of a SHA-256 in hexadecimal: collisions are out of the question


def describe_machine() -> dict[str, str]:
    """Return what timings depend on, beside the problem.

    Returns:
        The processor, the threads that torch uses, and the versions of the libraries
        that compute.
    """
    return {
        "processor": processor_name(),
        "threads": str(torch.get_num_threads()),
        "torch": torch.__version__,
        "numba": metadata.version("numba"),
    }


class Timings:
    """Measures what is not known yet, and remembers it.

    Args:
        folder: Where timings are kept for other processes; only this object remembers
            them if ``None``.
        repetitions: The most runs behind a timing.
    """

    def __init__(self, folder: Path | None = None, *, repetitions: int = 5) -> None:
        self._folder = folder
        self._repetitions = repetitions
        self._known: dict[tuple[ConvProblem, Direction, str, int], Timing] = {}
        self._gains: dict[tuple[ConvProblem, Direction, str, str], float] = {}
        self.num_measured = 0

    def get(
        self,
        problem: ConvProblem,
        direction: Direction,
        algorithm: Algorithm,
        micro_batch_size: int,
    ) -> Timing:
        """Return a timing, measured now if it is not known.

        Args:
            problem: The sizes.
            direction: Which pass.
            algorithm: One that supports both.
            micro_batch_size: Examples per run.

        Returns:
            The timing. A file that cannot be read counts as not there.
        """
        key = (problem, direction, algorithm.name, micro_batch_size)
        timing = self._known.get(key) or self._read(*key)
        if timing is None:
            timing = measure(
                problem,
                direction,
                algorithm,
                micro_batch_size,
                repetitions=self._repetitions,
            )
            self.num_measured += 1
            self._write(problem, direction, timing)
        self._known[key] = timing
        return timing

    def gain(
        self,
        problem: ConvProblem,
        direction: Direction,
        parts: Sequence[Part],
        baseline: Sequence[Part],
    ) -> float:
        """Return how many times faster a division is than another one, side by side.

        Args:
            problem: The sizes.
            direction: Which pass.
            parts: The division.
            baseline: The other one.

        Returns:
            The ratio of their times, measured now if it is not known; 1 for equals.
        """
        if tuple(parts) == tuple(baseline):
            return 1.0
        sides = {
            "parts": str(Division(tuple(parts))),
            "baseline": str(Division(tuple(baseline))),
        }
        key = (problem, direction, sides["parts"], sides["baseline"])
        if key not in self._gains:
            path = self._path(problem, direction, f"gain-{_digest(sides)}")
            content = _read_json(path)
            if content is None:
                ratio = measure_gain(problem, direction, parts, baseline)
                content = {**sides, "ratio": ratio}
                _write_json(path, content)
            self._gains[key] = float(content["ratio"])
        return self._gains[key]

    def _read(
        self, problem: ConvProblem, direction: Direction, name: str, size: int
    ) -> Timing | None:
        content = _read_json(self._path(problem, direction, f"{name}-{size}"))
        try:
            return None if content is None else Timing(**content["timing"])
        except (TypeError, KeyError):
            return None  # of another version of this package

    def _write(
        self, problem: ConvProblem, direction: Direction, timing: Timing
    ) -> None:
        name = f"{timing.algorithm}-{timing.micro_batch_size}"
        content = {
            "machine": describe_machine(),
            "problem": problem.to_dict(),
            "direction": direction,
            "timing": timing.to_dict(),
        }
        _write_json(self._path(problem, direction, name), content)

    def _path(
        self, problem: ConvProblem, direction: Direction, name: str
    ) -> Path | None:
        if self._folder is None:
            return None
        machine = _digest(describe_machine())
        kernel = _digest({**problem.to_dict(), "direction": direction})
        return self._folder / machine / kernel / f"{name}.json"


def _read_json(path: Path | None) -> dict[str, Any] | None:
    """Return the content of a file; one that is absent or damaged is measured anew."""
    if path is None:
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _write_json(path: Path | None, content: dict[str, Any]) -> None:
    if path is not None:
        write_atomically(path, json.dumps(content, indent=1) + "\n")


def _digest(fields: Mapping[str, object]) -> str:
    text = json.dumps(fields, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
