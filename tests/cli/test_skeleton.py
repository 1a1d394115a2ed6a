import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from click.testing import Result
from typer.testing import CliRunner

from cocodesign.cli.skeleton import app
from cocodesign.errors import DataFormatError, RecognizerError
from cocodesign.skeleton import FineToCoarse, Recognizer, load_layout

Call = Callable[..., Result]


@pytest.fixture
def call_skeleton() -> Call:
    """Return a function that calls ``cocodesign skeleton``, its errors let through."""

    def call(*arguments: object, stdin: str = "", raises: bool = True) -> Result:
        words: Sequence[str] = [str(each) for each in arguments]
        return CliRunner().invoke(app, words, input=stdin, catch_exceptions=not raises)

    return call


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the file of a recognizer of chance weights for COCO joints."""
    layout = load_layout("coco")
    network = FineToCoarse(layout, 2).eval()
    path = tmp_path / "model.safetensors"
    Recognizer(network, layout, ("sit", "stand")).save(path)
    return path


def frames(num_joints: int, num: int) -> str:
    generator = torch.Generator().manual_seed(0)
    joints = torch.rand(num, num_joints, 2, generator=generator) + 1
    return "".join(json.dumps([frame]) + "\n" for frame in joints.tolist())


def test_lists_layouts_and_prints_one_to_start_from(call_skeleton: Call) -> None:
    assert "kinect_v2" in call_skeleton("layouts").output
    assert (
        call_skeleton("layouts", "sbu").output.strip()
        == load_layout("sbu").to_toml().strip()
    )
    result = call_skeleton("layouts", "sbv", raises=False)
    assert result.exit_code == 2
    assert "mediapipe" in result.output


def test_classifies_a_file_of_frames(call_skeleton: Call, model, tmp_path) -> None:
    clip = tmp_path / "wave.jsonl"
    clip.write_text(frames(17, 12))
    output = call_skeleton("classify", model, clip, "--top", "2").output
    assert output.startswith("wave: ")
    assert "sit" in output
    assert "stand" in output


def test_joints_of_another_layout_are_converted(call_skeleton: Call, model, tmp_path):
    clip = tmp_path / "wave.jsonl"
    clip.write_text(frames(25, 12))
    output = call_skeleton("classify", model, clip, "--layout", "body_25").output
    assert output.startswith("wave: ")
    with pytest.raises(DataFormatError, match="line 1: person 0 has 25 joints"):
        call_skeleton("classify", model, clip)


def test_a_stream_gives_one_line_of_json_per_answer(call_skeleton: Call, model) -> None:
    result = call_skeleton(
        "stream", model, "--window", "8", "--hop", "4", stdin=frames(17, 18)
    )
    answers = [json.loads(line) for line in result.output.splitlines()]
    assert [answer["frame"] for answer in answers] == [7, 11, 15]
    assert {answer["class"] for answer in answers} <= {"sit", "stand"}


def test_a_broken_stream_ends_with_the_line(call_skeleton: Call, model) -> None:
    with pytest.raises(DataFormatError, match="no frame of joints"):
        call_skeleton("stream", model, stdin="[[[1, 2\n")


def test_something_else_than_a_recognizer_is_refused(call_skeleton: Call, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_text("nothing")
    with pytest.raises(RecognizerError, match="cannot be read"):
        call_skeleton("classify", path, path)


def test_unknown_formats_and_variants_are_refused(
    call_skeleton: Call, tmp_path
) -> None:
    result = call_skeleton("evaluate", tmp_path, "--variant", "flatt", raises=False)
    assert result.exit_code == 2
    assert "no_segments" in result.output
    result = call_skeleton("evaluate", tmp_path, "--format", "bvh", raises=False)
    assert result.exit_code == 2
    assert "msr_action3d" in result.output


@pytest.mark.slow
def test_trains_evaluates_and_classifies_real_files(
    call_skeleton: Call, tmp_path
) -> None:
    for subject in ("s01", "s02"):
        for action in ("a01", "a02"):
            for view in ("v01", "v03"):
                joints = torch.rand(6, 20, 3).tolist()
                name = f"{action}_{subject}_e00_{view}.json"
                (tmp_path / name).write_text(json.dumps({"skeletons": joints}))
    out = tmp_path / "model.safetensors"
    call_skeleton("train", tmp_path, "--out", out, "--epochs", 1, "--device", "cpu")
    result = call_skeleton("classify", out, tmp_path / "a01_s01_e00_v01.json")
    assert result.output.startswith("a01_s01_e00_v01: ")
    result = call_skeleton(
        *("evaluate", tmp_path, "--epochs", 1, "--seeds", 1, "--device", "cpu"),
        "--robustness",
    )
    summary = json.loads(result.output.splitlines()[-1])
    assert 0 <= summary["accuracy"] <= 1
    assert set(summary["loss_without"]) >= {"an arm", "half of the frames"}
