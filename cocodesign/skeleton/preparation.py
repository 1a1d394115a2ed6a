"""From a clip to what the network sees: bridged, resampled, normalised by the body.

Whatever the camera and the unit, afterwards the origin is the body's centre on
average over the clip, the unit is the length of the torso, the clip has a fixed number
of frames, and, where there is depth, the body's left and right lie along x. With two
persons it is the line from the first to the second that lies along x.
"""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float32
from numpy.typing import NDArray
from torch import Tensor

from cocodesign.skeleton.layouts import JointLayout
from cocodesign.skeleton.sequences import SkeletonSequence

NUM_CHANNELS = 4
"""Three coordinates and the visibility."""

_BRIDGED_FRACTION = 0.1  # of a clip: how far from a sighting a joint still counts
_SMALLEST_TORSO = 0.5  # of the joints' root mean square distance from the centre


def prepare(
    sequence: SkeletonSequence, *, num_frames: int, num_persons: int
) -> Float32[Tensor, "4 num_frames joint num_persons"]:
    """Normalise one clip.

    * A joint that is missing for a while moves evenly between its sightings; within a
      tenth of the clip of one it counts as visible.
    * Time is resampled evenly, by linear interpolation.
    * Centre, torso and sides come from the layout's ``body``. Where such a joint is
      missing throughout, the others of its group do; where all are, the means of their
      visible neighbours. A clip can be normalised whichever joints it lacks.
    * The unit is the median length of the torso over time, of all persons together; but
      not less than half the root mean square distance of the joints from the centre,
      since a torso that points at the camera of a picture has no length.
    * Depth decides about the rotation: a clip with z = 0 everywhere stays as it is. The
      rotation is about the vertical axis only, so that lying differs from standing.

    Args:
        sequence: The clip.
        num_frames: Frames of the result, at least 2.
        num_persons: Persons of the result. Missing ones are invisible; of too many, the
            ones that were seen in the most frames stay, in their order.

    Returns:
        x, y, z and visibility (0 or 1); coordinates of what is not visible are 0. A
        clip without any visible joint gives zeros.

    Raises:
        ValueError: If a number is too small.

    Example:
        >>> from cocodesign.skeleton.layouts import load_layout
        >>> layout = load_layout("kinect_v1")
        >>> positions = torch.rand(3, 30, 20, 1, generator=torch.Generator())
        >>> clip = SkeletonSequence.of(positions, layout)
        >>> tuple(prepare(clip, num_frames=64, num_persons=2).shape)
        (4, 64, 20, 2)
    """
    if num_frames < 2 or num_persons < 1:
        raise ValueError(
            "num_frames must be at least 2 and num_persons at least 1, got "
            f"{num_frames} and {num_persons}"
        )
    positions = sequence.positions.numpy().astype(np.float64)
    positions, visible = _with_persons(positions, sequence.visible.numpy(), num_persons)
    is_seen = np.asarray(visible.any(axis=0))
    positions, visible = _bridged(positions, visible)
    positions, visible = _resampled(positions, visible, num_frames)
    if is_seen.any():
        complete = _completed(positions, is_seen, sequence.layout)
        positions = _normalised(positions, complete, is_seen, sequence.layout)
    result = np.concatenate([np.where(visible, positions, 0.0), visible[None]])
    return torch.from_numpy(result.astype(np.float32))


def prepare_all(
    sequences: Iterable[SkeletonSequence], *, num_frames: int, num_persons: int
) -> Float32[Tensor, "clip 4 num_frames joint num_persons"]:
    """Normalise several clips of one layout; see ``prepare``."""
    return torch.stack(
        [
            prepare(each, num_frames=num_frames, num_persons=num_persons)
            for each in sequences
        ]
    )


