"""Forward kinematics is compared with scipy's rotations, bone by bone."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.protocols import official_folds
from cocodesign.skeleton.readers.motion_capture import (
    read_actor,
    read_hdm05,
    read_motion,
)

CHAINS = (
    ("root", "lhipjoint", "lfemur", "ltibia", "lfoot", "ltoes"),
    ("root", "rhipjoint", "rfemur", "rtibia", "rfoot", "rtoes"),
    ("root", "lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head"),
    ("thorax", "lclavicle", "lhumerus", "lradius", "lwrist", "lhand", "lfingers"),
    ("lhand", "lthumb"),
    ("thorax", "rclavicle", "rhumerus", "rradius", "rwrist", "rhand", "rfingers"),
    ("rhand", "rthumb"),
)
PARENTS = {child: parent for chain in CHAINS for parent, child in pairwise(chain)}
INCH_M = 0.0254


def random_bones(seed: int) -> dict[str, dict]:
    rng = np.random.default_rng(seed)
    bones = {}
    for name in PARENTS:
        direction = rng.normal(size=3)
        bones[name] = {
            "direction": direction / np.linalg.norm(direction),
            "length": rng.uniform(1, 9),
            "axis": rng.uniform(-90, 90, 3),
            "dof": [d for d in ("rx", "ry", "rz") if rng.uniform() < 0.6],
        }
    return bones


def asf_of(bones: dict[str, dict], angle: str = "deg", rest: str = "0 0 0") -> str:
    lines = [":version 1.10", ":name test", ":units", "  mass 1.0", "  length 0.45"]
    lines += [f"  angle {angle}", ":documentation", "  # nothing", ":root"]
    lines += ["   order TX TY TZ RX RY RZ", "   axis XYZ", f"   position {rest}"]
    lines += ["   orientation 0 0 0", ":bonedata"]
    for number, (name, bone) in enumerate(bones.items(), start=1):
        lines += ["  begin", f"     id {number}", f"     name {name}"]
        lines.append(
            "     direction " + " ".join(map(repr, bone["direction"].tolist()))
        )
        lines.append(f"     length {bone['length']!r}")
        lines.append(
            "     axis " + " ".join(map(repr, bone["axis"].tolist())) + "  XYZ"
        )
        if bone["dof"]:
            lines.append("     dof " + " ".join(bone["dof"]))
            lines.append("     limits (-160.0 20.0)")
            lines += ["            (-70.0 70.0)"] * (len(bone["dof"]) - 1)
        lines.append("  end")
    lines += [":hierarchy", "  begin"]
    for parent in dict.fromkeys(PARENTS.values()):
        children = [c for c, p in PARENTS.items() if p == parent]
        lines.append(f"    {parent} " + " ".join(children))
    return "\n".join([*lines, "  end"]) + "\n"


def random_motion(bones: dict[str, dict], num_frames: int, seed: int) -> list[dict]:
    rng = np.random.default_rng(seed)
    return [
        {
            "root": rng.uniform(-30, 30, 6),
            **{
                n: rng.uniform(-80, 80, len(b["dof"]))
                for n, b in bones.items()
                if b["dof"]
            },
        }
        for _ in range(num_frames)
    ]


def amc_of(frames: list[dict]) -> str:
    lines = ["#!OML:ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for number, frame in enumerate(frames, start=1):
        lines.append(str(number))
        lines += [f"{n} " + " ".join(map(repr, v.tolist())) for n, v in frame.items()]
    return "\n".join(lines) + "\n"


def place_slowly(bones: dict[str, dict], frame: dict) -> dict[str, np.ndarray]:
    """Place every bone's end by walking up to the root, in inches over 0.45."""
    ends = {"root": frame["root"][:3]}
    turned = {"root": Rotation.from_euler("xyz", frame["root"][3:], degrees=True)}
    for name, bone in bones.items():
        given = dict(zip(bone["dof"], frame.get(name, []), strict=True))
        angles = [given.get(each, 0.0) for each in ("rx", "ry", "rz")]
        axis = Rotation.from_euler("xyz", bone["axis"], degrees=True)
        local = Rotation.from_euler("xyz", angles, degrees=True)
        turned[name] = turned[PARENTS[name]] * axis * local * axis.inv()
        ends[name] = ends[PARENTS[name]] + turned[name].apply(
            bone["direction"] * bone["length"]
        )
    return ends


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for actor, seed in (("bd", 1), ("mm", 2)):
        bones = random_bones(seed)
        (tmp_path / f"HDM_{actor}.asf").write_text(asf_of(bones))
        motion = tmp_path / "walk" / f"HDM_{actor}_walk_001_120.amc"
        motion.parent.mkdir(exist_ok=True)
        motion.write_text(amc_of(random_motion(bones, 3, seed)))
    return tmp_path


def test_joints_stand_where_scipy_puts_them(folder: Path) -> None:
    bones = random_bones(1)
    frames = random_motion(bones, 3, 1)
    actor = read_actor(folder / "HDM_bd.asf")
    places = read_motion(folder / "walk" / "HDM_bd_walk_001_120.amc", actor)
    assert places.shape == (3, 3, 31)
    for index, frame in enumerate(frames):
        ends = place_slowly(bones, frame)
        for joint, bone in ((0, "root"), (3, "ltibia"), (16, "head"), (30, "rthumb")):
            expected = ends[bone] / 0.45 * INCH_M
            assert np.allclose(places[:, index, joint], expected, atol=1e-9)


def test_motions_belong_to_the_actor_their_names_begin_with(folder: Path) -> None:
    dataset = read_hdm05(folder)
    assert [clip.origin.subject for clip in dataset.sequences] == ["bd", "mm"]
    assert dataset.class_names == ("walk",)
    (fold,) = official_folds(dataset)
    assert (fold.train, fold.test) == ((0,), (1,))


def test_a_motion_without_an_actor_is_refused(folder: Path) -> None:
    (folder / "HDM_mm.asf").unlink()
    with pytest.raises(DataFormatError, match="begins with the name of no actor"):
        read_hdm05(folder)


def test_radians_are_not_taken_for_degrees(tmp_path: Path) -> None:
    path = tmp_path / "a.asf"
    path.write_text(asf_of(random_bones(1), angle="rad"))
    assert not read_actor(path).degrees


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("axis XYZ", "axis ZYX", "only XYZ is known"),
        ("position 0 0 0", "position 0 1 0", "the root rests at"),
        ("  length 0.45", "", "no complete ASF file"),
        (" lhipjoint", " nobone", "no complete ASF file"),
    ],
)
def test_a_skeleton_that_is_not_understood_is_refused(
    folder, old, new, message
) -> None:
    path = folder / "HDM_bd.asf"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DataFormatError, match=message):
        read_actor(path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.rsplit("\n", 2)[0] + "\n", "is not given alike"),
        (lambda t: t.replace("lfemur ", "lfemur x", 1), "could not convert"),
        (lambda _t: "#!OML:ASF\n", "has no frame"),
    ],
)
def test_a_damaged_motion_is_refused(folder: Path, edit, message) -> None:
    path = folder / "walk" / "HDM_bd_walk_001_120.amc"
    path.write_text(edit(path.read_text()))
    with pytest.raises(DataFormatError, match=message):
        read_motion(path, read_actor(folder / "HDM_bd.asf"))
