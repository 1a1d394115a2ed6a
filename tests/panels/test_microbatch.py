import pytest

from cocodesign.microbatch.division import Candidate
from cocodesign.microbatch.problem import ConvProblem
from cocodesign.microbatch_study import LayerStudy
from cocodesign.panels.microbatch import WorkspacePanel

MIB = 1 << 20


@pytest.fixture
def panel() -> WorkspacePanel:
    small = ConvProblem.square(4, 3, 4, size=8, kernel=3)
    large = ConvProblem.square(4, 3, 4, size=16, kernel=3)
    candidates = (
        Candidate("direct", 4, run_s=0.004, workspace_bytes=0),
        Candidate("fft", 4, run_s=0.001, workspace_bytes=40 * MIB),
        Candidate("fft", 1, run_s=0.0005, workspace_bytes=10 * MIB),
    )
    return WorkspacePanel(LayerStudy({small: candidates, large: candidates[:1]}, ()))


def test_more_workspace_lets_faster_parts_fit(panel):
    panel.limit.value = 1 * MIB
    assert "direct:4" in panel.summary.value
    panel.limit.value = 16 * MIB
    assert "fft:1*4" in panel.summary.value
    assert "2.00 x" in panel.summary.value
    panel.limit.value = 64 * MIB
    assert "fft:4" in panel.summary.value


def test_the_policy_decides_whether_the_mini_batch_may_be_divided(panel):
    panel.limit.value = 16 * MIB
    panel.policy.value = "undivided"
    assert "direct:4" in panel.summary.value


def test_the_figure_follows_the_layer_and_the_limit(panel):
    undivided, divided, line, bars = panel.figure.data
    panel.limit.value = 16 * MIB
    assert list(undivided.y) == pytest.approx([4.0, 1.0])
    assert list(divided.y) == pytest.approx([4.0, 2.0, 1.0])
    assert line.x[0] == pytest.approx(16)
    assert list(bars.y) == [1, 1, 1, 1]
    panel.layer.value = panel.layer.options[1][1]
    assert list(divided.y) == pytest.approx([4.0])


def test_every_control_says_what_it_is(panel):
    for control in (panel.layer, panel.limit):
        assert control.description
        assert control.tooltip
    assert all(panel.policy.tooltips)
