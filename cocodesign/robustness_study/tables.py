"""The study's outcomes as metrics and tables of a run record."""

from collections.abc import Sequence
from typing import Any

from cocodesign.results import Measurement
from cocodesign.robustness_study.experiment import ADVERSARIAL, Judging, Outcome

_POINTS = "percentage points"


def study_metrics(outcomes: Sequence[Outcome]) -> dict[str, Measurement]:
    """Return what claims are judged by, one value per seed.

    Args:
        outcomes: Of all seeds.

    Returns:
        ``robust_drop`` and ``clean_drop`` (dense minus compressed, percentage points,
        adversarial training), ``robust_ratio`` (of the compressed file),
        ``compressed_vs_compact`` (robust accuracy, compressed minus compact, with
        adversarial training) and ``natural_compressed_vs_compact`` (without), and
        ``masking_suspicions``.
    """
    defended = [each for each in outcomes if each.training == ADVERSARIAL]
    natural = [each for each in outcomes if each.training != ADVERSARIAL]
    metrics = {
        "robust_drop": _points(defended, "dense", "compressed", robust=True),
        "clean_drop": _points(defended, "dense", "compressed", robust=False),
        "compressed_vs_compact": _points(
            defended, "compressed", "compact", robust=True
        ),
        "natural_compressed_vs_compact": _points(
            natural, "compressed", "compact", robust=True
        ),
        "robust_ratio": Measurement(
            tuple(
                each.arms["dense"].file_bytes / each.arms["compressed"].file_bytes
                for each in defended
            ),
            "x",
        ),
        "masking_suspicions": Measurement(
            tuple(
                float(len(each.masking.suspicions)) for each in defended if each.masking
            ),
            "",
        ),
    }
    return {name: each for name, each in metrics.items() if each.values}


def study_tables(
    outcomes: Sequence[Outcome], judging: Judging
) -> dict[str, dict[str, list[Any]]]:
    """Return what figures show.

    Args:
        outcomes: Of all seeds.
        judging: By which they were judged.

    Returns:
        Tables ``arms``, ``curves``, ``transfer`` and, if it was checked, ``masking``,
        as columns; accuracies are fractions.
    """
    radii = (0.0, *judging.radii)
    rows: dict[str, list[dict[str, Any]]] = {
        "arms": [
            {
                **_key(each),
                "arm": name,
                "file_bytes": each.arms[name].file_bytes,
                "clean_accuracy": found.clean_accuracy,
                "robust_accuracy": found.robust_accuracy,
                **{
                    f"after {attack}": withstands.double().mean().item()
                    for attack, withstands in found.withstands.items()
                },
            }
            for each in outcomes
            for name, found in each.robustness.items()
        ],
        "curves": [
            {**_key(each), "arm": name, "radius": radius, "accuracy": accuracy}
            for each in outcomes
            for name, curve in each.curves.items()
            for radius, accuracy in zip(radii, curve, strict=True)
        ],
        "transfer": [
            {**_key(each), "victim": victim, "source": source, "accuracy": accuracy}
            for each in outcomes
            for (victim, source), accuracy in each.transfer.items()
        ],
        "masking": [
            {
                **_key(each),
                "white_box": each.masking.white_box,
                "black_box": each.masking.black_box,
                "unbounded": each.masking.unbounded,
                **{f"{n} steps": value for n, value in each.masking.by_steps.items()},
                "suspicions": "; ".join(each.masking.suspicions),
            }
            for each in outcomes
            if each.masking
        ],
    }
    return {name: _columns(each) for name, each in rows.items() if each}


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _key(outcome: Outcome) -> dict[str, Any]:
    return {"seed": outcome.seed, "training": outcome.training}


def _points(
    outcomes: Sequence[Outcome], one: str, other: str, *, robust: bool
) -> Measurement:
    def accuracy(outcome: Outcome, arm: str) -> float:
        found = outcome.robustness[arm]
        return found.robust_accuracy if robust else found.clean_accuracy

    return Measurement(
        tuple(100 * (accuracy(each, one) - accuracy(each, other)) for each in outcomes),
        _POINTS,
    )
