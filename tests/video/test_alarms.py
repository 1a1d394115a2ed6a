import io
import json

import pytest
from PIL import Image

from cocodesign.video.alarms import AlarmBell
from cocodesign.video.anomalies import Finding, Judgement


def finding(score: float, subject: str = "person 1", box=(80, 100, 104, 150)):
    return Finding("speed", subject, score, f"{subject} runs", box)


def ring(bell, make_frame, times, score: float) -> list:
    return [
        alarm
        for t in times
        for alarm in bell.listen(
            Judgement(t, (finding(score),)), make_frame((92, 150), time_s=t)
        )
    ]


@pytest.fixture
def bell() -> AlarmBell:
    return AlarmBell("camera 1", threshold=1.0)


def test_one_long_anomaly_is_one_alarm(bell, make_frame) -> None:
    alarms = ring(bell, make_frame, [t / 10 for t in range(200)], 3.0)
    assert [each.time_s for each in alarms] == [0.3]


def test_a_flash_is_no_alarm(bell, make_frame) -> None:
    assert ring(bell, make_frame, [0.0, 0.1], 9.0) == []


def test_the_same_after_a_quiet_time_is_an_alarm_again(bell, make_frame) -> None:
    times = [t / 10 for t in range(10)]
    assert len(ring(bell, make_frame, times, 3.0)) == 1
    assert len(ring(bell, make_frame, [2 + t for t in times], 3.0)) == 0
    assert len(ring(bell, make_frame, [20 + t for t in times], 3.0)) == 1


def test_an_alarm_is_one_line_of_json_and_a_thumbnail(bell, make_frame) -> None:
    (alarm,) = ring(bell, make_frame, [t / 10 for t in range(5)], 3.0)
    line = alarm.to_json()
    assert "\n" not in line
    content = json.loads(line)
    assert content["sentence"] == "person 1 runs"
    assert content["source"] == "camera 1"
    assert content["box"] == [80, 100, 104, 150]
    assert 0 <= content["latency_ms"] < 5000
    with Image.open(io.BytesIO(alarm.thumbnail)) as picture:
        assert picture.format == "JPEG"
        assert picture.width <= 320


def test_a_box_that_left_the_picture_still_has_a_thumbnail(bell, make_frame) -> None:
    far = finding(3.0, box=(900, 100, 940, 150))
    alarms = [
        alarm
        for t in range(5)
        for alarm in bell.listen(Judgement(t / 10, (far,)), make_frame(time_s=t / 10))
    ]
    assert len(alarms) == 1
