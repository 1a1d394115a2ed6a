import copy

import pytest
import torch
from torch import Tensor, nn

from cocodesign.errors import InfeasiblePlanError
from cocodesign.microbatch import apply_plan, plan_model
from cocodesign.microbatch.allocations import named_region, trace_memory
from cocodesign.microbatch.layers import remove_plan
from cocodesign.microbatch.recomputation import RecomputedForward
from cocodesign.microbatch.step import layer_uses, measure_peak
from cocodesign.microbatch.timings import Timings
from tests.tolerances import assert_close


class Block(nn.Module):
    """A chain of convolutions with batch normalisation, one tensor in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [
                nn.Conv2d(channels, channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def network() -> nn.Module:
    torch.random.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), Block(4), Block(4))


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def timings() -> Timings:
    """Return timings that the tests of this module share."""
    return Timings(repetitions=1)


def curved(y: Tensor) -> Tensor:
    return y.square().mean()


def test_a_trace_shows_peak_end_and_regions():
    def work() -> Tensor:
        first = torch.empty(1000)
        with named_region("inside"):
            second = torch.empty(500)
        del second
        return first

    trace = trace_memory(work)
    assert trace.peak_bytes == 6000
    assert trace.kept_bytes == 4000
    (region,) = trace.regions
    assert region.name == "inside"
    assert trace.before(region.start) == 4000


def test_finds_what_training_needs_of_each_layer(x):
    uses = layer_uses(network(), x)
    assert [use.name for use in uses][:2] == ["0", "1.layers.0"]
    assert uses[0].directions == ("forward", "backward_filter")
    assert uses[1].directions == ("forward", "backward_data", "backward_filter")
    frozen = network()
    frozen[0].requires_grad_(False)
    assert layer_uses(frozen, x)[0].directions == ("forward",)


def test_looking_at_a_model_does_not_change_it(x):
    model = network()
    before = copy.deepcopy(model.state_dict())
    layer_uses(model, x)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.slow
def test_the_predicted_peak_is_the_measured_one_within_a_twentieth(x, timings):
    model = network()
    own = measure_peak(model, x, loss=curved).peak_bytes
    for fraction in (3.0, 1.0):
        limit = int(own * fraction)
        plan = plan_model(
            model, x, step_limit_bytes=limit, loss=curved, timings=timings
        )
        planned = apply_plan(copy.deepcopy(model), plan)
        peak = measure_peak(planned, x, loss=curved).peak_bytes
        assert plan.predicted_peak_bytes == pytest.approx(peak, rel=0.05)
        assert peak <= limit


@pytest.mark.slow
def test_recomputing_fits_a_step_that_would_not_and_trains_the_same(x, timings):
    model = network()
    names = ["1", "2"]
    plain = plan_model(model, x, step_limit_bytes=1 << 30, loss=curved, timings=timings)
    assert plain.predicted_peak_bytes is not None
    with pytest.raises(InfeasiblePlanError) as refused:
        plan_model(model, x, step_limit_bytes=1, loss=curved, timings=timings)
    assert "raise the limit" in str(refused.value)
    lowest = _lowest_limit(model, x, timings, [])
    lower = _lowest_limit(model, x, timings, names)
    assert lower < lowest
    plan = plan_model(
        model,
        x,
        step_limit_bytes=lower,
        loss=curved,
        recomputable=names,
        timings=timings,
    )
    assert plan.recomputed
    planned, native = copy.deepcopy(model), copy.deepcopy(model)
    apply_plan(planned, plan)
    for each in (planned, native):
        curved(each(x)).backward()
    for one, other in zip(planned.parameters(), native.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-6)
    for one, other in zip(planned.buffers(), native.buffers(), strict=True):
        torch.testing.assert_close(one, other)
    remove_plan(planned)
    assert not any("forward" in module.__dict__ for module in planned.modules())


def _lowest_limit(
    model: nn.Module, x: Tensor, timings: Timings, names: list[str]
) -> int:
    """Return what the refusal says is needed, rounded up."""
    with pytest.raises(InfeasiblePlanError) as refused:
        plan_model(
            model,
            x,
            step_limit_bytes=1,
            loss=curved,
            recomputable=names,
            timings=timings,
        )
    words = str(refused.value).replace(",", "").split()
    return int(words[words.index("about") + 1]) + 4096


def test_recomputing_moves_batch_statistics_once(x):
    block, native = Block(3), Block(3)
    native.load_state_dict(block.state_dict())
    block.__dict__["forward"] = RecomputedForward(block)
    for each in (block, native):
        each(x.clone().requires_grad_()).square().sum().backward()
    for one, other in zip(block.buffers(), native.buffers(), strict=True):
        assert_close(one.double(), other.double())
    assert block.layers[1].momentum == 0.1


def test_refuses_two_limits_unknown_blocks_and_models_without_convolutions(x):
    model = network()
    with pytest.raises(ValueError, match="not both"):
        plan_model(model, x, workspace_limit_bytes=1, step_limit_bytes=1)
    with pytest.raises(ValueError, match="no module 'head'"):
        plan_model(model, x, recomputable=["head"])
    with pytest.raises(ValueError, match="inside"):
        plan_model(model, x, recomputable=["1", "1.layers"])
    with pytest.raises(ValueError, match="no convolution"):
        plan_model(nn.ReLU(), x)
