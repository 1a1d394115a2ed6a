"""TRECVID's files."""

import csv
import tarfile

import numpy as np
import pytest

from cocodesign.errors import DataFormatError
from cocodesign.events import read_med, write_submission
from cocodesign.events.med import Clip, ExperimentId, read_clips, write_med
from cocodesign.events.trials import Trials

LABELS = np.array([[1, 0], [0, -1], [-1, 1]])
EXPERIMENT = ExperimentId("TT", "MED17EvalFull", "PS", "SML", "p-fused", 2)
TIMES = {"E021": 1.5, "E022": 2.0}


@pytest.fixture
def trials():
    return Trials.grid(["000123", "000456", "000789"], ["E021", "E022"], LABELS)


def test_a_written_task_reads_back_as_it_was(trials, tmp_path):
    index, reference = tmp_path / "index.csv", tmp_path / "ref.csv"
    write_med(trials, index, reference)
    found = read_med(index, reference)
    assert found.trial_ids == trials.trial_ids
    assert (found.clip_ids, found.event_ids) == (trials.clip_ids, trials.event_ids)
    for name in ("clips", "events", "labels"):
        np.testing.assert_array_equal(getattr(found, name), getattr(trials, name))
    assert set(read_med(index).labels) == {-1}
    assert index.read_text().splitlines()[:2] == [
        '"TrialID","ClipID","EventID"',
        '"000123.E021","000123","E021"',
    ]


@pytest.mark.parametrize(
    ("index", "reference", "message"),
    [
        ('"TrialID","ClipID"\n', None, "no column EventID"),
        ('"TrialID","ClipID","EventID"\n"a","b"\n', None, "row 2: not 3 values"),
        ('"TrialID","ClipID","EventID"\n"a","b","c","d"\n', None, "row 2: not 3"),
        ('"TrialID","ClipID","EventID"\n"a","b","c"\n"a","b","d"\n', None, "twice"),
        ('"TrialID","ClipID","EventID"\n"a","b","c"\n', '"TrialID","Targ"\n"x","y"\n',
         "trial 'x'"),
        ('"TrialID","ClipID","EventID"\n"a","b","c"\n', '"TrialID","Targ"\n"a","?"\n',
         r"the answer '\?'"),
        ('"TrialID\n', None, "no CSV file"),
    ],
)  # fmt: skip
def test_refuses_tables_that_do_not_fit(index, reference, message, tmp_path):
    (tmp_path / "index.csv").write_text(index)
    if reference:
        (tmp_path / "ref.csv").write_text(reference)
    with pytest.raises(DataFormatError, match=message):
        read_med(tmp_path / "index.csv", tmp_path / "ref.csv" if reference else None)


def test_a_submission_ranks_every_trial_the_undecodable_last(trials, tmp_path):
    scores = np.array([0.1, np.nan, 0.9, 0.5, 0.5, 0.7], np.float32)
    path = write_submission(
        tmp_path,
        EXPERIMENT,
        trials,
        scores,
        description="Zero-shot and few-shot, fused.",
        detection_s=TIMES,
        search_s=TIMES,
    )
    assert path.name == "MED17_TT_MED17EvalFull_PS_2.tar.bz2"
    expid = "TT_MED17_MED17EvalFull_PS_10Ex_SML_p-fused_2"
    with tarfile.open(path) as archive:
        contents = {
            member.name.removeprefix(f"output/{expid}/{expid}."): archive.extractfile(
                member
            )
            .read()
            .decode()
            for member in archive
        }
    rows = list(csv.DictReader(contents["detection.csv"].splitlines()))
    assert [row["Rank"] for row in rows] == ["2", "3", "1", "2", "3", "1"]
    assert [row["TrialID"] for row in rows] == list(trials.trial_ids)
    assert '"E021","1.500","1.500"' in contents["threshold.csv"]
    assert contents["txt"] == "Zero-shot and few-shot, fused.\n"


def test_a_submission_needs_scores_and_times_of_everything(trials, tmp_path):
    def submit(scores, times):
        write_submission(
            tmp_path,
            EXPERIMENT,
            trials,
            scores,
            description="",
            detection_s=times,
            search_s=TIMES,
        )

    with pytest.raises(ValueError, match="6 trials, but 2 scores"):
        submit(np.zeros(2), TIMES)
    with pytest.raises(ValueError, match="lacks E022"):
        submit(np.zeros(6), {"E021": 1.0})
    assert not list(tmp_path.iterdir())


def test_a_name_reads_back_as_it_was():
    assert ExperimentId.parse(str(EXPERIMENT)) == EXPERIMENT


@pytest.mark.parametrize(
    "text",
    [
        "TT_MED17_MED17EvalFull_PS_10Ex_SML_x-fused_2",
        "TT_MED17_MED17EvalFull_PS_100Ex_SML_p-fused_2",
        "TT_MED17_MED16_PS_10Ex_SML_p-fused_2",
        "TT_MED17_MED17EvalFull_PS_10Ex_SML_p-fused_0",
        "_MED17_MED17EvalFull_PS_10Ex_SML_p-fused_1",
        "TT",
    ],
)
def test_refuses_a_malformed_name(text):
    with pytest.raises(
        ValueError, match=r"TEAM_MED17|named p-|team's name|count from 1"
    ):
        ExperimentId.parse(text)


def test_reads_clips_with_and_without_a_duration(tmp_path):
    path = tmp_path / "clips.csv"
    path.write_text(
        '"ClipID","MEDIA_FILE","CODEC","MD5SUM","DURATION"\n'
        '"1","a.mp4","h264","0f","12.5"\n"2","b.mp4","h264","1f",""\n'
    )
    assert read_clips(path) == (
        Clip("1", "a.mp4", "0f", 12.5),
        Clip("2", "b.mp4", "1f"),
    )
    path.write_text('"ClipID","MEDIA_FILE","DURATION"\n"1","a.mp4","long"\n')
    with pytest.raises(DataFormatError, match="duration 'long'"):
        read_clips(path)