def _with_persons(
    positions: NDArray[np.float64], visible: NDArray[np.bool_], num_persons: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    missing = num_persons - positions.shape[3]
    if missing > 0:
        padding = [(0, 0), (0, 0), (0, 0), (0, missing)]
        return np.pad(positions, padding), np.pad(visible, padding[1:])
    frames_seen = visible.any(axis=1).sum(axis=0)
    chosen = np.sort(np.argsort(-frames_seen, kind="stable")[:num_persons])
    return positions[..., chosen], visible[..., chosen]


def _bridged(
    positions: NDArray[np.float64], visible: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Interpolate every joint between its sightings, and hold it before and after."""
    num_frames = len(visible)
    if visible.all():
        return positions, visible
    frames = np.arange(num_frames)
    reach = _BRIDGED_FRACTION * num_frames
    positions, visible = positions.copy(), visible.copy()
    for joint, person in np.argwhere(~visible.all(axis=0) & visible.any(axis=0)):
        seen = np.flatnonzero(visible[:, joint, person])
        for channel in positions[:, :, joint, person]:
            channel[:] = np.interp(frames, seen, channel[seen])
        distance = np.abs(frames[:, None] - seen[None]).min(axis=1)
        visible[:, joint, person] = distance <= reach
    return positions, visible


def _resampled(
    positions: NDArray[np.float64], visible: NDArray[np.bool_], num_frames: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    last = len(visible) - 1
    times = np.linspace(0, last, num_frames)
    before = np.minimum(times.astype(int), max(last - 1, 0))
    after = np.minimum(before + 1, last)
    weight = (times - before)[:, None, None]
    moved = (1 - weight) * positions[:, before] + weight * positions[:, after]
    return moved, visible[np.rint(times).astype(int)]


def _completed(
    positions: NDArray[np.float64], is_seen: NDArray[np.bool_], layout: JointLayout
) -> NDArray[np.float64]:
    """Put joints that are never seen at the mean of their neighbours, outwards."""
    if is_seen.all():
        return positions
    positions = positions.copy()
    neighbours = layout.neighbours()
    for person in np.flatnonzero(is_seen.any(axis=0)):
        known = {int(joint) for joint in np.flatnonzero(is_seen[:, person])}
        while len(known) < layout.num_joints:  # bones connect all joints: this ends
            found = {
                joint: near
                for joint in range(layout.num_joints)
                if joint not in known
                and (near := [each for each in neighbours[joint] if each in known])
            }
            for joint, near in found.items():
                positions[:, :, joint, person] = positions[:, :, near, person].mean(2)
            known.update(found)
    return positions


def _normalised(
    positions: NDArray[np.float64],
    complete: NDArray[np.float64],
    is_seen: NDArray[np.bool_],
    layout: JointLayout,
) -> NDArray[np.float64]:
    """Apply shift, scale and rotation that the completed positions give."""
    persons = np.flatnonzero(is_seen.any(axis=0))
    mean_of = {
        group: np.stack(
            [
                _mean(complete[..., person], is_seen[:, person], layout.indices(names))
                for person in persons
            ],
            axis=2,
        )
        for group, names in layout.body.items()
    }  # each: channels time person
    complete = complete[..., persons]
    centre = mean_of["centre"]
    torso = np.median(np.linalg.norm(mean_of["top"] - centre, axis=0))
    spread = np.sqrt(((complete - centre[:, :, None]) ** 2).sum(axis=0).mean())
    unit = max(torso, _SMALLEST_TORSO * spread) or 1.0
    shift = centre.mean(axis=(1, 2))[:, None, None, None]
    moved = (positions - shift) / unit
    if not complete[2].any():
        return moved
    if len(persons) > 1:
        sideways = (centre[..., 1] - centre[..., 0]).mean(axis=1)
    else:
        sideways = (mean_of["right"] - mean_of["left"]).mean(axis=(1, 2))
    length = np.hypot(sideways[0], sideways[2])
    if length == 0:
        return moved
    cosine, sine = sideways[0] / length, sideways[2] / length
    rotation = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    return np.einsum("ij,jtvm->itvm", rotation, moved)


def _mean(
    complete: NDArray[np.float64], is_seen: NDArray[np.bool_], joints: list[int]
) -> NDArray[np.float64]:
    """Return the mean of those joints that are seen, of all if none is."""
    seen = [joint for joint in joints if is_seen[joint]]
    return complete[:, :, seen or joints].mean(axis=2)
