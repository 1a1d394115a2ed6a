"""ASF/AMC motion capture, as of HDM05 and CMU: a skeleton, angles, and the positions.

An ASF file describes the bones of an actor: direction, length, the axes its angles turn
about, and the hierarchy. An AMC file gives, frame by frame, the root's place and the
angles of the bones. With ``C = R_z R_y R_x`` of a bone's ``axis`` and ``L`` the same of
its angles, a bone's frame is ``G = G_parent C L C⁻¹``, and it ends at
``end_parent + length · G direction``.

Source: the format as Acclaim published it; Müller et al. (2007), "Documentation Mocap
Database HDM05". Lengths are divided by the file's own unit (0.45 in both databases),
which gives inches.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.layouts import load_layout
from cocodesign.skeleton.sequences import Origin, SkeletonDataset, SkeletonSequence

TRAINING_SUBJECTS = frozenset({"bd", "bk", "dg"})
"""Of the cross-subject protocol of HDM05; ``mm`` and ``tr`` are for testing."""

_INCH_M = 0.0254
_ORDER = (
    *("root", "lhipjoint", "lfemur", "ltibia", "lfoot", "ltoes"),
    *("rhipjoint", "rfemur", "rtibia", "rfoot", "rtoes"),
    *("lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head"),
    *("lclavicle", "lhumerus", "lradius", "lwrist", "lhand", "lfingers", "lthumb"),
    *("rclavicle", "rhumerus", "rradius", "rwrist", "rhand", "rfingers", "rthumb"),
)  # as the layout asf_amc orders the ends of the bones

Matrix = NDArray[np.float64]


@dataclass
class Bone:
    """One bone of an ASF file.

    Attributes:
        direction: A unit vector in the world's axes, when all angles are zero.
        length: In the file's unit.
        axis: The rotation C.
        angles: Which angles an AMC file gives, a subset of ``rx ry rz`` in their order.
        parent: The bone it hangs on.
    """

    direction: Matrix = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axis: Matrix = field(default_factory=lambda: np.eye(3))
    angles: tuple[str, ...] = ()
    parent: str = "root"


@dataclass(frozen=True)
class Actor:
    """The skeleton of an ASF file.

    Attributes:
        bones: By name, parents before their children.
        unit_m: Metres per unit of length.
        root_order: What an AMC file gives of the root, as ``TX TY TZ RX RY RZ``.
        degrees: Whether angles are in degrees.
    """

    bones: dict[str, Bone]
    unit_m: float
    root_order: tuple[str, ...]
    degrees: bool


def read_hdm05(folder: Path) -> SkeletonDataset:
    """Read motions whose folders name their classes: ``…/<class>/<name>.amc``.

    Args:
        folder: Searched for ``.amc`` files at any depth, and for ``.asf`` files: a
            motion belongs to the actor whose file name its own begins with.

    Returns:
        The clips in metres; ``origin.subject`` is the last part of the actor's name,
        ``bd`` of ``HDM_bd.asf``.

    Raises:
        DataFormatError: If there is no motion, one has no actor, or a file is
        malformed.
    """
    layout = load_layout("asf_amc")
    actors = {path.stem: read_actor(path) for path in sorted(folder.rglob("*.asf"))}
    motions = sorted(folder.rglob("*.amc"))
    if not motions:
        raise DataFormatError(f"{folder} has no .amc file at any depth")
    names = sorted({path.parent.name for path in motions})
    clips = []
    for path in motions:
        fitting = [stem for stem in actors if path.stem.startswith(stem)]
        if not fitting:
            raise DataFormatError(
                f"{path} begins with the name of no actor, there are {sorted(actors)}"
            )
        actor = max(fitting, key=len)
        positions = read_motion(path, actors[actor])
        clips.append(
            SkeletonSequence.of(
                torch.from_numpy(positions[..., None].astype(np.float32)),
                layout,
                name=path.relative_to(folder).as_posix(),
                label=names.index(path.parent.name),
                origin=Origin(subject=actor.split("_")[-1], recording=path.stem),
            )
        )
    return SkeletonDataset("hdm05", layout, tuple(names), tuple(clips))


def read_actor(path: Path) -> Actor:
    """Read an ASF file.

    Args:
        path: The file.

    Returns:
        The skeleton.

    Raises:
        DataFormatError: If something that positions depend on is missing or unknown.
    """
    sections = _sections(path)
    try:
        units = {row[0]: row[1] for row in sections["units"]}
        root = {row[0].lower(): row[1:] for row in sections["root"]}
        if [each.upper() for each in root["axis"]] != ["XYZ"]:
            raise DataFormatError(
                f"{path}: root axis {root['axis']}, only XYZ is known"
            )
        rest = [float(each) for each in root["position"] + root["orientation"]]
        if any(rest):
            raise DataFormatError(f"{path}: the root rests at {rest}, only 0 is known")
        bones = _bones(sections["bonedata"], degrees=units["angle"] == "deg")
        ordered: dict[str, Bone] = {}
        for row in sections["hierarchy"]:
            for child in row[1:]:
                bones[child].parent = row[0]
                ordered[child] = bones[child]
        return Actor(
            ordered,
            _INCH_M / float(units["length"]),
            tuple(each.upper() for each in root["order"]),
            units["angle"] == "deg",
        )
    except (KeyError, IndexError, ValueError) as error:
        raise DataFormatError(f"{path} is no complete ASF file: {error!r}") from error


def read_motion(path: Path, actor: Actor) -> NDArray[np.float64]:
    """Read an AMC file and place the joints.

    Args:
        path: The file.
        actor: Whose motion it is.

    Returns:
        ``3 time joint`` in metres, y upwards, the joints in the order of the layout
        ``asf_amc``.

    Raises:
        DataFormatError: If a bone is missing or a frame incomplete.
    """
    values = _motion_values(path)
    try:
        ends = _place_bones(values, actor)
        return np.stack([ends[name] for name in _ORDER]).transpose(2, 1, 0)
    except (KeyError, IndexError, ValueError) as error:
        raise DataFormatError(f"{path} does not fit its actor: {error!r}") from error


def _place_bones(values: dict[str, Matrix], actor: Actor) -> dict[str, Matrix]:
    """Return each bone's end in every frame, ``time 3``."""
    root = dict(zip(actor.root_order, values["root"].T, strict=True))
    num_frames = len(values["root"])
    place = np.stack([root[each] for each in ("TX", "TY", "TZ")], axis=1)
    ends = {"root": place * actor.unit_m}
    turning = np.stack([root[each] for each in ("RX", "RY", "RZ")])
    turned = {"root": _rotation(turning, degrees=actor.degrees)}
    for name, bone in actor.bones.items():
        given = values.get(name, np.zeros((num_frames, 0)))
        angles = dict(zip(bone.angles, given.T, strict=True))
        none = np.zeros(num_frames)
        turning = np.stack([angles.get(each, none) for each in ("rx", "ry", "rz")])
        local = _rotation(turning, degrees=actor.degrees)
        turned[name] = turned[bone.parent] @ bone.axis @ local @ bone.axis.T
        reach = bone.direction * bone.length * actor.unit_m
        ends[name] = ends[bone.parent] + turned[name] @ reach
    return ends


