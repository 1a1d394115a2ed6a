import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW

from cocodesign.training import warmup_polynomial

RATE, MOMENTUM, NUM_STEPS = 0.4, 0.9, 12
SHAPE = {"num_warmup_steps": 3, "num_constant_steps": 5, "num_steps": 11, "power": 2.0}


def expected_factor(step: int) -> float:
    if step < 3:
        return (step + 1) / 3
    if step < 5:
        return 1.0
    return max(0.0, 1 - (step - 5) / 6) ** 2


def weights_by_torch(rule: str) -> list[float]:
    weight = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
    optimizer = SGD([weight], lr=RATE, momentum=MOMENTUM)
    schedule = warmup_polynomial(optimizer, **SHAPE, momentum_rule=rule)
    found = []
    for _ in range(NUM_STEPS):
        weight.grad = 0.3 * weight.detach() + 0.1
        optimizer.step()
        schedule.step()
        found.append(weight.item())
    return found


def weights_by_velocity(rule: str) -> list[float]:
    """Step as the programme writes it: the velocity holds the learning rate."""
    weight, velocity, before, found = 1.0, 0.0, None, []
    for step in range(NUM_STEPS):
        rate = RATE * expected_factor(step)
        if rule == "tied":
            momentum = MOMENTUM / RATE * rate
        elif before is None or rate >= before:
            momentum = MOMENTUM
        else:
            momentum = MOMENTUM * rate / before
        velocity = momentum * velocity - rate * (0.3 * weight + 0.1)
        weight += velocity
        before = rate
        found.append(weight)
    return found


@pytest.mark.parametrize("rule", ["released", "tied"])
def test_tied_momentum_steps_as_the_programme_writes_it(rule):
    assert weights_by_torch(rule) == pytest.approx(weights_by_velocity(rule), rel=1e-12)


def test_the_two_conventions_differ():
    assert weights_by_torch("released") != weights_by_torch("tied")


def test_a_falling_rate_scales_the_velocity_by_itself():
    shape = {"num_warmup_steps": 0, "num_steps": 11, "power": 2.0}
    momenta = []
    for rule in ("constant", "released"):
        optimizer = SGD([nn.Parameter(torch.ones(1))], lr=RATE, momentum=MOMENTUM)
        schedule = warmup_polynomial(optimizer, **shape, momentum_rule=rule)
        momenta.append([])
        for _ in range(10):
            momenta[-1].append(optimizer.param_groups[0]["momentum"])
            optimizer.step()
            schedule.step()
    assert momenta[0] == momenta[1] == [MOMENTUM] * 10


@pytest.mark.parametrize("rule", ["constant", "tied"])
def test_the_rate_rises_stays_and_falls(rule):
    optimizer = SGD([nn.Parameter(torch.ones(1))], lr=RATE, momentum=MOMENTUM)
    schedule = warmup_polynomial(optimizer, **SHAPE, momentum_rule=rule)
    rates = []
    for _ in range(NUM_STEPS):
        rates += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx(
        [RATE * expected_factor(step) for step in range(NUM_STEPS)]
    )


def test_a_resumed_schedule_goes_on_with_the_same_momentum():
    def fresh():
        optimizer = SGD([nn.Parameter(torch.ones(1))], lr=RATE, momentum=MOMENTUM)
        return optimizer, warmup_polynomial(optimizer, **SHAPE, momentum_rule="tied")

    def momenta(optimizer, schedule):
        found = []
        for _ in range(3):
            optimizer.step()
            schedule.step()
            found.append(optimizer.param_groups[0]["momentum"])
        return found

    optimizer, schedule = fresh()
    momenta(optimizer, schedule)
    resumed = fresh()
    resumed[0].load_state_dict(optimizer.state_dict())
    resumed[1].load_state_dict(schedule.state_dict())
    assert momenta(*resumed) == momenta(optimizer, schedule)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_warmup_steps": -1}, "got -1, 2.0 and 11"),
        ({"num_constant_steps": 11}, "below num_steps = 11, got 11"),
    ],
)
def test_refuses_what_is_out_of_range(change, message):
    optimizer = SGD([nn.Parameter(torch.ones(1))], lr=RATE)
    with pytest.raises(ValueError, match=message):
        warmup_polynomial(optimizer, **{**SHAPE, **change})


def test_refuses_an_optimizer_without_momentum():
    optimizer = AdamW([nn.Parameter(torch.ones(1))], lr=RATE)
    with pytest.raises(ValueError, match="AdamW has no momentum for 'tied'"):
        warmup_polynomial(optimizer, **SHAPE, momentum_rule="tied")
