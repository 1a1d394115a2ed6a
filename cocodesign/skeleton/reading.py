"""One function for all formats of skeleton files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, get_args

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.readers.motion_capture import read_hdm05
from cocodesign.skeleton.readers.msr_action3d import read_msr_action3d
from cocodesign.skeleton.readers.ntu import read_ntu
from cocodesign.skeleton.readers.nw_ucla import read_nw_ucla
from cocodesign.skeleton.readers.pose_kit import read_pose_kit
from cocodesign.skeleton.readers.pyskl import read_pyskl
from cocodesign.skeleton.readers.sbu import read_sbu
from cocodesign.skeleton.readers.utkinect import read_utkinect
from cocodesign.skeleton.sequences import SkeletonDataset

SkeletonFormat = Literal[
    "sbu", "utkinect", "nw_ucla", "msr_action3d", "ntu", "hdm05", "pyskl", "pose_kit"
]

FORMATS: tuple[SkeletonFormat, ...] = get_args(SkeletonFormat)

_READERS: Mapping[SkeletonFormat, Callable[[Path], SkeletonDataset]] = {
    "sbu": read_sbu,
    "utkinect": read_utkinect,
    "nw_ucla": read_nw_ucla,
    "msr_action3d": read_msr_action3d,
    "ntu": read_ntu,
    "hdm05": read_hdm05,
    "pyskl": read_pyskl,
    "pose_kit": read_pose_kit,
}

_SIGNS: tuple[tuple[SkeletonFormat, str], ...] = (
    ("sbu", "s??s??/??/???/skeleton_pos.txt"),
    ("utkinect", "joints/joints_s??_e??.txt"),
    ("nw_ucla", "a??_s??_e??_v??.json"),
    ("msr_action3d", "a??_s??_e??_skeleton3D.txt"),
    ("ntu", "**/S???C???P???R???A???.skeleton"),
    ("hdm05", "**/*.amc"),
    ("pose_kit", "BodyPose_Dataset.csv"),
)  # what a folder of the format holds

_SUFFIXES: Mapping[str, SkeletonFormat] = {
    ".skeleton": "ntu",
    ".json": "nw_ucla",
    ".pkl": "pyskl",
    ".csv": "pose_kit",
}


def read_skeletons(
    path: Path | str, *, format: SkeletonFormat | None = None
) -> SkeletonDataset:
    """Read a data set in its original files.

    ========================  =====================================================
    ``sbu``                   folder of ``s01s02/01/001/skeleton_pos.txt``
    ``utkinect``              folder of ``joints/joints_s01_e01.txt``
    ``nw_ucla``               folder of ``a01_s01_e00_v01.json``, or one of them
    ``msr_action3d``          folder of ``a01_s01_e01_skeleton3D.txt``
    ``ntu``                   folder of ``S001C001P001R001A001.skeleton``, or one
    ``hdm05``                 folder of ``<class>/<name>.amc`` and ``.asf`` files
    ``pyskl``                 an annotation file ``.pkl``
    ``pose_kit``              the data set ``pose_kit`` of ``cocodesign data``
    ========================  =====================================================

    Args:
        path: A folder or a file.
        format: Its format; recognised by what is there if ``None``.

    Returns:
        The clips with their classes and origins.

    Raises:
        DataFormatError: If the format is not recognised, or a file is malformed.
        ValueError: If there is no such format.
    """
    place = Path(path).expanduser()
    chosen = format or _recognise(place)
    if chosen not in _READERS:
        raise ValueError(f"format {chosen!r}: one of {', '.join(FORMATS)} is known")
    return _READERS[chosen](place)


def _recognise(path: Path) -> SkeletonFormat:
    found: SkeletonFormat | None
    if path.is_file():
        found = _SUFFIXES.get(path.suffix)
    elif path.is_dir():
        found = next(
            (kind for kind, sign in _SIGNS if next(path.glob(sign), None)), None
        )
    else:
        raise DataFormatError(f"{path} is not there")
    if found is None:
        raise DataFormatError(
            f"{path} is of no known format: name one of {', '.join(FORMATS)}, or make "
            "SkeletonSequence objects of the joints"
        )
    return found
