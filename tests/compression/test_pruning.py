import pytest
import torch
from torch import nn

from cocodesign.compression import Pruner, prune
from cocodesign.compression.pruning import Ramp
from cocodesign.compression.sensitivity import Sensitivity
from cocodesign.seeding import seeded_globally


def network() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    layers = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))
    for parameter in layers.parameters():
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    return layers


def density(model: nn.Module) -> float:
    matrices = [each for each in model.parameters() if each.dim() > 1]
    kept = sum(int(torch.count_nonzero(each)) for each in matrices)
    return kept / sum(each.numel() for each in matrices)


def train(model: nn.Module, pruner: Pruner, num_steps: int) -> None:
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(num_steps):
        inputs = torch.randn(16, 20, generator=generator)
        with pruner.masked():
            loss = (model(inputs) - inputs[:, :5]).square().mean()
            optimizer.zero_grad()
            loss.backward()
        optimizer.step()
        pruner.step()


def test_keeps_the_largest_of_all_layers_together() -> None:
    model = network()
    values = torch.cat([model[0].weight.reshape(-1), model[2].weight.reshape(-1)])
    threshold = values.abs().sort().values[-75]
    prune(model, 0.1)
    assert density(model) == pytest.approx(0.1)
    kept = model[0].weight[model[0].weight != 0]
    assert kept.abs().min() >= threshold


def test_keeps_a_share_of_each_named_layer() -> None:
    model = network()
    masks = prune(model, {"0.weight": 0.25})
    assert masks["0.weight"].float().mean() == pytest.approx(0.25)
    assert torch.count_nonzero(model[2].weight) == 150


def test_importance_outweighs_magnitude() -> None:
    model = network()
    masks = prune(model, 0.5, importance={"2.weight": torch.full((5, 30), 1e6)})
    assert masks["2.weight"].all()


@pytest.mark.slow
@pytest.mark.parametrize("splicing", [False, True])
def test_masks_survive_training_with_momentum(*, splicing: bool) -> None:
    model = network()
    pruner = Pruner(model, 0.1, num_steps=20, interval=5, splicing=splicing)
    train(model, pruner, 30)
    assert pruner.is_finished
    assert density(model) == pytest.approx(0.1, abs=0.002)
    assert pruner.density == pytest.approx(0.1, abs=0.002)
    for name, mask in pruner.masks.items():
        assert not model.get_parameter(name)[~mask].any()


def test_splicing_brings_weights_back() -> None:
    model = network()
    pruner = Pruner(model, 0.3, num_steps=40, interval=4, splicing=True)
    gone, returned = None, False
    for _ in range(40):
        train(model, pruner, 1)
        mask = pruner.masks.get("0.weight")
        if mask is not None:
            returned |= gone is not None and bool((gone & mask).any())
            gone = ~mask
    assert returned


def test_weights_behind_their_mask_are_hidden_only_inside_the_context() -> None:
    model = network()
    pruner = Pruner(model, 0.2, num_steps=10, interval=1, splicing=True)
    train(model, pruner, 3)
    outside = density(model)
    with pruner.masked():
        assert density(model) == pytest.approx(pruner.density, abs=1e-6)
    assert density(model) == outside == 1.0


def test_sensitivity_is_the_mean_of_squared_gradients_for_rank_one() -> None:
    layer = nn.Linear(3, 2, bias=False)
    sensitivity = Sensitivity(layer)
    rows, columns = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 0.0, 1.0])
    layer.weight.grad = torch.outer(rows, columns)
    sensitivity.observe()
    torch.testing.assert_close(
        sensitivity.importance()["weight"],
        layer.weight.grad.square(),
        rtol=0.01,
        atol=0.05,
    )


def test_sensitivity_spares_what_the_loss_minds() -> None:
    model = network()
    pruner = Pruner(model, 0.2, num_steps=20, interval=5)
    train(model, pruner, 20)
    # Only the first five inputs are asked for.
    kept = pruner.masks["0.weight"].float().mean(0)
    assert kept[:5].mean() > kept[5:].mean()


@pytest.mark.parametrize("wrong", [-0.1, 1.5])
def test_refuses_a_density_out_of_range(wrong: float) -> None:
    with pytest.raises(ValueError, match="density"):
        prune(network(), wrong)
    with pytest.raises(ValueError, match="density"):
        Ramp(wrong, num_steps=3)


def test_refuses_unknown_layers() -> None:
    with pytest.raises(ValueError, match="no layers named"):
        prune(network(), {"7.weight": 0.5})


def test_sensitivity_asks_for_gradients_first() -> None:
    with pytest.raises(RuntimeError, match="observe"):
        Sensitivity(network()).importance()


def test_what_is_left_of_a_layer_keeps_its_norm_once_for_every_mask() -> None:
    with seeded_globally(0, "layers"):
        model = nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 20))
    before = {name: each.norm() for name, each in model.named_parameters()}
    pruner = Pruner(
        model, 0.1, num_steps=4, interval=2, by_gradient=False, rescales=True
    )
    for _ in range(6):
        pruner.step()
    for name in ("0.weight", "2.weight"):
        weights = model.get_parameter(name).detach()
        assert 0 < torch.count_nonzero(weights) < 0.3 * weights.numel()
        torch.testing.assert_close(weights.norm(), before[name])
    model.get_parameter("0.weight").data.mul_(0.5)
    pruner.step()  # the masks are old: what training does to a norm stays
    torch.testing.assert_close(
        model.get_parameter("0.weight").norm(), 0.5 * before["0.weight"]
    )


def test_tells_the_density_of_every_layer() -> None:
    model = network()
    pruner = Pruner(model, 0.2, num_steps=10, interval=5)
    assert set(pruner.densities.values()) == {1.0}
    train(model, pruner, 10)
    for name, share in pruner.densities.items():
        assert share == pytest.approx(pruner.masks[name].float().mean().item())


def test_given_masks_stay_whatever_training_does():
    model = nn.Linear(4, 2, bias=False)
    masks = prune(model, 0.5)
    pruner = Pruner(model, 0.5, num_steps=1, by_gradient=False, masks=masks)
    for _ in range(3):
        with torch.no_grad():
            model.weight.copy_(torch.where(masks["weight"], 0.1, 9.0))
        pruner.step()
        assert torch.equal(model.weight != 0, masks["weight"])
    assert pruner.is_finished
