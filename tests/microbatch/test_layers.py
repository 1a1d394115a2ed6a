import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cocodesign.errors import PlanMismatchError
from cocodesign.microbatch import apply_plan
from cocodesign.microbatch.division import Division, parse_parts
from cocodesign.microbatch.layers import remove_plan
from cocodesign.microbatch.operators import planned_convolution
from cocodesign.microbatch.plan import LayerPlan, MicroBatchPlan
from cocodesign.microbatch.step import layer_uses
from tests.tolerances import assert_close

N = 5

LAYERS = {
    "1d": (lambda: nn.Conv1d(4, 6, 3, padding=1), (4, 9)),
    "2d": (lambda: nn.Conv2d(4, 6, 3, padding=1), (4, 9, 7)),
    "3d": (lambda: nn.Conv3d(2, 3, 3, stride=2), (2, 7, 6, 5)),
    "no bias": (lambda: nn.Conv2d(4, 6, 3, bias=False), (4, 9, 7)),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2, dilation=2), (4, 9, 7)),
    "depthwise": (lambda: nn.Conv2d(4, 4, 3, groups=4, padding=1), (4, 9, 7)),
    "same": (lambda: nn.Conv2d(4, 6, (3, 5), padding="same"), (4, 9, 7)),
    "same even": (lambda: nn.Conv2d(4, 6, (2, 4), padding="same"), (4, 9, 7)),
    "valid": (lambda: nn.Conv2d(4, 6, 3, padding="valid"), (4, 9, 7)),
    "reflect": (
        lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"),
        (4, 9, 7),
    ),
    "circular": (
        lambda: nn.Conv2d(4, 6, 3, padding=1, stride=2, padding_mode="circular"),
        (4, 9, 7),
    ),
    "transposed 1d": (lambda: nn.ConvTranspose1d(4, 6, 3, stride=2), (4, 9)),
    "transposed 2d": (
        lambda: nn.ConvTranspose2d(
            4, 6, 3, stride=2, padding=1, output_padding=1, groups=2
        ),
        (4, 5, 4),
    ),
    "transposed 3d": (lambda: nn.ConvTranspose3d(2, 3, 2, dilation=2), (2, 4, 3, 3)),
}


def make(name: str) -> tuple[nn.Module, Tensor]:
    build, shape = LAYERS[name]
    generator = torch.Generator().manual_seed(0)
    layer = build().double()
    for parameter in layer.parameters():
        parameter.data.normal_(generator=generator)
    x = torch.empty(N, *shape, dtype=torch.float64).normal_(generator=generator)
    return layer, x


def divided(
    model: nn.Module, x: Tensor, text: str = "im2col:3 direct:2"
) -> MicroBatchPlan:
    """Plan the same division for every layer and direction."""
    layers = [
        LayerPlan(
            use.name,
            use.problem,
            dict.fromkeys(use.directions, Division(parse_parts(text))),
            use.is_transposed,
        )
        for use in layer_uses(model, x)
    ]
    return MicroBatchPlan(tuple(layers), {}, "all")


