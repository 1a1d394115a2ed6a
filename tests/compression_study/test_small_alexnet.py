import pytest
import torch
from torchvision.models import alexnet

from cocodesign.compression_study.small_alexnet import SmallAlexNet, expanded
from tests.tolerances import assert_close


@pytest.mark.slow
@pytest.mark.parametrize("spread", [True, False])
def test_torchvisions_alexnet_computes_the_same(*, spread: bool) -> None:
    small = SmallAlexNet(10).eval()
    with torch.device("meta"):
        full = alexnet(num_classes=10).eval()
    state = expanded(small.state_dict(), spread=spread)
    full.load_state_dict(state, assign=True)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert_close(full(images), small(images))
    assert sum(each.numel() for each in state.values()) == 57_044_810


def test_refuses_pictures_that_leave_several_positions() -> None:
    with pytest.raises(ValueError, match="63 to 94 pixels"):
        SmallAlexNet(10).eval()(torch.zeros(1, 3, 128, 128))
