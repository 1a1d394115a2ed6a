import copy

import torch
from torch import Tensor, nn

from cocodesign.compression import quantize
from cocodesign.compression.centroids import CentroidTrainer
from cocodesign.compression.quantization import dequantized
from cocodesign.compression.quantized import Codebook, QuantizedTensor


def task() -> tuple[nn.Sequential, Tensor, Tensor]:
    """Return a pruned network, inputs, and what another network makes of them."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 30), nn.ReLU(), nn.Linear(30, 3))
    for parameter in model.parameters():
        kept = torch.rand(parameter.shape, generator=generator) < 0.4
        parameter.data = torch.randn(parameter.shape, generator=generator) * kept
    inputs = torch.randn(300, 10, generator=generator)
    return model, inputs, model(inputs).detach()


def train(
    model: nn.Module, trainer: CentroidTrainer, inputs: Tensor, targets: Tensor
) -> list[float]:
    losses = []
    for _ in range(60):
        loss = (model(inputs) - targets).square().mean()
        loss.backward()
        trainer.step()
        losses.append(loss.item())
    return losses


def test_training_repairs_much_of_what_quantization_cost() -> None:
    model, inputs, targets = task()
    tensors = quantize(model, num_bits=2, method="kmeans")
    losses = train(model, CentroidTrainer(model, tensors, lr=0.1), inputs, targets)
    assert losses[-1] < 0.6 * losses[0]


def test_weights_that_shared_a_value_still_do_and_zeros_stay() -> None:
    model, inputs, targets = task()
    tensors = quantize(model, num_bits=3)
    trainer = CentroidTrainer(model, tensors, lr=0.02)
    train(model, trainer, inputs, targets)
    for name in ("0.weight", "2.weight"):
        before, after = tensors[name], model.get_parameter(name).detach()
        assert isinstance(before, QuantizedTensor)
        for level in before.symbols.unique():
            assert after[before.symbols == level].unique().numel() == 1
        assert not after[before.symbols == 0].any()


def test_what_is_returned_is_what_the_model_computes_with() -> None:
    model, inputs, targets = task()
    trainer = CentroidTrainer(model, quantize(model, num_bits=3), lr=0.1)
    train(model, trainer, inputs, targets)
    tensors = trainer.tensors()
    assert isinstance(tensors["0.weight"], QuantizedTensor)
    assert isinstance(tensors["0.weight"].quantizer, Codebook)
    again = copy.deepcopy(model)
    again.load_state_dict(dequantized(tensors))
    assert torch.equal(again(inputs), model(inputs))


def test_the_first_step_moves_a_value_by_the_sum_of_its_gradients() -> None:
    layer = nn.Linear(3, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, 1.0, -1.0]])
    tensors = quantize(layer, num_bits=2)
    trainer = CentroidTrainer(layer, tensors, lr=0.1)
    layer.weight.grad = torch.tensor([[2.0, -2.0, 3.0]])
    trainer.step()  # the positive value's gradients cancel, the negative one is lowered
    torch.testing.assert_close(layer.weight.detach(), torch.tensor([[1.0, 1.0, -1.1]]))


def test_a_tensor_of_zeros_is_left_alone() -> None:
    layer = nn.Linear(2, 2)
    layer.weight.data.zero_()
    trainer = CentroidTrainer(layer, quantize(layer, num_bits=4), lr=0.1)
    layer(torch.ones(1, 2)).sum().backward()
    trainer.step()
    tensors = trainer.tensors()
    assert not layer.weight.any()
    assert not dequantized(tensors)["weight"].any()