def _rotation(angles: Matrix, *, degrees: bool) -> Matrix:
    """Return ``R_z R_y R_x`` of three angles, or of three rows of them, ``… 3 3``."""
    x, y, z = np.radians(angles) if degrees else angles
    return _about(z, 2) @ _about(y, 1) @ _about(x, 0)


def _about(angles: Matrix | np.float64, axis: int) -> Matrix:
    one, other = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.zeros((*np.shape(angles), 3, 3))
    rotation[..., axis, axis] = 1
    rotation[..., one, one] = rotation[..., other, other] = np.cos(angles)
    rotation[..., other, one] = np.sin(angles)
    rotation[..., one, other] = -np.sin(angles)
    return rotation


def _sections(path: Path) -> dict[str, list[list[str]]]:
    """Split an ASF file at its keywords into rows of words."""
    sections: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split("#")[0].replace("(", " ").replace(")", " ").split()
        if not words:
            continue
        if words[0].startswith(":"):
            rows = sections.setdefault(words[0][1:], [])
            words = words[1:]
        if words:
            rows.append(words)
    if "hierarchy" in sections:
        sections["hierarchy"] = [
            row for row in sections["hierarchy"] if row[0] not in ("begin", "end")
        ]
    return sections


def _bones(rows: list[list[str]], *, degrees: bool) -> dict[str, Bone]:
    bones: dict[str, Bone] = {}
    bone = Bone()
    for key, *values in rows:
        match key:
            case "begin":
                bone = Bone()
            case "name":
                bones[values[0]] = bone
            case "direction":
                direction = np.array(values[:3], dtype=np.float64)
                bone.direction = direction / (np.linalg.norm(direction) or 1.0)
            case "length":
                bone.length = float(values[0])
            case "axis":
                if values[3].upper() != "XYZ":
                    raise ValueError(f"axis order {values[3]}, only XYZ is known")
                angles = np.array(values[:3], dtype=np.float64)
                bone.axis = _rotation(angles, degrees=degrees)
            case "dof":
                bone.angles = tuple(values)
    return bones


def _motion_values(path: Path) -> dict[str, Matrix]:
    """Return the numbers of each bone, one row a frame."""
    values: dict[str, list[list[float]]] = {}
    num_frames = 0
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if len(words) == 1:
            num_frames += 1
            continue
        try:
            values.setdefault(words[0], []).append([float(each) for each in words[1:]])
        except ValueError as error:
            raise DataFormatError(f"{path}, line {number}: {error}") from error
    for bone, rows in values.items():
        if len(rows) != num_frames or len({len(row) for row in rows}) > 1:
            raise DataFormatError(
                f"{path}: {bone} is not given alike in all {num_frames} frames"
            )
    if not values:
        raise DataFormatError(f"{path} has no frame")
    return {bone: np.array(rows) for bone, rows in values.items()}
