"""The index of clips on disk."""

import json

import numpy as np
import pytest

from cocodesign.errors import DataFormatError
from cocodesign.events.banks import Concept, ConceptBank
from cocodesign.events.index import ClipIndex, build_index
from cocodesign.events.pooling import pool_clips


@pytest.fixture
def videos(write_video):
    return {
        "a": write_video("a.mp4", ["red", "red", "blue", "blue"]),
        "b": write_video("b.mp4", ["green"]),
    }


def test_keeps_what_the_bank_saw_and_when(videos, bank, tmp_path):
    assert isinstance(bank, ConceptBank)
    index = build_index(tmp_path / "index", videos, [bank])
    assert index.concepts == (Concept("red"), Concept("green"), Concept("blue"))
    a, b = index.clips
    assert (a.times_s, b.times_s, a.error) == ((0, 2), (0,), "")
    assert index.scores(a).argmax(1).tolist() == [0, 2]
    assert index.scores(b).argmax(1).tolist() == [1]
    assert index.features(a).shape == (2, 4)
    reopened = ClipIndex(tmp_path / "index")
    np.testing.assert_array_equal(reopened.scores(a), index.scores(a))


def test_a_second_call_adds_only_what_is_missing(videos, bank, tmp_path):
    folder = tmp_path / "index"
    build_index(folder, {"a": videos["a"]}, [bank])
    assert bank.num_calls == 2
    told = []
    index = build_index(folder, videos, [bank], on_clip=told.append)
    assert (bank.num_calls, [clip.id for clip in told]) == (3, ["b"])
    assert index.scores(index.clips[1]).argmax(1).tolist() == [1]


@pytest.mark.parametrize("num_workers", [1, 3])
def test_many_frames_at_a_time_keep_their_order(
    num_workers, write_video, bank, tmp_path
):
    colours = [["red", "green", "blue"][n * n % 3] for n in range(30)]
    video = write_video("long.mp4", colours)
    index = build_index(
        tmp_path / "index", {"a": video}, [bank], interval_s=1, num_workers=num_workers
    )
    (clip,) = index.clips
    assert clip.times_s == tuple(range(30))
    seen = index.scores(clip).argmax(1)
    assert [["red", "green", "blue"][each] for each in seen] == colours


def test_frames_before_the_damage_stay(write_video, bank, tmp_path):
    video = write_video("cut.mkv", ["red", "blue"] * 20)
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    index = build_index(tmp_path / "index", {"a": video}, [bank], interval_s=1)
    (clip,) = index.clips
    assert 0 < len(clip.times_s) < 40
    assert index.scores(clip)[:2].argmax(1).tolist() == [0, 2]


def test_needs_a_worker(videos, bank, tmp_path):
    with pytest.raises(ValueError, match="at least 1, got 0"):
        build_index(tmp_path / "index", videos, [bank], num_workers=0)


def test_rows_that_a_killed_run_left_are_cut_off(videos, bank, tmp_path):
    folder = tmp_path / "index"
    build_index(folder, {"a": videos["a"]}, [bank])
    with (folder / "colours.scores").open("ab") as stream:
        stream.write(bytes(5))  # of a clip that was never counted
    index = build_index(folder, videos, [bank])
    assert index.scores(index.clips[1]).argmax(1).tolist() == [1]


def test_a_clip_that_cannot_be_decoded_stays_with_its_error(videos, bank, tmp_path):
    broken = tmp_path / "c.mp4"
    broken.write_bytes(b"no video")
    index = build_index(tmp_path / "index", {"c": broken, **videos}, [bank])
    assert index.clips[0].times_s == ()
    assert "c.mp4" in index.clips[0].error
    pooled = pool_clips(index)
    assert np.isnan(pooled.peaks[0]).all()
    assert pooled.peaks[1].round(1).tolist() == [1.0, 0.0, 1.0]
    assert pooled.means[1].round(1).tolist() == [0.5, 0.0, 0.5]


def test_refuses_other_banks_and_other_intervals(videos, bank, tmp_path):
    folder = tmp_path / "index"
    build_index(folder, videos, [bank])
    with pytest.raises(DataFormatError, match="by colours every 2 s"):
        build_index(folder, videos, [bank], interval_s=1.0)
    bank.concepts = bank.concepts[:2]
    with pytest.raises(DataFormatError, match="by colours"):
        build_index(folder, videos, [bank])


def test_refuses_what_is_no_index(videos, bank, tmp_path):
    with pytest.raises(DataFormatError, match="cocodesign events index"):
        ClipIndex(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"version": 9}))
    with pytest.raises(DataFormatError, match="version 1"):
        ClipIndex(tmp_path)
    folder = tmp_path / "index"
    build_index(folder, videos, [bank])
    (folder / "colours.scores").write_bytes(b"")
    with pytest.raises(DataFormatError, match="not the 3 rows of 3"):
        ClipIndex(folder)


def test_no_clips_make_an_empty_index(bank, tmp_path):
    assert build_index(tmp_path / "index", {}, [bank]).clips == ()
