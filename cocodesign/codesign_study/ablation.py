"""Runs with all layers and with one off at a time, beside one another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cocodesign.codesign_study.outcome import Outcome
from cocodesign.results import Column, Measurement

_MIB = 2**20


@dataclass(frozen=True)
class Ablation:
    """One list of runs per seed; the first of each has all layers.

    Attributes:
        by_seed: The runs, in the same order for every seed.

    Raises:
        ValueError: If the seeds' runs differ in their layers.
    """

    by_seed: tuple[tuple[Outcome, ...], ...]

    def __post_init__(self) -> None:
        kinds = {tuple(each.layers.label for each in runs) for runs in self.by_seed}
        if len(kinds) != 1:
            raise ValueError(f"every seed needs the same runs, got {sorted(kinds)}")

    def metrics(self) -> dict[str, Measurement]:
        """Return what each layer changes, and what is left with all of them."""
        steps = self._against("kfac", "num_steps")
        training_s = self._against("kfac", "seconds")
        missed = sum(not run.training.reached for run in self._runs("kfac"))
        bound = (
            f"lower bound: without K-FAC {missed} of {len(self.by_seed)} trainings "
            "never reached the target"
            if missed
            else ""
        )
        every = [runs[0] for runs in self.by_seed]
        dense = self._runs("compression")
        return {
            "kfac_steps_ratio": Measurement(steps, "x", note=bound),
            "kfac_seconds_ratio": Measurement(training_s, "x", note=bound),
            "plan_seconds_ratio": Measurement(self._against("plan", "seconds"), "x"),
            "plan_peak_ratio": Measurement(
                tuple(
                    run.training.peak_bytes / other.training.peak_bytes
                    for run, other in zip(every, self._runs("plan"), strict=True)
                ),
                "x",
                note="allocated at most by a step, with the plan over without it",
            ),
            "compression_ratio": Measurement(
                tuple(
                    other.file.num_bytes / run.file.num_bytes
                    for run, other in zip(every, dense, strict=True)
                ),
                "x",
                note="file of 32-bit floats over the compressed one",
            ),
            "compression_drop": Measurement(
                tuple(
                    other.test_accuracy - run.test_accuracy
                    for run, other in zip(every, dense, strict=True)
                ),
                "fraction",
                note="test accuracy without compression minus with it",
            ),
            "test_accuracy": _measure(every, lambda run: run.test_accuracy, "fraction"),
            "frames_per_s_1080p": _measure(
                every, lambda run: run.watching.frames_per_s, "frames/s"
            ),
            "people_recall": _measure(
                every, lambda run: run.watching.recall, "fraction"
            ),
            "people_precision": _measure(
                every, lambda run: run.watching.precision, "fraction"
            ),
            "search_map": _measure(every, lambda run: run.mean_precision, "fraction"),
            "all_reached": Measurement(
                tuple(float(run.training.reached) for run in every), "fraction"
            ),
        }

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return ``runs``, one row a seed and run, and ``search``, one a thing."""
        runs = [
            {
                "seed": seed,
                "layers": run.layers.label,
                "reached": run.training.reached,
                "num_steps": run.training.num_steps,
                "training_s": run.training.seconds,
                "peak_mib": run.training.peak_bytes / _MIB,
                "learning_rate": run.training.learning_rate,
                "file_bytes": run.file.num_bytes,
                "within_drop": run.file.within_drop,
                "test_accuracy": run.test_accuracy,
                "frames_per_s": run.watching.frames_per_s,
                "num_people": run.watching.num_people,
                "recall": run.watching.recall,
                "precision": run.watching.precision,
                "search_map": run.mean_precision,
            }
            for seed, outcomes in enumerate(self.by_seed)
            for run in outcomes
        ]
        search = [
            {"layers": run.layers.label, "thing": thing, "average_precision": value}
            for run in self.by_seed[0]
            for thing, value in run.precisions.items()
        ]
        return {"runs": _columns(runs), "search": _columns(search)}

    def _runs(self, missing: str) -> list[Outcome]:
        return [
            next(run for run in runs if not getattr(run.layers, missing))
            for runs in self.by_seed
        ]

    def _against(self, missing: str, quantity: str) -> tuple[float, ...]:
        return tuple(
            getattr(other.training, quantity) / getattr(runs[0].training, quantity)
            for runs, other in zip(self.by_seed, self._runs(missing), strict=True)
        )


def _measure(
    runs: Sequence[Outcome], value: Callable[[Outcome], float], unit: str
) -> Measurement:
    return Measurement(tuple(float(value(run)) for run in runs), unit)


def _columns(
    rows: Sequence[Mapping[str, str | float | bool | None]],
) -> dict[str, Column]:
    return {name: [row[name] for row in rows] for name in rows[0]}
