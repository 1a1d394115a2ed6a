"""Lists of other collections."""

import json
from pathlib import Path

import pytest

from cocodesign.errors import DataFormatError
from cocodesign.events.lists import (
    Segment,
    read_activitynet,
    read_kinetics,
    read_ucf101,
)


def test_reads_a_split_of_ucf101(tmp_path):
    (tmp_path / "trainlist02.txt").write_text("ApplyEyeMakeup/v_a_g08_c01.avi 1\n")
    (tmp_path / "testlist02.txt").write_text("Archery/v_b_g01_c01.avi\n\n")
    assert read_ucf101(tmp_path, 2) == (
        Segment(
            Path("ApplyEyeMakeup/v_a_g08_c01.avi"),
            "apply eye makeup",
            subset="training",
        ),
        Segment(Path("Archery/v_b_g01_c01.avi"), "archery", subset="testing"),
    )
    with pytest.raises(DataFormatError, match="trainlist03"):
        read_ucf101(tmp_path, 3)


def test_reads_segments_of_activitynet(tmp_path):
    path = tmp_path / "list.json"
    video = {
        "subset": "validation",
        "annotations": [{"label": "Archery", "segment": [1.5, 9]}],
    }
    path.write_text(json.dumps({"database": {"abc": video}}))
    expected = Segment(Path("v_abc.mp4"), "Archery", 1.5, 9.0, "validation")
    assert read_activitynet(path) == (expected,)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"database": {"a": {}}}', '{"database": []}',
                '{"database": {"a": {"subset": "x", "annotations": '
                '[{"label": "y", "segment": [3, 2]}]}}}']
)  # fmt: skip
def test_refuses_a_malformed_activitynet_list(content, tmp_path):
    path = tmp_path / "list.json"
    path.write_text(content)
    with pytest.raises(DataFormatError, match="no ActivityNet list"):
        read_activitynet(path)


def test_reads_kinetics_with_the_names_of_cut_files(tmp_path):
    path = tmp_path / "train.csv"
    header = "label,youtube_id,time_start,time_end,split\n"
    path.write_text(f"{header}tying knot,-0xy,7,17,train\n")
    expected = Segment(Path("-0xy_000007_000017.mp4"), "tying knot", subset="train")
    assert read_kinetics(path) == (expected,)
    path.write_text(f"{header}tying knot,-0xy,soon,17,train\n")
    with pytest.raises(DataFormatError, match="-0xy"):
        read_kinetics(path)
