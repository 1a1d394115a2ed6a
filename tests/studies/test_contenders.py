import pytest
from torch import nn

from cocodesign.studies import Contender

MAKERS = [Contender.sgd, Contender.lars, Contender.adamw, Contender.kfac]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_contender_has_as_many_different_settings_as_asked_for(make):
    assert len(set(make(5).settings)) == 5
    assert make(5).settings != make(5, seed=1).settings


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_setting_reaches_its_optimizer(make):
    contender = make(3)
    setting = contender.settings[2]
    (group,) = contender.build(nn.Linear(2, 2), setting).param_groups
    assert group["lr"] == setting.learning_rate
    momentum = group["betas"][0] if "betas" in group else group["momentum"]
    assert momentum == setting.momentum
    assert group.get("damping") == setting.damping
    assert not group["weight_decay"]


def test_refuses_to_have_nothing_to_try():
    with pytest.raises(ValueError, match="any needs at least one setting"):
        Contender("any", (), Contender.sgd(1).build)
