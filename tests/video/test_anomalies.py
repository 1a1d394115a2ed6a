from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cocodesign.errors import DataFormatError
from cocodesign.video import AnomalyModel
from cocodesign.video.attributes import attributes_of
from cocodesign.video.density import Density
from cocodesign.video.observation import Moment, Region
from cocodesign.video.thresholds import conformal_threshold
from tests.video.conftest import moment_with, track_at


@pytest.fixture(scope="module")
def model(normal_moments: list[Moment]) -> AnomalyModel:
    return AnomalyModel.fit(normal_moments)


def strangest(model: AnomalyModel, make_track=None, *, regions=(), seconds=1.0):
    judge = model.judge()
    for step in range(round(10 * seconds)):
        time_s = 50 + step / 10
        tracks = [] if make_track is None else [make_track(time_s=time_s)]
        moment = moment_with(*tracks, time_s=time_s, regions=regions)
        judgement = judge.judge(moment)
    return judgement.findings[0]


def test_a_usual_walker_is_no_alarm(model: AnomalyModel) -> None:
    finding = strangest(model, partial(track_at, 150, 195, velocity=(40, 0)))
    assert finding.score <= model.threshold.value


@pytest.mark.parametrize(
    ("track", "kind", "words"),
    [
        (
            partial(track_at, 150, 195, velocity=(220, 0)),
            "speed",
            "moves at 4.6 of its heights",
        ),
        (
            partial(track_at, 150, 90, velocity=(40, 0)),
            "place",
            "is where nothing was in 30 s",
        ),
        (
            partial(track_at, 150, 195, velocity=(90, 0), height=150),
            "shape",
            "times as tall",
        ),
        (
            partial(track_at, 150, 195, velocity=(40, 0), class_index=17),
            "class",
            "horse 1 is of a class that was never there",
        ),
        (
            partial(track_at, 150, 195, age_s=60),
            "still",
            "has stayed in one place for",
        ),
    ],
    ids=["speed", "place", "shape", "class", "still"],
)
def test_each_kind_of_strangeness_is_named(model, track, kind, words) -> None:
    finding = strangest(model, track)
    assert finding.kind == kind
    assert finding.score > max(1.5, model.threshold.value)
    assert words in finding.sentence


def test_something_unknown_becomes_strange_with_time(model: AnomalyModel) -> None:
    region = Region((10, 10, 40, 40), first_s=49.9)
    finding = strangest(model, regions=[region], seconds=3)
    assert finding.kind == "unknown"
    assert finding.score > 1.5
    assert "no known object is at 10, 10 for 3.0 s" in finding.sentence


def test_a_fault_of_the_camera_hides_everything_else(model: AnomalyModel) -> None:
    dark = np.full((144, 256), 5, np.uint8)
    moment = moment_with(track_at(150, 90), time_s=50, view=dark)
    (finding,) = model.judge().judge(moment).findings
    assert finding.subject == "camera"
    assert finding.kind in ("cover", "blur")


def test_a_saved_model_judges_alike(model: AnomalyModel, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    model.save(path)
    loaded = AnomalyModel.load(path)
    track = partial(track_at, 150, 120, velocity=(130, 10))
    assert strangest(loaded, track) == strangest(model, track)
    assert loaded.threshold == model.threshold


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no model", b"\x93NUMPY"])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(DataFormatError, match=r"other\.npz holds no anomaly model"):
        AnomalyModel.load(path)


def test_an_empty_scene_cannot_be_learnt() -> None:
    moments = [moment_with(time_s=step / 10) for step in range(40)]
    with pytest.raises(ValueError, match="at least two objects"):
        AnomalyModel.fit(moments)


def test_three_quarters_are_learnt_and_the_rest_sets_the_threshold(model) -> None:
    assert model.normal.duration_s == pytest.approx(29.9)
    assert model.normal.class_counts[0] > 10
    assert model.threshold.num_blocks == 10


def test_speed_does_not_depend_on_how_near_somebody_is() -> None:
    near = track_at(150, 200, velocity=(80, 0), height=80)
    far = track_at(150, 120, velocity=(20, 0), height=20)
    speeds = [attributes_of(each, moment_with(each)).speed for each in (near, far)]
    assert speeds == pytest.approx([1.0, 1.0])


def test_a_new_object_has_no_speed() -> None:
    track = track_at(150, 200, velocity=(500, 0), age_s=0.2)
    assert attributes_of(track, moment_with(track)).velocity is None


def test_density_compares_with_other_objects_only() -> None:
    vectors = np.array([[0.0], [0.1], [0.2], [50.0], [50.1], [50.2]])
    density = Density(vectors, np.array([0, 0, 0, 1, 1, 1]), np.array([1.0]))
    assert density.unit == pytest.approx(50, abs=0.5)
    assert density.score(np.array([0.1])) < 0.01
    assert density.score(np.array([150.0])) == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("allowed", [1.0, 10.0, 60.0])
def test_the_promise_on_false_alarms_is_kept_on_average(allowed: float) -> None:
    """Over many draws, the share of new blocks above is at most what is promised."""
    generator = np.random.default_rng(0)
    times = np.arange(4000.0)
    shares = []
    for _ in range(200):
        threshold = conformal_threshold(
            times, generator.normal(size=4000), max_false_alarms_per_hour=allowed
        )
        assert threshold.false_alarms_per_hour <= allowed
        shares.append((generator.normal(size=4000) > threshold.value).mean())
    assert np.mean(shares) <= 1.15 * allowed / 3600


def test_too_little_video_for_a_promise_says_how_much_it_takes() -> None:
    with pytest.raises(ValueError, match="that takes 3599 s"):
        conformal_threshold(
            np.arange(60.0), np.zeros(60), max_false_alarms_per_hour=1.0
        )


def test_the_strictest_promise_is_the_largest_score() -> None:
    found = conformal_threshold(np.arange(0, 9, 0.1), np.arange(90.0))
    assert found.value == 89
    assert found.false_alarms_per_hour == 360
