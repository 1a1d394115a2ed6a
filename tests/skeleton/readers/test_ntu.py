from pathlib import Path

import numpy as np
import pytest

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.protocols import official_folds
from cocodesign.skeleton.readers.ntu import (
    TRAINING_SUBJECTS,
    clean_bodies,
    read_bodies,
    read_ntu,
)

NAME = "S001C002P003R002A013"


def text_of(frames: list[dict[str, np.ndarray]]) -> str:
    """Write frames, bodies with joints ``25 3``, as a sensor would."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body, joints in bodies.items():
            lines += [f"{body} 0 1 1 1 1 0 0.1 -0.2 2", "25"]
            lines += [
                f"{x:.4f} {y:.4f} {z:.4f} 1 2 3 4 5 6 7 8 2" for x, y, z in joints
            ]
    return "\n".join(lines) + "\n"


def upright(height: float = 1.7, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack(
        [
            rng.uniform(-0.3, 0.3, 25),
            np.linspace(0, height, 25),
            rng.uniform(2.9, 3.1, 25),
        ],
        axis=1,
    )


def write_clip(folder: Path, name: str, frames: list) -> Path:
    path = folder / f"{name}.skeleton"
    path.write_text(text_of(frames))
    return path


def test_reads_places_label_and_origin(tmp_path: Path) -> None:
    frames = [{"72057": upright(seed=seed)} for seed in range(3)]
    (clip,) = read_ntu(write_clip(tmp_path, NAME, frames)).sequences
    assert clip.positions.shape == (3, 3, 25, 1)
    assert np.allclose(clip.positions[:, 2, :, 0].T, frames[2]["72057"], atol=1e-4)
    origin = clip.origin
    assert (origin.subject, origin.view, origin.setup) == ("P003", "C002", "S001")
    assert clip.label == 12


def test_a_body_that_comes_and_goes_keeps_its_place(tmp_path: Path) -> None:
    one, two = upright(), upright(seed=1) + np.array([1, 0, 0])
    frames = [
        {"1": one + 0.05 * t} if t < 2 else {"1": one + 0.05 * t, "2": two}
        for t in range(30)
    ]
    (clip,) = read_ntu(write_clip(tmp_path, NAME, frames)).sequences
    assert clip.visible.any(1).sum(0).tolist() == [30, 28]


def test_short_and_wide_bodies_are_noise_among_others() -> None:
    person = dict.fromkeys(range(40), upright())
    short = dict.fromkeys(range(11), upright(seed=1))
    table = dict.fromkeys(range(40), upright(height=0.3))
    kept = clean_bodies({"short": short, "table": table, "person": person})
    assert list(kept) == ["person"]


def test_eleven_frames_are_too_few_and_twelve_are_not() -> None:
    person = dict.fromkeys(range(40), upright())
    for num_frames, is_kept in ((11, False), (12, True)):
        other = dict.fromkeys(range(num_frames), upright(seed=2))
        assert ("other" in clean_bodies({"person": person, "other": other})) is is_kept


def test_a_body_alone_is_never_noise() -> None:
    table = dict.fromkeys(range(5), upright(height=0.3))
    assert list(clean_bodies({"table": table})) == ["table"]


def test_of_three_the_two_stay_that_move_most() -> None:
    moving = {
        speed: {t: upright() + np.array([0, 0, 0.01 * speed * t]) for t in range(40)}
        for speed in (1, 9, 5)
    }
    kept = clean_bodies({str(speed): frames for speed, frames in moving.items()})
    assert list(kept) == ["9", "5"]


def test_listed_missing_skeletons_are_left_out(tmp_path: Path) -> None:
    other = NAME.replace("R002", "R001")
    write_clip(tmp_path, NAME, [{}])
    write_clip(tmp_path, other, [{"1": upright()}])
    with pytest.raises(DataFormatError, match="put the published list"):
        read_ntu(tmp_path)
    (tmp_path / "NTU_RGBD_samples_with_missing_skeletons.txt").write_text(
        f"The ids of the samples with missing skeletons:\n{NAME}\n"
    )
    assert [clip.name for clip in read_ntu(tmp_path).sequences] == [other]


def test_the_published_protocols(tmp_path: Path) -> None:
    for camera, performer in (("C001", "P001"), ("C002", "P003"), ("C003", "P001")):
        write_clip(tmp_path, f"S001{camera}{performer}R001A001", [{"1": upright()}] * 2)
    dataset = read_ntu(tmp_path)
    by_subject, by_view = official_folds(dataset)
    assert {dataset.sequences[i].origin.subject for i in by_subject.test} == {"P003"}
    assert {dataset.sequences[i].origin.view for i in by_view.test} == {"C001"}
    assert len(dataset.class_names) == 60
    assert len(TRAINING_SUBJECTS) == 53
    assert sum(subject <= "P040" for subject in TRAINING_SUBJECTS) == 20


def test_a_later_action_makes_120_classes_and_cross_setup(tmp_path: Path) -> None:
    for setup in ("S001", "S002"):
        for performer in ("P001", "P003"):
            name = f"{setup}C001{performer}R001A061"
            write_clip(tmp_path, name, [{"1": upright()}] * 2)
    dataset = read_ntu(tmp_path)
    assert len(dataset.class_names) == 120
    by_setup = official_folds(dataset)[1]
    assert {dataset.sequences[i].origin.setup for i in by_setup.test} == {"S001"}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text[: len(text) // 2], "ends too early|no skeleton file"),
        (lambda text: text + "1\n", "after the last one"),
        (lambda text: text.replace("\n25\n", "\n24\n"), "24 joints, not 25"),
        (lambda text: "x" + text, "no skeleton file"),
        (lambda _text: "", "ends too early"),
        (lambda _text: "0\n", "no frame"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, edit, message) -> None:
    path = tmp_path / f"{NAME}.skeleton"
    path.write_text(edit(text_of([{"1": upright()}] * 3)))
    with pytest.raises(DataFormatError, match=message):
        read_bodies(path)
