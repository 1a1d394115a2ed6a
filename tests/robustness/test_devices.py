import copy

import pytest
import torch
from torch import Tensor, nn

from cocodesign.robustness import APGD, FGSM, PGD, Ball, Square, attack_all

Labelled = tuple[Tensor, Tensor]


@pytest.mark.gpu
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_on_a_gpu_attacks_stay_in_the_ball_and_fool_as_many(
    norm: str, trained: nn.Module, pictures: Labelled
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    ball = Ball(norm, 0.08 if norm == "linf" else 0.6)
    attacks = [FGSM(), PGD(10), APGD("dlr", 10), Square(100)]
    images, labels = (each.to("cuda") for each in pictures)
    there = copy.deepcopy(trained).to("cuda")
    found = attack_all(there, images, labels, attacks, ball)
    expected = attack_all(trained, *pictures, attacks, ball)
    assert (ball.distance(found.images, images) <= ball.radius * (1 + 1e-5)).all()
    # The random numbers of a GPU are others.
    assert abs(found.robust_accuracy - expected.robust_accuracy) <= 0.1
