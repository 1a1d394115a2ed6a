import http.client
import json
import urllib.request
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cocodesign.cli.watch import watch as watch_command
from cocodesign.video import AnomalyModel, Observer, Tracker, open_video, watch
from cocodesign.video.detection import ObjectDetector
from cocodesign.video.streams import Notice
from cocodesign.video.watching import WatchedFrame
from cocodesign.video.web import WebView
from tests.video.conftest import BrightnessDetector, picture, write_video

pytestmark = pytest.mark.slow


def walk(step: int) -> list[tuple[float, float]]:
    """Two people to and fro, at 40 and 50 pixels a second."""
    return [
        (30 + abs((4 * step) % 500 - 250), 190.0),
        (290 - abs((5 * step + 100) % 500 - 250), 220.0),
    ]


@pytest.fixture(scope="module")
def normal_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watch")
    return write_video(folder / "normal.ts", [picture(walk(i)) for i in range(160)])


@pytest.fixture(scope="module")
def strange_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A third one walks where nobody was from the second second on."""
    folder = tmp_path_factory.mktemp("watch")
    pictures = [
        picture([*walk(i), *([(4.0 * i, 90.0)] if i >= 20 else [])]) for i in range(60)
    ]
    return write_video(folder / "strange.ts", pictures)


@pytest.fixture(scope="module")
def model(normal_clip: Path) -> AnomalyModel:
    observer = Observer(ObjectDetector(BrightnessDetector()), Tracker())
    with open_video(normal_clip) as stream:
        return AnomalyModel.fit([observer.observe(frame) for frame in stream])


def test_an_intruder_is_one_alarm_with_its_reason(model, strange_clip) -> None:
    events = list(watch([str(strange_clip)], BrightnessDetector(), model=model))
    frames = [each for each in events if isinstance(each, WatchedFrame)]
    alarms = [alarm for each in frames for alarm in each.alarms]
    assert len(frames) == 60
    assert [each.kind for each in events if isinstance(each, Notice)] == [
        "opened",
        "ended",
    ]
    assert {alarm.kind for alarm in alarms} & {"place", "shape"}
    assert all(alarm.time_s >= 2.0 for alarm in alarms)
    assert max(each.latency_ms for each in frames) < 5000


def test_the_normal_is_learnt_from_the_beginning(normal_clip: Path) -> None:
    events = watch([str(normal_clip)], BrightnessDetector(), learn_s=12.0)
    judged = [
        each.judgement is not None for each in events if isinstance(each, WatchedFrame)
    ]
    assert judged.index(True) == 121
    assert all(judged[121:])


def test_several_streams_are_watched_together(model, normal_clip, strange_clip) -> None:
    sources = [str(normal_clip), str(strange_clip)]
    events = [
        each
        for each in watch(sources, BrightnessDetector(), model=model)
        if isinstance(each, WatchedFrame)
    ]
    assert {each.source for each in events[:6]} == set(sources)
    assert {each.source for each in events if each.alarms} == {str(strange_clip)}


def test_a_change_of_size_starts_the_tracks_anew(model, tmp_path: Path) -> None:
    parts = [
        write_video(tmp_path / "one.ts", [picture(walk(i)) for i in range(10)]),
        write_video(tmp_path / "two.ts", [picture([(50, 90)], size=(160, 96))] * 10),
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(each.read_bytes() for each in parts))
    frames = [
        each
        for each in watch([str(joined)], BrightnessDetector(), model=model)
        if isinstance(each, WatchedFrame)
    ]
    assert {each.moment.size for each in frames} == {(320, 240), (160, 96)}
    for each in frames:
        assert all(track.box[2] < each.frame.width + 30 for track in each.moment.tracks)


def test_refuses_no_source() -> None:
    with pytest.raises(ValueError, match="watch needs sources"):
        next(watch([], BrightnessDetector()))


@pytest.fixture
def page(model, strange_clip):
    with WebView([str(strange_clip)]) as view:
        for event in watch([str(strange_clip)], BrightnessDetector(), model=model):
            view.show(event)
        yield view


def test_the_page_shows_frames_alarms_and_status(page: WebView) -> None:
    with urllib.request.urlopen(page.address, timeout=5) as response:
        assert b"cocodesign watch" in response.read()
    with urllib.request.urlopen(page.address + "frames/0", timeout=5) as response:
        assert response.read(40).startswith(b"--frame\r\nContent-Type: image/jpeg")
    with urllib.request.urlopen(page.address + "events", timeout=5) as response:
        lines = [response.readline().decode() for _ in range(12)]
    alarm = next(
        json.loads(data.removeprefix("data: "))
        for kind, data in pairwise(lines)
        if kind == "event: alarm\n"
    )
    assert alarm["picture"].startswith("data:image/jpeg;base64,")
    assert any(each.startswith("event: status") for each in lines)


def test_the_page_refuses_foreign_names_and_unknown_paths(page: WebView) -> None:
    host, port = page.address.removeprefix("http://").strip("/").split(":")
    assert host == "127.0.0.1"
    for name, path, status in (
        ("evil.example", "/", 403),
        (host, "/frames/7", 404),
        (host, "/../alarms", 404),
    ):
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        connection.request("GET", path, headers={"Host": name})
        assert connection.getresponse().status == status
        connection.close()


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> typer.Typer:
    """The command, with a network that needs no download."""
    monkeypatch.setattr("cocodesign.data.fetch_dataset", lambda _: tmp_path)
    monkeypatch.setattr(
        "cocodesign.models.open_detector", lambda *_, **__: BrightnessDetector()
    )
    app = typer.Typer()
    app.command()(watch_command)
    return app


def test_the_command_learns_then_watches_and_keeps_alarms(
    command, normal_clip, strange_clip, tmp_path: Path
) -> None:
    model_path, log = tmp_path / "model.npz", tmp_path / "alarms.jsonl"
    learnt = CliRunner().invoke(
        command, [str(normal_clip), "--save-model", str(model_path)]
    )
    assert learnt.exit_code == 0, learnt.output
    assert "at most" in learnt.output
    folder = tmp_path / "thumbnails"
    result = CliRunner().invoke(
        command,
        [
            *(str(strange_clip), "--model", str(model_path), "--plain"),
            *("--alarms", str(log), "--thumbnails", str(folder)),
        ],
    )
    assert result.exit_code == 0, result.output
    alarms = [json.loads(line) for line in log.read_text().splitlines()]
    assert {each["kind"] for each in alarms} & {"place", "shape"}
    assert len(list(folder.glob("*.jpg"))) == len(alarms)


def test_the_terminal_view_shows_streams_and_alarms(
    command, model, strange_clip, tmp_path: Path
) -> None:
    path = tmp_path / "model.npz"
    model.save(path)
    result = CliRunner().invoke(command, [str(strange_clip), "--model", str(path)])
    assert result.exit_code == 0, result.output
    assert "latency" in result.output
    assert "ALARM" in result.output