def gradients(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Return output, input gradient and parameter gradients for a curved loss."""
    x = x.detach().clone().requires_grad_()
    y = model(x)
    y.square().sum().backward()
    found = [y.detach(), x.grad, *(p.grad for p in model.parameters())]
    model.zero_grad()
    return found


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", LAYERS)
def test_planned_layers_equal_torch_s_in_double_precision(name):
    layer, x = make(name)
    expected = gradients(layer, x)
    planned = apply_plan(layer, divided(layer, x.requires_grad_()))
    assert "forward" in planned.__dict__
    for actual, wanted in zip(gradients(planned, x), expected, strict=True):
        assert_close(actual, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["winograd4:4 winograd2:1", "fft:2*2 direct:1"])
@pytest.mark.parametrize("name", ["1d", "2d", "same", "reflect"])
def test_transforms_equal_torch_s_in_double_precision(name, text):
    layer, x = make(name)
    expected = gradients(layer, x)
    planned = apply_plan(layer, divided(layer, x.requires_grad_(), text))
    for actual, wanted in zip(gradients(planned, x), expected, strict=True):
        assert_close(actual, wanted)


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 5, 3, stride=2),
    )


def test_a_plan_leaves_class_parameters_and_state_dict_alone():
    model = network()
    before = copy.deepcopy(model.state_dict())
    parameters = list(model.parameters())
    apply_plan(model, divided(model, torch.ones(N, 3, 8, 8)))
    assert type(model[0]) is nn.Conv2d
    assert list(map(id, model.parameters())) == list(map(id, parameters))
    assert list(model.state_dict()) == list(before)
    model.load_state_dict(before)


def test_batch_normalisation_sees_the_whole_mini_batch():
    generator = torch.Generator().manual_seed(0)
    x = torch.empty(N, 3, 8, 8).normal_(generator=generator)
    model, native = network(), network()
    native.load_state_dict(model.state_dict())
    apply_plan(model, divided(model, x))
    assert_close(model(x), native(x))
    assert_close(model[1].running_var, native[1].running_var)


def test_channels_last_goes_through():
    x = torch.rand(N, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    model = network().to(memory_format=torch.channels_last)
    expected = model(x)
    apply_plan(model, divided(model, x))
    y = model(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-5)


def test_autocast_computes_in_half_precision_as_torch_does():
    model, x = network(), torch.rand(N, 3, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = model(x)
        apply_plan(model, divided(model, x, "direct:3 direct:2"))
        y = model(x)
    assert y.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(y, expected, rtol=0.05, atol=0.05)
    y.float().sum().backward()
    assert model[0].weight.grad.dtype == torch.float32


def test_a_smaller_mini_batch_runs_in_the_planned_micro_batches():
    layer, x = make("2d")
    expected = gradients(layer, x[:4])
    apply_plan(layer, divided(layer, x.requires_grad_()))
    for actual, wanted in zip(gradients(layer, x[:4]), expected, strict=True):
        assert_close(actual, wanted)


@pytest.mark.parametrize(
    "x",
    [
        torch.ones(N + 1, 3, 8, 8),
        torch.ones(N, 3, 9, 8),
        torch.ones(N, 3, 8, 8).double(),
    ],
    ids=["larger mini-batch", "other size", "other type"],
)
def test_an_input_that_the_plan_does_not_know_is_refused_or_native(x):
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    plan = divided(model, torch.ones(N, 3, 8, 8))
    apply_plan(model, plan)
    with pytest.raises(
        PlanMismatchError, match="layer '0' is planned for up to 5 x 8x8"
    ):
        model(x)
    apply_plan(model, plan, on_mismatch="native")
    model.to(x.dtype)
    assert_close(model(x), nn.Conv2d.forward(model[0], x))


def test_an_output_size_of_a_transposed_layer_is_torch_s_affair():
    layer, x = make("transposed 1d")
    expected = layer(x, output_size=[20])
    apply_plan(layer, divided(layer, x))
    assert_close(layer(x, output_size=[20]), expected)


def test_a_plan_for_another_model_is_refused_with_the_reason():
    plan = divided(network(), torch.ones(N, 3, 8, 8))
    with pytest.raises(PlanMismatchError, match="layer '3'"):
        apply_plan(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)), plan)
    other = network()
    other[3] = nn.Conv2d(4, 5, 3, stride=1)
    with pytest.raises(PlanMismatchError, match="has stride"):
        apply_plan(other, plan)


def test_a_plan_of_another_machine_is_refused_unless_it_is_allowed():
    model = network()
    plan = divided(model, torch.ones(N, 3, 8, 8))
    foreign = replace(plan, machine={"processor": "Cray-1"})
    with pytest.raises(PlanMismatchError, match="processor 'Cray-1', here it is"):
        apply_plan(model, foreign)
    apply_plan(model, foreign, allows_other_machine=True)


def test_an_algorithm_that_cannot_compute_the_layer_is_refused():
    model = network()
    plan = divided(model, torch.ones(N, 3, 8, 8), "gemm:5")
    with pytest.raises(PlanMismatchError, match="planned with gemm, which is not"):
        apply_plan(model, plan)


def test_removing_a_plan_and_copying_a_model_work():
    model = network()
    plan = divided(model, torch.ones(N, 3, 8, 8))
    apply_plan(model, plan)
    copied = copy.deepcopy(model)
    copied[0].weight.data.zero_()
    x = torch.rand(N, 3, 8, 8)
    assert model[0](x).abs().max() > copied[0](x).abs().max()
    remove_plan(model)
    assert not any("forward" in module.__dict__ for module in model.modules())


def test_a_layer_whose_plan_is_torch_s_call_is_left_alone():
    model = network()
    apply_plan(model, divided(model, torch.ones(N, 3, 8, 8), "direct:5"))
    assert "forward" not in model[0].__dict__


@pytest.mark.slow
def test_compiles_without_a_graph_break():
    model, x = network(), torch.rand(N, 3, 8, 8)
    expected = gradients(model, x)
    apply_plan(model, divided(model, x))
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    for actual, wanted in zip(gradients(compiled, x), expected, strict=True):
        torch.testing.assert_close(actual, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # opcheck looks at it
@pytest.mark.parametrize("name", ["2d", "3d", "transposed 2d"])
def test_the_operator_keeps_torch_s_rules(name):
    layer, x = make(name)
    plan = divided(layer, x.requires_grad_()).layers[0]
    arguments = (x.detach().requires_grad_(), layer.weight, layer.bias, plan.to_json())
    torch.library.opcheck(planned_convolution, arguments)
    torch.autograd.gradcheck(planned_convolution, arguments, fast_mode=True)
