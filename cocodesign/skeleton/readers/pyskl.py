"""The annotation pickles of pyskl and mmaction2, read without running what they hold.

The file is ``{"split": {name: [clip names]}, "annotations": [clips]}``, a clip a
dictionary with ``frame_dir`` (its name), ``label``, ``keypoint`` (``person time joint
channel``) and, for joints in pictures, ``keypoint_score`` (``person time joint``).
In pictures y counts downwards; reading and writing turn it over.

A pickle is a program. Here it may build lists, dictionaries, numbers, texts and numpy
arrays; whatever else it names ends the reading.
"""

import codecs
import io
import pickle  # noqa: TID251 - the format is a pickle; see _ArraysOnly
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cocodesign.errors import DataFormatError
from cocodesign.files import write_atomically
from cocodesign.skeleton.layouts import JointLayout, load_layout
from cocodesign.skeleton.sequences import Origin, SkeletonDataset, SkeletonSequence

_LAYOUTS = {
    (17, 2): "coco",
    (17, 3): "coco",
    (25, 2): "body_25",
    (25, 3): "kinect_v2",
    (20, 3): "kinect_v1",
}  # by the numbers of joints and channels


def read_pyskl(path: Path, *, layout: JointLayout | None = None) -> SkeletonDataset:
    """Read an annotation file.

    Args:
        path: The ``.pkl`` file.
        layout: Meaning of the joints; if ``None``, COCO for 17, OpenPose's or Kinect
            v2's for 25 joints in two or three dimensions, Kinect v1's for 20.

    Returns:
        The clips; ``origin.setup`` names the splits that a clip is in, separated by
        commas. Classes have their numbers for names.

    Raises:
        DataFormatError: If the file names code, is truncated, or not of this format.
    """
    content = _load(path)
    try:
        splits, annotations = content["split"], content["annotations"]
        clips = []
        for each in annotations:
            name = str(each["frame_dir"])
            setup = ",".join(key for key, names in splits.items() if name in names)
            clips.append(_clip(each, name, setup, layout))
        last = max((clip.label or 0 for clip in clips), default=0)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataFormatError(f"{path} is no annotation file: {error!r}") from error
    except ValueError as error:
        raise DataFormatError(f"{path}: {error}") from error
    if not clips:
        raise DataFormatError(f"{path} has no clip")
    names = tuple(str(label) for label in range(last + 1))
    return SkeletonDataset(path.stem, clips[0].layout, names, tuple(clips))


def write_pyskl(
    dataset: SkeletonDataset, path: Path, splits: Mapping[str, Sequence[int]]
) -> None:
    """Write an annotation file that pyskl and mmaction2 read.

    Args:
        dataset: Labelled clips. Those without depth are written in two dimensions.
        path: The file to create or replace.
        splits: Indices of clips by the split's name, such as ``xsub_train``.
    """
    is_planar = not any(bool(each.positions[2].any()) for each in dataset.sequences)
    annotations = []
    for each, label in zip(dataset.sequences, dataset.labels.tolist(), strict=True):
        keypoint = each.positions.permute(3, 1, 2, 0).numpy().copy()
        if is_planar:
            keypoint = keypoint[..., :2] * np.array([1, -1], dtype=np.float32)
        annotations.append(
            {
                "frame_dir": each.name,
                "label": label,
                "total_frames": each.num_frames,
                "keypoint": keypoint,
                "keypoint_score": each.visible.permute(2, 0, 1).numpy().astype("f4"),
            }
        )
    split = {
        key: [dataset.sequences[index].name for index in indices]
        for key, indices in splits.items()
    }
    write_atomically(
        path, pickle.dumps({"split": split, "annotations": annotations}, protocol=4)
    )


def _clip(
    annotation: Mapping[str, Any], name: str, setup: str, layout: JointLayout | None
) -> SkeletonSequence:
    keypoint = np.asarray(annotation["keypoint"], dtype=np.float32)
    if keypoint.ndim != 4 or keypoint.shape[3] not in (2, 3):
        raise ValueError(f"{name}: keypoint has shape {keypoint.shape}")
    num_joints, num_channels = keypoint.shape[2:]
    if layout is None:
        known = _LAYOUTS.get((num_joints, num_channels))
        if known is None:
            raise ValueError(
                f"{name}: no layout is known for {num_joints} joints in {num_channels} "
                "dimensions, give one"
            )
        layout = load_layout(known)
    if num_channels == 2:
        keypoint = keypoint * np.array([1, -1], dtype=np.float32)
        keypoint = np.pad(keypoint, [(0, 0)] * 3 + [(0, 1)])
    if (score := annotation.get("keypoint_score")) is not None:
        seen = np.asarray(score, dtype=np.float32) > 0
        keypoint = np.where(seen[..., None], keypoint, np.float32(0))
    return SkeletonSequence.of(
        torch.from_numpy(np.ascontiguousarray(keypoint.transpose(3, 1, 2, 0))),
        layout,
        name=name,
        label=int(annotation["label"]),
        origin=Origin(setup=setup, recording=name),
    )


def _load(path: Path) -> Any:
    try:
        return _ArraysOnly(io.BytesIO(path.read_bytes())).load()
    except (pickle.UnpicklingError, EOFError, IndexError, KeyError) as error:
        raise DataFormatError(f"{path}: {error or 'ends too early'}") from error
    except (ValueError, TypeError, AttributeError, UnicodeError) as error:
        raise DataFormatError(f"{path} is no pickle of arrays: {error}") from error


class _ArraysOnly(pickle.Unpickler):  # noqa: S301 - this is what makes it safe
    """An unpickler that resolves the names that numpy arrays need, and no other."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = _ALLOWED.get((module, name))
        if allowed is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is refused")
        return allowed


def _empty_array(kind: type, _shape: object, _typecode: object) -> np.ndarray:
    """Stand in for numpy's ``_reconstruct``, for plain arrays only."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"it builds a {kind}, which is refused")
    return np.ndarray((0,), dtype="i1")


def _scalar(dtype: np.dtype, content: bytes) -> np.generic:
    """Stand in for numpy's ``scalar``, for plain numbers only."""
    if dtype.hasobject:
        raise pickle.UnpicklingError("it builds an object as a number")
    return np.frombuffer(content, dtype=dtype, count=1)[0]


def _from_buffer(
    content: bytes | bytearray, dtype: np.dtype, shape: tuple[int, ...], order: str
) -> np.ndarray:
    """Stand in for numpy's ``_frombuffer``, for plain numbers only."""
    if dtype.hasobject or order not in ("C", "F"):
        raise pickle.UnpicklingError(f"it builds an array of {dtype} in order {order}")
    return np.frombuffer(content, dtype=dtype).reshape(shape, order=order)


def _encoded(text: str, encoding: str = "latin1") -> bytes:
    """Stand in for ``codecs.encode``, which old pickles write bytes with."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it encodes text as {encoding}")
    return codecs.latin_1_encode(text)[0]


_ALLOWED: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _encoded,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    **{
        (f"numpy.{core}.{name}", function): stand_in
        for core in ("core", "_core")
        for name, function, stand_in in (
            ("multiarray", "_reconstruct", _empty_array),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}
