import pytest
import torch
from torch import nn

from cocodesign.models import resnet50
from cocodesign.seeding import seeded_globally

pytestmark = pytest.mark.slow  # 25 million weights


@pytest.fixture(scope="module")
def network() -> nn.Module:
    with seeded_globally(0, "weights"):
        return resnet50(7)


def test_normalisations_are_the_programmes(network):
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d)]
    assert len(norms) == 53
    assert {(each.momentum, each.eps) for each in norms} == {(0.1, 2e-5)}
    scales = torch.cat([each.weight.detach() for each in norms])
    assert scales.mean().item() == pytest.approx(1.0, abs=2e-3)
    assert scales.std().item() == pytest.approx(0.05, rel=0.03)


def test_weights_have_hes_deviation(network):
    weight = network.layer4[0].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)
    assert network.fc.bias.abs().max() == 0


def test_gives_one_score_per_class(network):
    assert network.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 7)
