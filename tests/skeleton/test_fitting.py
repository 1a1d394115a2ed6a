import pytest
import torch
from torch import nn

from cocodesign.skeleton.fitting import Recipe, fit
from cocodesign.skeleton.layouts import JointLayout


class Counted(nn.Module):
    """A linear network that remembers the sizes of its mini-batches."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4 * 8 * 20, 2)
        self.sizes: list[int] = []

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(clips))
        return self.head(clips.flatten(1))


def clips_of(num: int) -> torch.Tensor:
    clips = torch.randn(num, 4, 8, 20, 1, generator=torch.Generator().manual_seed(0))
    clips[:, 3] = 1
    return clips


def test_every_epoch_takes_all_clips_in_batches_of_nearly_one_size(kinect) -> None:
    network, epochs = Counted(), []
    fit(
        network,
        clips_of(21),
        torch.arange(21) % 2,
        kinect,
        Recipe(num_epochs=3, mini_batch_size=8),
        seed=0,
        report=lambda epoch, loss: epochs.append((epoch, loss)),
    )
    assert network.sizes == [7, 7, 7] * 3
    assert [epoch for epoch, _ in epochs] == [1, 2, 3]
    assert not network.training


def test_no_batch_has_a_single_clip(kinect: JointLayout) -> None:
    network = Counted()
    recipe = Recipe(num_epochs=1, mini_batch_size=2)
    fit(network, clips_of(5), torch.zeros(5, dtype=torch.int64), kinect, recipe, seed=0)
    assert min(network.sizes) > 1


def test_refuses_a_single_clip(kinect: JointLayout) -> None:
    with pytest.raises(ValueError, match="cannot train on 1 clips"):
        fit(Counted(), clips_of(1), torch.zeros(1).long(), kinect, Recipe(), seed=0)


@pytest.mark.parametrize("options", [{"num_epochs": 0}, {"mini_batch_size": 1}])
def test_refuses_impossible_recipes(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="num_epochs must be at least 1"):
        Recipe(**options)
