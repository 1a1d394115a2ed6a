import numpy as np
import pytest

from cocodesign.panels.video_anomalies import VideoPanel
from cocodesign.video.anomalies import AnomalyModel
from cocodesign.video.observation import Moment
from cocodesign.video.protocol import InjectOutcome
from tests.video.conftest import moment_with, track_at


@pytest.fixture(scope="module")
def outcome() -> InjectOutcome:
    moments: list[Moment] = [
        moment_with(
            *(
                track_at(40 + 3 * step, 190 + 5 * n, number=n, velocity=(30, 0))
                for n in range(3)
            ),
            time_s=step / 10,
        )
        for step in range(60)
    ]
    scores = np.concatenate([np.linspace(0, 1, 20), np.linspace(0, 3, 20)])
    return InjectOutcome(
        times_s=np.arange(40) / 10,
        scores=scores,
        strange=np.arange(40) % 20 > 10,
        stretches=(0,) * 20 + (1,) * 20,
        kinds=("fast", "blur"),
        reasons=("speed",) * 40,
        alarms=(),
        right_reasons=(("speed",), ("blur",)),
        rbdc=1.0,
        tbdc=1.0,
        training_s=1.0,
        pictures={index: b"jpeg %d" % index for index in range(0, 40, 4)},
        model=AnomalyModel.fit(moments),
    )


@pytest.fixture
def panel(outcome: InjectOutcome) -> VideoPanel:
    return VideoPanel(outcome)


def test_an_event_shows_its_own_scores_and_pictures(panel, outcome) -> None:
    panel.event.value = 1
    assert list(panel.timeline.data[0].x) == pytest.approx(outcome.times_s[20:])
    panel.frame.value = 2
    assert panel.picture.value == b"jpeg 28"
    assert panel.timeline.data[3].x[0] == pytest.approx(2.8)


def test_the_threshold_says_what_it_would_find(panel, outcome) -> None:
    scores, strange = outcome.clip(0)
    panel.threshold.value = 0.5
    found = (scores[strange] > 0.5).mean()
    assert f"{found:.0%} of the strange frames" in panel.status.value
    panel.threshold.value = panel.threshold.max
    assert "0% of the strange frames" in panel.status.value


def test_it_begins_with_the_conformal_threshold(panel, outcome) -> None:
    limit = outcome.model.threshold.value
    assert panel.threshold.value == pytest.approx(max(limit, 0.1), abs=0.05)


def test_every_control_says_what_it_does(panel: VideoPanel) -> None:
    for widget in (panel.event, panel.frame, panel.threshold):
        assert widget.description
        assert widget.tooltip
