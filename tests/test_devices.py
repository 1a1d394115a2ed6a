import pytest
import torch

from cocodesign.devices import choose_device


def test_auto_takes_cuda_exactly_where_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device("auto").type == expected


@pytest.mark.parametrize("name", ["gpu", "cuda:99", ""])
def test_refuses_a_device_that_is_not_there(name: str) -> None:
    with pytest.raises(ValueError, match=name or "auto"):
        choose_device(name)
