"""The study of notebook 35: three networks at equal bytes, with and without defence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from cocodesign.robustness.ball import Ball
from cocodesign.robustness.defences import (
    AdversarialTraining,
    Defence,
    Trades,
    Undefended,
)
from cocodesign.robustness.evaluation import Robustness, attack_all
from cocodesign.robustness.gradient_attacks import FGSM, PGD
from cocodesign.robustness.masking import MaskingReport, check_masking
from cocodesign.robustness_study.arms import Arm, Plan, make_arms
from cocodesign.robustness_study.pictures import Pictures

NATURAL, ADVERSARIAL = "natural", "adversarial"


@dataclass(frozen=True)
class Judging:
    """How the arms are judged.

    Attributes:
        ball: What changes are allowed.
        num_attack_steps: Of projected gradient ascent.
        num_restarts: Of the same.
        radii: Of the curve of accuracy against the size of the change, rising.
        num_curve_steps: Of the attack of that curve, with one start.
        num_masking_pictures: Test pictures that the checks for hidden gradients take.
        num_queries: Of the attack without gradients in these checks.
    """

    ball: Ball
    num_attack_steps: int
    num_restarts: int
    radii: tuple[float, ...]
    num_curve_steps: int
    num_masking_pictures: int
    num_queries: int


@dataclass(frozen=True)
class Outcome:
    """One seed, one kind of training.

    Attributes:
        seed: Of everything.
        training: ``"natural"`` or ``"adversarial"``.
        arms: By name.
        robustness: By arm.
        curves: By arm, the accuracy at each radius; the first one is the clean one.
        transfer: Accuracy of an arm (first name) on the pictures that were made to fool
            another (second name).
        masking: The checks of the compressed network; after adversarial training only.
    """

    seed: int
    training: str
    arms: dict[str, Arm]
    robustness: dict[str, Robustness]
    curves: dict[str, tuple[float, ...]]
    transfer: dict[tuple[str, str], float]
    masking: MaskingReport | None

    @property
    def summary(self) -> str:
        """One line."""
        arms = "; ".join(
            f"{name} {self.arms[name].file_bytes:,} bytes "
            f"{found.clean_accuracy:.1%} clean, {found.robust_accuracy:.1%} robust"
            for name, found in self.robustness.items()
        )
        return f"seed {self.seed}, {self.training}: {arms}"


def defences_of(ball: Ball, name: str, num_steps: int) -> dict[str, Defence]:
    """Return both kinds of training.

    Args:
        ball: What changes the defended networks are to withstand.
        name: ``"pgd"`` or ``"trades"``.
        num_steps: Gradients of the attack in training.

    Returns:
        ``"natural"`` and ``"adversarial"``.

    Raises:
        ValueError: If the name is unknown.
    """
    if name == "pgd":
        defence: Defence = AdversarialTraining(ball, num_steps)
    elif name == "trades":
        defence = Trades(ball, num_steps=num_steps)
    else:
        raise ValueError(f"the defence must be 'pgd' or 'trades', got {name!r}")
    return {NATURAL: Undefended(), ADVERSARIAL: defence}


def compare_arms(
    plan: Plan,
    pictures: Pictures,
    defences: dict[str, Defence],
    judging: Judging,
    seeds: Sequence[int],
) -> Iterator[Outcome]:
    """Make and judge the arms, seed by seed.

    Args:
        plan: How they are made.
        pictures: Parts to learn and to judge by.
        defences: By name, see ``defences_of``.
        judging: How they are judged.
        seeds: One set of networks each.

    Yields:
        An outcome for each seed and kind of training, as soon as it is there.
    """
    for seed in seeds:
        for training, defence in defences.items():
            arms = make_arms(plan, pictures, defence, seed)
            yield judge(arms, pictures, judging, training, seed)


def judge(
    arms: dict[str, Arm],
    pictures: Pictures,
    judging: Judging,
    training: str,
    seed: int,
) -> Outcome:
    """Look at the test pictures.

    Args:
        arms: From ``make_arms``.
        pictures: Whose test part judges.
        judging: How.
        training: What the outcome is called.
        seed: Of the attacks.

    Returns:
        What came out.
    """
    images, labels = pictures.test
    attacks = [FGSM(), PGD(judging.num_attack_steps, judging.num_restarts)]
    robustness = {
        name: attack_all(arm.network, images, labels, attacks, judging.ball, seed=seed)
        for name, arm in arms.items()
    }
    few = slice(judging.num_masking_pictures)
    return Outcome(
        seed=seed,
        training=training,
        arms=arms,
        robustness=robustness,
        curves={
            name: _curve(arm, robustness[name], pictures, judging, seed)
            for name, arm in arms.items()
        },
        transfer={
            (victim, source): _accuracy(arms[victim], robustness[source].images, labels)
            for victim in arms
            for source in arms
        },
        masking=check_masking(
            arms["compressed"].network,
            images[few],
            labels[few],
            judging.ball,
            steps=(10, judging.num_attack_steps),
            num_queries=judging.num_queries,
            seed=seed,
        )
        if training == ADVERSARIAL and judging.num_masking_pictures
        else None,
    )


def _curve(
    arm: Arm, found: Robustness, pictures: Pictures, judging: Judging, seed: int
) -> tuple[float, ...]:
    attack = PGD(judging.num_curve_steps)

    def at(radius: float) -> float:
        ball = Ball(judging.ball.norm, radius)
        return attack_all(
            arm.network, *pictures.test, [attack], ball, seed=seed
        ).robust_accuracy

    return (found.clean_accuracy, *(at(radius) for radius in judging.radii))


@torch.no_grad()
def _accuracy(arm: Arm, images: torch.Tensor, labels: torch.Tensor) -> float:
    right = arm.network(images).argmax(1) == labels
    return right.double().mean().item()
