"""Frames at regular times."""

import contextlib
import os
from fractions import Fraction

import pytest

from cocodesign.errors import VideoError
from cocodesign.events.frames import frame_at, sample_frames

pytest.importorskip("av")


def test_takes_the_first_frame_of_every_interval(write_video):
    path = write_video("a.mp4", ["red", "green", "blue", "red", "green", "blue"])
    frames = list(sample_frames(path, interval_s=2.0))
    assert [frame.time_s for frame in frames] == [0, 2, 4]
    strongest = [frame.pixels.float().mean((0, 1)).argmax().item() for frame in frames]
    assert strongest == [0, 2, 1]


def test_times_are_the_files_also_at_fractional_frame_rates(write_video):
    path = write_video("a.mp4", ["red"] * 40, rate=Fraction(30_000, 1001))
    times = [frame.time_s for frame in sample_frames(path, interval_s=0.5)]
    assert times == pytest.approx([0, 15 * 1001 / 30_000, 30 * 1001 / 30_000], abs=1e-3)


def test_an_interval_shorter_than_a_frame_takes_every_frame_once(write_video):
    path = write_video("a.mp4", ["red"] * 5, rate=10)
    times = [frame.time_s for frame in sample_frames(path, interval_s=0.001)]
    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_reduces_large_frames_only(write_video):
    path = write_video("a.mp4", ["red"], size=(128, 64))
    (whole,) = sample_frames(path, max_side_px=None)
    (reduced,) = sample_frames(path, max_side_px=64)
    assert (whole.pixels.shape, reduced.pixels.shape) == ((64, 128, 3), (32, 64, 3))


@pytest.mark.parametrize("content", [b"", b"no video at all", bytes(10_000)])
def test_says_which_file_is_no_video(content, tmp_path):
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"x\.mp4"):
        list(sample_frames(path))
    with pytest.raises(VideoError, match=r"y\.mp4"):
        list(sample_frames(tmp_path / "y.mp4"))


def test_a_file_that_was_cut_off_gives_an_error_or_fewer_frames(write_video):
    path = write_video("a.mkv", ["red", "green", "blue"] * 30)
    whole = len(list(sample_frames(path)))
    os.truncate(path, path.stat().st_size * 2 // 3)
    found = []
    with contextlib.suppress(VideoError):
        found += sample_frames(path)
    assert len(found) < whole


def test_refuses_an_interval_that_is_not_positive(tmp_path):
    with pytest.raises(ValueError, match="got 0"):
        next(sample_frames(tmp_path / "x.mp4", interval_s=0))


@pytest.mark.parametrize(("time_s", "colour"), [(0, 0), (3, 1), (3.9, 1), (99, 2)])
def test_the_frame_at_a_time_is_the_one_that_is_shown(time_s, colour, write_video):
    video = write_video("a.mp4", ["red"] * 3 + ["green"] * 2 + ["blue"] * 3)
    frame = frame_at(video, time_s)
    assert frame.time_s <= time_s
    assert frame.pixels[24, 32].argmax() == colour


def test_no_frame_before_the_beginning_or_in_no_video(tmp_path):
    with pytest.raises(ValueError, match="not be negative, got -1"):
        frame_at(tmp_path / "a.mp4", -1.0)
    with pytest.raises(VideoError, match="at 2 s"):
        frame_at(tmp_path / "a.mp4", 2.0)
