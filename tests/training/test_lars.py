import pytest
import torch
from torch import nn

from cocodesign.training.lars import LARS


def test_a_step_is_that_of_the_algorithm_written_out():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    bias = torch.randn(3, generator=generator, dtype=torch.float64)
    parameters = [nn.Parameter(weight.clone()), nn.Parameter(bias.clone())]
    optimizer = LARS(
        parameters, lr=2.0, momentum=0.8, weight_decay=0.01, trust_coefficient=0.05
    )
    velocities = [torch.zeros_like(weight), torch.zeros_like(bias)]
    for _ in range(4):
        gradients = [
            torch.randn(each.shape, generator=generator, dtype=torch.float64)
            for each in parameters
        ]
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()
        norm = sum(value**2 for value in weight.flatten().tolist()) ** 0.5
        gradient_norm = (
            sum(value**2 for value in gradients[0].flatten().tolist()) ** 0.5
        )
        rate = 0.05 * norm / (gradient_norm + 0.01 * norm)
        velocities[0] = 0.8 * velocities[0] + 2.0 * rate * (
            gradients[0] + 0.01 * weight
        )
        velocities[1] = 0.8 * velocities[1] + 2.0 * gradients[1]
        weight, bias = weight - velocities[0], bias - velocities[1]
        torch.testing.assert_close(parameters[0].detach(), weight)
        torch.testing.assert_close(parameters[1].detach(), bias)


def test_the_scale_of_the_loss_changes_nothing_of_a_weight():
    moved = []
    for scale in (1.0, 1000.0):
        weight = nn.Parameter(torch.ones(2, 2))
        weight.grad = scale * torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        LARS([weight], lr=1.0).step()
        moved.append(weight.detach())
    torch.testing.assert_close(moved[0], moved[1])


@pytest.mark.parametrize("start", [torch.zeros(2, 2), torch.ones(2, 2)])
def test_a_weight_or_gradient_of_zero_gives_no_nan(start):
    weight = nn.Parameter(start)
    weight.grad = torch.zeros(2, 2)
    LARS([weight], lr=1.0).step()
    assert torch.equal(weight.detach(), start)


def test_a_closure_is_evaluated_with_gradients():
    weight = nn.Parameter(torch.ones(2, 2))
    optimizer = LARS([weight], lr=1.0)

    def closure() -> float:
        loss = weight.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert weight.norm() < 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": -1.0}, "at least 0, got -1.0 and 0.0"),
        ({"momentum": 1.0}, r"in \[0, 1\), got 1.0"),
        ({"trust_coefficient": 0.0}, "positive, got 0.0"),
    ],
)
def test_refuses_what_is_out_of_range(change, message):
    with pytest.raises(ValueError, match=message):
        LARS([nn.Parameter(torch.ones(1))], **{"lr": 1.0, **change})
