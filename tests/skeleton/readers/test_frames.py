import json

import pytest

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.readers.frames import parse_frame, read_frames


def person(x: float = 0.0) -> list:
    return [[x, 1.0, 2.0]] * 20


def test_reads_frames_of_changing_numbers_of_persons(tmp_path, kinect) -> None:
    path = tmp_path / "a.jsonl"
    frames = [[person()], [], [person(), [*person(1.0)[:19], None]]]
    path.write_text("\n".join(json.dumps(each) for each in frames) + "\n\n")
    clip = read_frames(path, kinect)
    assert clip.positions.shape == (3, 3, 20, 2)
    assert clip.visible.sum(1).tolist() == [[20, 0], [0, 0], [20, 19]]


def test_two_coordinates_have_no_depth_and_y_is_turned(kinect) -> None:
    frame = parse_frame(json.dumps([[[3, 4]] * 20]), kinect, y_down=True)
    assert frame[:, 0, 0].tolist() == [3.0, -4.0, 0.0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[[[1, 2]]]", "person 0 has 1 joints"),
        ("{", "no frame of joints"),
        ("3", "no frame of joints"),
        (json.dumps([[[1]] * 20]), "no frame of joints"),
        (json.dumps([[["a", "b"]] * 20]), "no frame of joints"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, kinect, line, message) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"[]\n{line}\n")
    with pytest.raises(DataFormatError, match=f"line 2: .*{message}"):
        read_frames(path, kinect)


def test_a_file_without_frames_is_refused(tmp_path, kinect) -> None:
    (tmp_path / "a.jsonl").write_text("\n")
    with pytest.raises(DataFormatError, match="no frame"):
        read_frames(tmp_path / "a.jsonl", kinect)
