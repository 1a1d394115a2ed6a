import pytest
import torch
from torch import nn

from cocodesign.panels.compression import CompressionPanel

PATIENCE_S = 60.0


@pytest.fixture
def panel() -> CompressionPanel:
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        model = nn.Sequential(nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 3))
    inputs = torch.randn(200, 30, generator=torch.Generator().manual_seed(1))
    labels = model(inputs).argmax(1)

    def validate(network: nn.Module) -> float:
        return float((network(inputs).argmax(1) == labels).float().mean())

    return CompressionPanel(model, validate)


def compress(panel: CompressionPanel) -> None:
    panel.run.click()
    assert panel.wait(PATIENCE_S)


def test_every_compression_leaves_a_point_and_shows_its_layers(
    panel: CompressionPanel,
) -> None:
    panel.density.value, panel.num_bits.value = 1.0, 10
    compress(panel)
    panel.density.value, panel.num_bits.value = 0.05, 2
    panel.method.value, panel.profile.value = "kmeans", "max"
    compress(panel)
    points, bars = panel.figure.data
    assert points.x[0] < points.x[1]
    assert points.y[0] > points.y[1]
    assert bars.y == ("0", "2")
    assert "x, " in panel.status.value
    assert not panel.run.disabled


def test_a_failure_is_shown_and_the_button_comes_back() -> None:
    def fail(_network: nn.Module) -> float:
        raise RuntimeError("no pictures")

    panel = CompressionPanel(nn.Linear(3, 3), fail)
    compress(panel)
    assert panel.status.value == "failed: no pictures"
    assert not panel.run.disabled
