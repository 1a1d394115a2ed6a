"""Compressed networks under attack, and our attacks beside foolbox's.

``python -m benchmarks.robustness [--quick] [--json FILE]``, on Fashion-MNIST, ε = 0.1
in l∞, with the settings of notebook 35's profile ``laptop`` but more test pictures:

* ``attack_gap_vs_foolbox``: by attack and seed, robust accuracy that our attack leaves
  minus what foolbox's leaves, in percentage points: same network, ε, steps, step size
  and restarts; above 0, ours is weaker;
* ``robust_drop``, ``clean_drop``: dense minus compressed, both trained under attack, in
  percentage points, by seed; ``robust_ratio`` is the compressed file's;
* ``compressed_vs_compact``: robust accuracy at equal bytes, in percentage points, by
  seed, and the 95 % interval of the mean over pictures and seeds.

Peer: foolbox 3.3 (``benchmarks/peers.txt``). ``--quick`` only tries that all runs.
"""

import dataclasses
import importlib.util
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measurement import parse_arguments, report
from cocodesign.project import find_project
from cocodesign.robustness import FGSM, PGD, Ball, attack_all
from cocodesign.robustness_study.arms import Plan
from cocodesign.robustness_study.experiment import (
    ADVERSARIAL,
    Judging,
    Outcome,
    compare_arms,
    defences_of,
)
from cocodesign.robustness_study.pictures import Pictures, load_pictures
from cocodesign.robustness_study.tables import study_metrics
from cocodesign.runner.notebook import read_parameters, read_profile
from cocodesign.seeding import random_stream

_EPSILON = 0.1
_NUM_RESAMPLES = 2000
_SEEDS = (0, 1, 2)
_QUICK: dict[str, Any] = {
    "num_train": 1000,
    "channels": 8,
    "num_hidden": 128,
    "num_steps": 30,
    "num_more_steps": 30,
}
_QUICK_RATIO = 20.0


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    quick: bool = arguments.quick
    values = laptop_values()
    if quick:
        values |= _QUICK
    pictures = load_pictures(
        "fashion_mnist",
        num_train=values["num_train"],
        num_test=100 if quick else 1000,
    )
    ball = Ball("linf", _EPSILON)
    judging = Judging(
        ball=ball,
        num_attack_steps=10 if quick else 40,
        num_restarts=2 if quick else 5,
        radii=(),
        num_curve_steps=1,
        num_masking_pictures=50 if quick else 200,
        num_queries=50 if quick else 1000,
    )
    plan = make_plan(values)
    if quick:
        plan = dataclasses.replace(plan, ratio=_QUICK_RATIO)
    outcomes = []
    for outcome in compare_arms(
        plan,
        pictures,
        defences_of(ball, values["defence"], values["num_defence_steps"]),
        judging,
        seeds=_SEEDS[:1] if quick else _SEEDS,
    ):
        print(outcome.summary, flush=True)
        outcomes.append(outcome)
    metrics = study_metrics(outcomes)
    report(
        {
            "quick": quick,
            "epsilon": _EPSILON,
            "num_test": len(pictures.test[0]),
            **{name: list(each.values) for name, each in metrics.items()},
            "compressed_vs_compact_interval": interval(outcomes),
            "masking": [
                sentence
                for each in outcomes
                if each.masking
                for sentence in each.masking.suspicions
            ],
            **gaps(outcomes, pictures, judging),
        },
        json_path=arguments.json,
    )


def laptop_values() -> dict[str, Any]:
    """Return the parameters of notebook 35 at its profile ``laptop``."""
    notebook = find_project().root / "notebooks" / "35_robustness_arms.ipynb"
    defaults = {each.name: each.default for each in read_parameters(notebook)}
    return {**defaults, **read_profile(notebook, "laptop")}


def make_plan(values: dict[str, Any]) -> Plan:
    """Return the plan that a profile describes."""
    chosen = {field.name: values[field.name] for field in dataclasses.fields(Plan)}
    return Plan(**chosen)


def interval(outcomes: list[Outcome]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of compressed minus compact, in points.

    Resampled are the test pictures, the same for both networks, and the seeds.
    """
    differences = torch.stack(
        [
            (_stands(each, "compressed") - _stands(each, "compact"))
            for each in outcomes
            if each.training == ADVERSARIAL
        ]
    )
    generator = random_stream(0, "bootstrap")
    num_seeds, num_pictures = differences.shape
    means = torch.empty(_NUM_RESAMPLES)
    for index in range(_NUM_RESAMPLES):
        seeds = torch.randint(num_seeds, (num_seeds,), generator=generator)
        chosen = torch.randint(num_pictures, (num_pictures,), generator=generator)
        means[index] = differences[seeds][:, chosen].mean()
    low, high = torch.quantile(means, torch.tensor([0.025, 0.975])).tolist()
    return round(100 * low, 2), round(100 * high, 2)


def _stands(outcome: Outcome, arm: str) -> Tensor:
    *_, last = outcome.robustness[arm].withstands.values()
    return last.float()


def gaps(
    outcomes: list[Outcome], pictures: Pictures, judging: Judging
) -> dict[str, Any]:
    """Compare our attacks with foolbox's on the dense networks, both trainings."""
    if importlib.util.find_spec("foolbox") is None:
        return {
            "attack_gap_vs_foolbox": None,
            "missing": {"foolbox": "foolbox is not installed"},
        }
    found: dict[str, list[float]] = {"FGSM": [], "PGD": []}
    accuracies: dict[str, list[dict[str, float]]] = {"FGSM": [], "PGD": []}
    for outcome in outcomes:
        network = outcome.arms["dense"].network
        for name, gap in found.items():
            ours = _our_accuracy(network, pictures, judging, name, outcome.seed)
            theirs = _foolbox_accuracy(network, pictures, judging, name, outcome.seed)
            gap.append(round(100 * (ours - theirs), 2))
            accuracies[name].append({"ours": ours, "foolbox": theirs})
    return {
        "attack_gap_vs_foolbox": found,
        "attack_accuracies": accuracies,
        "missing": {},
    }


def _our_accuracy(
    network: nn.Module, pictures: Pictures, judging: Judging, name: str, seed: int
) -> float:
    attack = (
        FGSM()
        if name == "FGSM"
        else PGD(judging.num_attack_steps, judging.num_restarts)
    )
    return attack_all(
        network, *pictures.test, [attack], judging.ball, seed=seed
    ).robust_accuracy


def _foolbox_accuracy(
    network: nn.Module, pictures: Pictures, judging: Judging, name: str, seed: int
) -> float:
    import foolbox

    torch.random.manual_seed(seed)  # foolbox draws from torch's global generator
    model = foolbox.PyTorchModel(network.eval(), bounds=(0, 1), device="cpu")
    if name == "FGSM":
        attack: Any = foolbox.attacks.LinfFastGradientAttack()
    else:
        attack = foolbox.attacks.LinfPGD(
            rel_stepsize=2.5 / judging.num_attack_steps, steps=judging.num_attack_steps
        ).repeat(judging.num_restarts)
    right = 0
    for images, labels in zip(
        pictures.test[0].split(250), pictures.test[1].split(250), strict=True
    ):
        _, _, fooled = attack(model, images, labels, epsilons=judging.ball.radius)
        right += int((~fooled).sum())
    return right / len(pictures.test[0])


if __name__ == "__main__":
    main()
