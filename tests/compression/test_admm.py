import pytest
import torch
from torch import Tensor, nn

from cocodesign.compression.admm import AlternatingPruner


class Regression:
    """A layer of 40 weights in training, on targets that need 5 of them."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.layer = nn.Linear(40, 1, bias=False)
        self.layer.weight.data = 0.5 * torch.randn(1, 40, generator=generator)
        self.inputs = torch.randn(200, 40, generator=generator)
        self.targets = self.inputs[:, :5].sum(1, keepdim=True)
        self.optimizer = torch.optim.SGD(self.layer.parameters(), lr=0.1)

    def loss(self) -> Tensor:
        return (self.layer(self.inputs) - self.targets).square().mean()

    def train(self, pruner: AlternatingPruner, num_steps: int) -> None:
        for _ in range(num_steps):
            self.optimizer.zero_grad()
            self.loss().backward()
            pruner.attract()
            self.optimizer.step()
            pruner.step()


def test_weights_come_to_agree_with_their_sparse_copy() -> None:
    task = Regression()
    pruner = AlternatingPruner(task.layer, 0.125, strength=0.1, interval=5)
    before = pruner.disagreement()
    task.train(pruner, 100)
    assert pruner.disagreement() < 0.05 < before


def test_finds_the_weights_that_matter_and_keeps_the_others_away() -> None:
    task = Regression()
    pruner = AlternatingPruner(task.layer, 0.125, strength=0.1, interval=5)
    task.train(pruner, 100)
    masks = pruner.finish()
    assert masks["weight"].flatten().nonzero().flatten().tolist() == [0, 1, 2, 3, 4]
    task.train(pruner, 50)
    assert task.loss().item() < 1e-4
    assert not task.layer.weight[~masks["weight"]].any()


def test_the_sparse_copy_and_the_multipliers_follow_their_equations() -> None:
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data = torch.tensor([[4.0, 1.0]])
    pruner = AlternatingPruner(layer, 0.5, strength=1.0, interval=1)
    pruner.step()  # W + U = (4, 1): Z = (4, 0), U = (0, 1)
    layer.weight.data = torch.tensor([[0.5, 1.0]])
    pruner.step()  # W + U = (0.5, 2): Z = (0, 2), U = (0.5, 0)
    pruner.attract()  # W - Z + U = (1, -1)
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[1.0, -1.0]]


def test_layers_that_are_not_named_stay_whole() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    pruner = AlternatingPruner(model, {"1.weight": 0.25})
    pruner.attract()
    pruner.finish()
    assert model[0].weight.grad is None
    assert int(torch.count_nonzero(model[1].weight)) == 4
    assert int(torch.count_nonzero(model[0].weight)) == 16


@pytest.mark.parametrize("wrong", [{"strength": 0.0}, {"interval": 0}])
def test_refuses_what_is_not_positive(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        AlternatingPruner(nn.Linear(2, 2), 0.5, **wrong)
