import pytest
from torch import nn

from cocodesign.panels.robustness import RobustnessPanel
from cocodesign.robustness_study.arms import Arm
from cocodesign.robustness_study.experiment import Outcome
from tests.robustness.stripes import stripes, trained_network

CLASSES = ("one", "three", "five", "seven")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return trained_network()


@pytest.fixture
def panel(network: nn.Module) -> RobustnessPanel:
    arms = {
        name: Arm(name, network, 1000, None)
        for name in ("dense", "compressed", "compact")
    }
    outcome = Outcome(0, "natural", arms, {}, {}, {}, None)
    return RobustnessPanel([outcome], *stripes(8, seed=1), CLASSES)


def test_without_an_attack_the_picture_is_as_it_is(panel: RobustnessPanel) -> None:
    panel.attack.value = "none"
    assert "changed by at most 0.00" in panel.status.value
    before, after, *_ = panel.figure.data
    assert list(map(list, before.z)) == list(map(list, after.z))
    assert panel.status.value.count("✓") == 3


def test_an_attack_stays_within_the_slider_and_fools(panel: RobustnessPanel) -> None:
    panel.radius.value = 0.2
    assert "changed by at most 0.20" in panel.status.value
    assert panel.status.value.count("✗") == 3


@pytest.mark.parametrize("attack", ["FGSM", "APGD, logit ratio", "Square, 500 queries"])
def test_every_attack_answers(panel: RobustnessPanel, attack: str) -> None:
    panel.attack.value = attack
    panel.picture.value = 3
    assert panel.status.value.startswith("<b>seven</b>")


def test_every_control_says_what_it_does(panel: RobustnessPanel) -> None:
    controls = (
        panel.training,
        panel.target,
        panel.attack,
        panel.radius,
        panel.picture,
    )
    for control in controls:
        assert control.description
        assert control.tooltip


def test_refuses_to_show_nothing() -> None:
    with pytest.raises(ValueError, match="at least one outcome and one picture"):
        RobustnessPanel([], *stripes(8, seed=1), CLASSES)
