import dataclasses
import time
from collections.abc import Callable

import pytest
import torch

from cocodesign.models import ConvNet
from cocodesign.panels.kfac_convergence import ConvergencePanel
from cocodesign.studies.task import MemoryTask

PATIENCE_S = 60.0


@pytest.fixture
def task() -> MemoryTask:
    """Return bright and dark pictures, which any optimizer tells apart."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (600,), generator=generator)
    noise = torch.rand(600, 1, 28, 28, generator=generator)
    images = noise + 2 * labels[:, None, None, None] - 1.5
    parts = zip(images.split((512, 44, 44)), labels.split((512, 44, 44)), strict=True)
    return MemoryTask(*(tensor for part in parts for tensor in part))


@pytest.fixture
def panel(task: MemoryTask) -> ConvergencePanel:
    return ConvergencePanel(
        task, lambda: ConvNet(widths=(8, 16)), seed=0, target_accuracy=0.9
    )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["K-FAC", "SGD"])
def test_run_draws_a_curve_that_learns(panel: ConvergencePanel, optimizer: str) -> None:
    panel.optimizer.value = optimizer
    panel.num_steps.value = 20
    panel.run.click()
    assert panel.wait(PATIENCE_S)
    (curve,) = panel.figure.data
    assert curve.x[-1] == 20
    assert curve.y[-1] > 0.9
    assert optimizer in curve.name
    assert panel.progress.value == panel.progress.max
    assert panel.run.description == "Run"


@pytest.mark.slow
def test_a_second_click_stops_the_run_and_the_kernel_stays_free(
    panel: ConvergencePanel,
) -> None:
    panel.num_steps.value = 500
    started = time.monotonic()
    panel.run.click()
    assert time.monotonic() - started < 1  # the click does not wait for the run
    assert panel.run.description == "Stop"
    until(lambda: bool(panel.figure.data[0].x))
    panel.run.click()
    assert panel.wait(PATIENCE_S)
    assert panel.figure.data[0].x[-1] < 500
    assert "stopped" in panel.status.value
    assert panel.run.description == "Run"


@pytest.mark.slow
def test_runs_stay_for_comparison_until_cleared(panel: ConvergencePanel) -> None:
    panel.num_steps.value = 10
    for _ in range(2):
        panel.run.click()
        assert panel.wait(PATIENCE_S)
    first, second = panel.figure.data
    assert first.line.color == second.line.color
    assert first.line.dash != second.line.dash
    panel.clear.click()
    assert panel.figure.data == ()


def test_sgd_has_neither_damping_nor_interval(panel: ConvergencePanel) -> None:
    panel.optimizer.value = "SGD"
    assert panel.damping.disabled
    assert panel.interval.disabled
    panel.optimizer.value = "K-FAC"
    assert not panel.damping.disabled


def test_offers_batches_up_to_the_whole_data(panel: ConvergencePanel) -> None:
    assert panel.mini_batch_size.options[0] == 8
    assert panel.mini_batch_size.options[-1] == 512


@pytest.mark.slow
def test_what_is_shown_is_not_the_test_accuracy(task: MemoryTask) -> None:
    blind = dataclasses.replace(task, test_labels=1 - task.test_labels)
    panel = ConvergencePanel(
        blind, lambda: ConvNet(widths=(8, 16)), seed=0, target_accuracy=0.9
    )
    panel.num_steps.value = 20
    panel.run.click()
    assert panel.wait(PATIENCE_S)
    assert panel.figure.data[0].y[-1] > 0.9


def test_every_slider_says_what_it_is(panel: ConvergencePanel) -> None:
    for widget in (
        panel.mini_batch_size,
        panel.learning_rate,
        panel.momentum,
        panel.damping,
    ):
        assert widget.description
        assert widget.tooltip
