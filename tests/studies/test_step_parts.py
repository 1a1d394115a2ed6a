import pytest
import torch

from cocodesign.models import ConvNet
from cocodesign.studies.step_parts import PARTS, StepParts, measure_step_parts


@pytest.fixture(scope="module")
def parts() -> StepParts:
    batch = torch.randn(256, 1, 28, 28), torch.randint(10, (256,))
    return measure_step_parts(lambda: ConvNet(widths=(8, 16)), batch, num_rounds=5)


@pytest.mark.slow
def test_every_part_takes_its_time_and_none_is_negative(parts):
    assert min(getattr(parts, name) for name in PARTS) >= 0
    assert parts.forward > 0
    assert parts.backward > 0
    assert parts.statistics + parts.inverses > 0


def test_rarer_refreshes_make_only_the_refreshes_cheaper():
    parts = StepParts(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert parts.amortised(1) == dict(zip(PARTS, (1, 2, 3, 4, 5, 6), strict=True))
    assert parts.amortised(4) == dict(zip(PARTS, (1, 2, 3, 4, 1.25, 1.5), strict=True))


def test_refuses_an_interval_below_one_step():
    with pytest.raises(ValueError, match=r"at least 1, got 0\.5"):
        StepParts(1, 1, 1, 1, 1, 1).amortised(0.5)


@pytest.mark.parametrize("num_rounds", [0, 15])
def test_refuses_rounds_that_would_meet_an_early_refresh(num_rounds):
    batch = torch.randn(8, 1, 28, 28), torch.randint(10, (8,))
    with pytest.raises(ValueError, match=f"between 1 and 14, got {num_rounds}"):
        measure_step_parts(ConvNet, batch, num_rounds=num_rounds)
