from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from cocodesign.compression.quantization import dequantized
from cocodesign.compression.report import CompressionReport
from cocodesign.compression.shrinking import Point, shrink, smallest, train


def batches() -> Iterator[tuple[Tensor, Tensor]]:
    """Yield points of the plane-like space whose class is the sign of a sum."""
    generator = torch.Generator().manual_seed(0)
    while True:
        inputs = torch.randn(64, 20, generator=generator)
        yield inputs, (inputs[:, :3].sum(1) > 0).long()


def validate(model: nn.Module) -> float:
    model.eval()
    inputs = torch.randn(500, 20, generator=torch.Generator().manual_seed(9))
    labels = (inputs[:, :3].sum(1) > 0).long()
    return float((model(inputs).argmax(1) == labels).float().mean())


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))


@pytest.mark.slow
def test_a_tenth_of_the_weights_does_as_well_in_a_smaller_file() -> None:
    model = network()
    train(model, batches(), 100, learning_rate=1e-2)
    dense = validate(model)
    shown: list[Point] = []
    points = shrink(
        model,
        batches(),
        validate,
        densities=[0.3, 0.1],
        prices=[1e-7, 1e-5],
        num_steps=60,
        learning_rate=1e-2,
        report=shown.append,
    )
    assert shown == points
    assert [point.density for point in points] == [0.3, 0.3, 0.1, 0.1]
    chosen = smallest(points, dense - 0.02)
    assert chosen is not None
    assert chosen.report.compression_ratio > 10
    model.load_state_dict(dequantized(chosen.tensors))
    assert validate(model) == chosen.accuracy


def test_training_lowers_the_loss() -> None:
    model = network()
    before = validate(model)
    train(model, batches(), 30, learning_rate=1e-2)
    assert validate(model) > max(before, 0.8)


def test_the_smallest_file_of_enough_accuracy_is_chosen() -> None:
    points = [
        Point(0.1, 0.0, accuracy, CompressionReport((), size, 100), {})
        for accuracy, size in ((0.9, 50), (0.8, 20), (0.85, 30), (0.7, 10))
    ]
    assert smallest(points, 0.8) is points[1]
    assert smallest(points, 0.81) is points[2]
    assert smallest(points, 0.95) is None


def test_refuses_densities_that_rise() -> None:
    with pytest.raises(ValueError, match="fall"):
        shrink(
            network(),
            batches(),
            validate,
            densities=[0.1, 0.3],
            prices=[0.0],
            num_steps=1,
            learning_rate=0.1,
        )
