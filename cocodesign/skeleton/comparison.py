"""The network beside its ablations, as numbers and tables of a run record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from cocodesign.results import Column, Measurement
from cocodesign.skeleton.evaluation import cross_validate
from cocodesign.skeleton.fitting import Recipe
from cocodesign.skeleton.outcomes import Evaluation, Interval
from cocodesign.skeleton.protocols import official_folds
from cocodesign.skeleton.recognizer import Recognizer
from cocodesign.skeleton.sequences import SkeletonDataset
from cocodesign.skeleton.variants import VARIANTS, Variant


@dataclass(frozen=True)
class VariantComparison:
    """Evaluations of several networks on the same clips.

    Attributes:
        evaluations: The network itself, then its ablations.
        recognizer: The network of the first seed and fold.
        held_out: The clips that this one was tested on.
    """

    evaluations: tuple[Evaluation, ...]
    recognizer: Recognizer
    held_out: SkeletonDataset

    @property
    def network(self) -> Evaluation:
        """The evaluation of the network itself."""
        return self.evaluations[0]

    @property
    def advantages(self) -> dict[str, Interval]:
        """By how much the network is better, with 95 % intervals, by ablation."""
        return {
            other.variant: self.network.advantage_over(other)
            for other in self.evaluations[1:]
        }

    def metrics(self) -> dict[str, Measurement]:
        """Express the comparison as numbers that a claim can be judged by.

        Returns:
            ``accuracy_<variant>``, ``parameters_<variant>``, ``loss_<damage>`` of the
            network, one value per seed, and ``advantage_over_<variant>``, the lower
            end, the mean and the upper end of its interval.
        """
        found: dict[str, Measurement] = {}
        for each in self.evaluations:
            interval = each.clip_interval()
            found[f"accuracy_{each.variant}"] = Measurement(
                each.accuracies(),
                "fraction",
                note=f"95 % interval: {interval.low:.3f} to {interval.high:.3f}",
            )
            found[f"parameters_{each.variant}"] = Measurement(
                (float(each.num_parameters),), "parameters"
            )
        for damage in self.network.damages:
            name = damage.replace(" ", "_")
            losses = self.network.losses(damage)
            found[f"loss_{name}"] = Measurement(losses, "fraction")
        for variant, interval in self.advantages.items():
            found[f"advantage_over_{variant}"] = Measurement(
                (interval.low, interval.value, interval.high),
                "fraction",
                note="lower end, mean and upper end of the paired 95 % interval",
            )
        return found

    def tables(self) -> dict[str, dict[str, Column]]:
        """Lay the comparison out as tables that a figure can draw.

        Returns:
            ``accuracies`` by variant and seed, ``advantages`` by variant, ``losses`` by
            damage and seed, and the ``confusion`` of classes.
        """
        by_seed = [
            (each, seed, accuracy)
            for each in self.evaluations
            for seed, accuracy in zip(each.seeds, each.accuracies(), strict=True)
        ]
        advantages = self.advantages
        losses = [
            (damage, seed, loss)
            for damage in self.network.damages
            for seed, loss in zip(
                self.network.seeds, self.network.losses(damage), strict=True
            )
        ]
        confused = [
            (label, answer, count)
            for label, row in enumerate(self.network.confusion())
            for answer, count in enumerate(row)
            if count
        ]
        return {
            "accuracies": {
                "variant": [each.variant for each, _, _ in by_seed],
                "parameters": [each.num_parameters for each, _, _ in by_seed],
                "seed": [seed for _, seed, _ in by_seed],
                "accuracy": [accuracy for _, _, accuracy in by_seed],
            },
            "advantages": {
                "variant": list(advantages),
                "mean": [each.value for each in advantages.values()],
                "low": [each.low for each in advantages.values()],
                "high": [each.high for each in advantages.values()],
            },
            "losses": {
                "damage": [damage for damage, _, _ in losses],
                "seed": [seed for _, seed, _ in losses],
                "loss": [loss for _, _, loss in losses],
            },
            "confusion": {
                "label": [label for label, _, _ in confused],
                "answer": [answer for _, answer, _ in confused],
                "count": [count for _, _, count in confused],
            },
        }


def compare_variants(
    dataset: SkeletonDataset,
    *,
    seeds: Sequence[int],
    ablations: Sequence[str] = (),
    num_folds: int | None = None,
    num_epochs: int = Recipe.num_epochs,
    device: torch.device | str = "cpu",
    report: Callable[[str], None] | None = None,
) -> VariantComparison:
    """Train and judge the network, and ablations of it, by the data set's protocol.

    Args:
        dataset: Labelled clips of a data set with a protocol.
        seeds: At least one.
        ablations: Names of variants, see ``variants``.
        num_folds: Only the first folds of the protocol; all if ``None``.
        num_epochs: Passes over the clips in every training.
        device: Where to train.
        report: Is told a line about every fold.

    Returns:
        All evaluations; damages are tried on the network itself only.

    Raises:
        ValueError: If there is no such variant, or the data set has no protocol.
    """
    chosen: list[Variant] = [
        variant
        for name in ("fine_to_coarse", *ablations)
        for variant in VARIANTS
        if variant == name
    ]
    if len(chosen) < 1 + len(ablations):
        raise ValueError(f"ablations {list(ablations)}: {VARIANTS} are known")
    folds = official_folds(dataset)[:num_folds]
    trained: list[Recognizer] = []
    evaluations = tuple(
        cross_validate(
            dataset,
            seeds=seeds,
            folds=folds,
            variant=variant,
            recipe=Recipe(num_epochs=num_epochs),
            damages=None if variant == "fine_to_coarse" else {},
            device=device,
            report=report,
            on_trained=lambda recognizer, _fold: trained.append(recognizer),
        )
        for variant in chosen
    )
    return VariantComparison(evaluations, trained[0], dataset.subset(folds[0].test))
