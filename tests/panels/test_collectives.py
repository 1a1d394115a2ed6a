import time

import pytest

from cocodesign.collectives.topology import abci, modern
from cocodesign.panels.collectives import (
    NAMES,
    CollectivesPanel,
    Question,
    answer_question,
)

PATIENCE_S = 60.0


@pytest.fixture
def panel() -> CollectivesPanel:
    panel = CollectivesPanel([abci(), modern()])
    panel.ranks.value = 16
    assert panel.wait(PATIENCE_S)
    return panel


@pytest.mark.slow
def test_draws_a_curve_for_every_schedule(panel: CollectivesPanel) -> None:
    curves = {curve.name: curve.y for curve in panel.figure.data}
    assert set(curves) == set(NAMES)
    for name in ("ring", "halving"):
        pairs = zip(curves["tuned"], curves[name], strict=True)
        assert all(tuned <= other * (1 + 1e-9) for tuned, other in pairs)
    assert "on 16 GPUs" in panel.status.value
    assert "simulated" in panel.status.value


@pytest.mark.slow
def test_only_the_last_of_many_changes_is_shown(panel: CollectivesPanel) -> None:
    started_s = time.monotonic()
    for number in (32, 64, 128, 64, 8):
        panel.ranks.value = number
    panel.machine.index = 1
    assert time.monotonic() - started_s < 1  # the kernel stays free
    assert panel.wait(PATIENCE_S)
    assert "on 8 GPUs" in panel.status.value
    expected = answer_question(panel.question)
    assert list(panel.figure.data[2].y) == expected.curves["tuned"]


def test_delays_are_part_of_the_close_look() -> None:
    calm = Question(modern(), 32, 1024.0, 0.0)
    busy = Question(modern(), 32, 1024.0, 1e-5)
    assert answer_question(busy).curves == answer_question(calm).curves
    assert "with the delays" in answer_question(busy).sentence
    assert "with the delays" not in answer_question(calm).sentence
