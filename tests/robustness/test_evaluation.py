import pytest
import torch
from torch import Tensor, nn

from cocodesign.robustness import FGSM, PGD, Ball, Square, attack_all
from cocodesign.robustness.masking import MaskingReport, check_masking, loss_surface

Labelled = tuple[Tensor, Tensor]
BALL = Ball("linf", 0.08)


class Staircase(nn.Module):
    """Rounds pixels first, so that no gradient comes back."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network((images * 25).round() / 25)


def test_a_picture_stands_only_if_no_attack_fools(
    trained: nn.Module, pictures: Labelled
) -> None:
    found = attack_all(trained, *pictures, [FGSM(), PGD(10), Square(30)], BALL)
    after = list(found.withstands.values())
    assert list(found.withstands) == ["FGSM", "PGD-10 x1", "Square-30"]
    for earlier, later in zip([found.is_right, *after], after, strict=False):
        assert not (later & ~earlier).any()
    right = trained(found.images).argmax(1) == pictures[1]
    assert torch.equal(right, after[-1])
    assert found.robust_accuracy == after[-1].double().mean().item()


def test_the_network_keeps_its_mode(pictures: Labelled) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 4))
    network.train()
    network[1].eval()
    attack_all(network, *pictures, [FGSM()], BALL)
    assert network.training
    assert not network[1].training


def test_hidden_gradients_are_found_out(trained: nn.Module, pictures: Labelled) -> None:
    honest = check_masking(trained, *pictures, BALL, steps=(5, 20), num_queries=200)
    hidden = check_masking(
        Staircase(trained), *pictures, BALL, steps=(5, 20), num_queries=200
    )
    assert honest.suspicions == ()
    assert "without gradients" in hidden.suspicions[0]
    assert "grey" in hidden.suspicions[-1]


def test_steps_that_help_the_defender_are_named() -> None:
    report = MaskingReport(0.5, 0.6, {10: 0.4, 40: 0.5}, 0.0)
    assert report.suspicions == ("40 steps leave 50.0%, 10 steps only 40.0%",)


def test_the_surface_is_the_loss_around_the_picture(
    trained: nn.Module, pictures: Labelled
) -> None:
    images, labels = pictures
    surface = loss_surface(trained, images[0], int(labels[0]), BALL, num_points=5)
    here = nn.functional.cross_entropy(trained(images[:1]), labels[:1]).item()
    assert surface[2, 2].item() == pytest.approx(here, rel=1e-4)
    assert surface[4, 2] > surface[2, 2]  # uphill


@pytest.mark.parametrize("attacks", [[], [FGSM(), FGSM()]])
def test_refuses_no_attacks_and_equal_ones(
    attacks: list[FGSM], trained: nn.Module, pictures: Labelled
) -> None:
    with pytest.raises(ValueError, match="each of its own name"):
        attack_all(trained, *pictures, attacks, BALL)


def test_refuses_pixels_out_of_range(trained: nn.Module, pictures: Labelled) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        attack_all(trained, 255 * pictures[0], pictures[1], [FGSM()], BALL)
