import pytest
import torch
from torch import Tensor, nn

from cocodesign.robustness import APGD, FGSM, PGD, Ball, Square, attack_all
from cocodesign.robustness.adaptive_attack import _checkpoints
from cocodesign.robustness.attacks import Attack
from cocodesign.robustness.losses import (
    cross_entropy,
    difference_of_logits_ratio,
    loss_and_gradient,
)

ATTACKS: list[Attack] = [
    FGSM(),
    PGD(num_steps=10, num_restarts=2),
    APGD("ce", num_steps=10),
    APGD("dlr", num_steps=10),
    Square(num_queries=100),
]
BALLS = [Ball("linf", 0.08), Ball("l2", 0.6)]
Labelled = tuple[Tensor, Tensor]


@pytest.fixture
def numbers() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
@pytest.mark.parametrize("ball", BALLS, ids=lambda ball: ball.norm)
def test_never_leaves_the_ball_or_the_range(
    attack: Attack,
    ball: Ball,
    trained: nn.Module,
    pictures: Labelled,
    numbers: torch.Generator,
) -> None:
    images, labels = pictures
    images = images.clone()
    images[:8] = images[:8].round()  # pixels at both ends of their range
    changed = attack(trained, images, labels, ball, numbers)
    assert 0 <= changed.min() <= changed.max() <= 1
    assert (ball.distance(changed, images) <= ball.radius * (1 + 1e-5)).all()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
@pytest.mark.parametrize("ball", BALLS, ids=lambda ball: ball.norm)
def test_fools_more_pictures_than_chance_changes(
    attack: Attack,
    ball: Ball,
    trained: nn.Module,
    pictures: Labelled,
    numbers: torch.Generator,
) -> None:
    images, labels = pictures
    found = attack_all(trained, images, labels, [attack], ball)
    by_chance = trained(ball.sample(images, numbers)).argmax(1) == labels
    assert found.clean_accuracy > 0.9
    assert found.robust_accuracy < by_chance.double().mean().item() - 0.05


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_equal_numbers_give_equal_attacks(
    attack: Attack, trained: nn.Module, pictures: Labelled
) -> None:
    first, second = (
        attack(trained, *pictures, BALLS[0], torch.Generator().manual_seed(3))
        for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_touches_no_gradient_of_the_network(
    attack: Attack, trained: nn.Module, pictures: Labelled, numbers: torch.Generator
) -> None:
    attack(trained, *pictures, BALLS[0], numbers)
    assert all(parameter.grad is None for parameter in trained.parameters())


def test_against_a_linear_network_one_step_is_the_best_possible(
    numbers: torch.Generator,
) -> None:
    weights = torch.randn(4, generator=numbers)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        network[1].weight.copy_(torch.stack([weights, -weights]))
    images = 0.3 + 0.4 * torch.rand(100, 1, 2, 2, generator=numbers)
    labels = (network(images).argmax(1)).long()
    ball = Ball("linf", 0.1)
    # The score's sign can be turned if it is smaller than the radius times Σ|w|.
    can_fool = (images.flatten(1) @ weights).abs() < 0.1 * weights.abs().sum()
    for attack in (FGSM(), PGD(5), APGD("ce", 5)):
        changed = attack(network, images, labels, ball, numbers)
        assert torch.equal(network(changed).argmax(1) != labels, can_fool)


def test_more_restarts_never_fool_less(trained: nn.Module, pictures: Labelled) -> None:
    accuracies = [
        attack_all(trained, *pictures, [PGD(3, n)], BALLS[0]).robust_accuracy
        for n in (1, 4)
    ]
    assert accuracies[1] <= accuracies[0]


def test_the_ratio_ignores_shift_and_scale_of_the_scores(
    numbers: torch.Generator,
) -> None:
    scores = torch.randn(6, 5, generator=numbers, dtype=torch.float64)
    labels = torch.arange(6) % 5
    expected = []
    for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
        ordered = sorted(row, reverse=True)
        wrong = max(value for i, value in enumerate(row) if i != label)
        expected.append(-(row[label] - wrong) / (ordered[0] - ordered[2]))
    found = difference_of_logits_ratio(scores, labels)
    assert found.tolist() == pytest.approx(expected)
    moved = difference_of_logits_ratio(100 * scores + 7, labels)
    assert moved.tolist() == pytest.approx(expected)


def test_gradients_are_those_of_finite_differences(numbers: torch.Generator) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Tanh()).double()
    image = torch.rand(1, 1, 2, 2, generator=numbers, dtype=torch.float64)
    label = torch.tensor([1])
    _, gradient, _ = loss_and_gradient(network, image, label, cross_entropy)
    for i in range(4):
        step = torch.zeros(4, dtype=torch.float64)
        step[i] = 1e-5
        high, low = (
            cross_entropy(network(image + sign * step.reshape(1, 1, 2, 2)), label)
            for sign in (1, -1)
        )
        slope = ((high - low) / 2e-5).item()
        assert gradient.flatten()[i].item() == pytest.approx(slope, abs=1e-8)


def test_checkpoints_are_those_of_the_source() -> None:
    # Croce & Hein (2020), Section 3.1: p = 0, 0.22, 0.41, 0.57, 0.70, 0.80, 0.87, …
    assert sorted(_checkpoints(100))[:6] == [22, 41, 57, 70, 80, 87]


@pytest.mark.parametrize(
    "build",
    [
        lambda: PGD(num_steps=0),
        lambda: PGD(step_size=0.0),
        lambda: APGD(num_restarts=0),
        lambda: Square(num_queries=0),
        lambda: Square(first_share=1.5),
    ],
)
def test_refuses_settings_out_of_range(build: object) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match="must be"):
        build()
