"""From frames to clips."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocodesign.events.index import ClipIndex

LOG_FLOOR = 1e-4  # of a score: below it, nothing was seen


@dataclass(frozen=True)
class PooledClips:
    """What clips show, one row each; a clip without frames has rows of NaN.

    Attributes:
        ids: The clips.
        peaks: The largest score of each concept over the frames, 0 to 1.
        means: The mean score of each concept.
        features: The frames' features, each scaled to length one, averaged.
    """

    ids: tuple[str, ...]
    peaks: NDArray[np.float32]
    means: NDArray[np.float32]
    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def decoded(self) -> NDArray[np.bool_]:
        """Which clips have frames; the rows of others are NaN throughout."""
        return ~np.isnan(self.peaks[:, 0])

    def select(self, ids: Sequence[str]) -> "PooledClips":
        """Return some of the clips, in the order asked for.

        Args:
            ids: Which ones.

        Returns:
            A copy.
        """
        place = {name: at for at, name in enumerate(self.ids)} if ids else {}
        return self.take(np.array([place[name] for name in ids], np.intp))

    def take(self, rows: NDArray[np.intp]) -> "PooledClips":
        """Return some of the clips, by row.

        Args:
            rows: Which ones, in the order wanted.

        Returns:
            A copy.
        """
        return PooledClips(
            tuple(self.ids[at] for at in rows),
            self.peaks[rows],
            self.means[rows],
            self.features[rows],
        )


def pool_clips(index: ClipIndex) -> PooledClips:
    """Pool all clips of an index.

    Args:
        index: The index; its files are read once, clip by clip.

    Returns:
        The pooled clips, in the index's order.
    """
    return join_clips(
        [
            pool_frames(clip.id, index.scores(clip), index.features(clip))
            for clip in index.clips
        ]
    )


def pool_frames(
    name: str, scores: NDArray[np.float32], features: NDArray[np.float32]
) -> PooledClips:
    """Pool the frames of one clip.

    Args:
        name: The clip's id.
        scores: One row per frame and one column per concept.
        features: One row per frame.

    Returns:
        One clip; all NaN if there is no frame.
    """
    if not len(scores):
        nothing = np.full((1, scores.shape[1]), np.nan, np.float32)
        no_features = np.full((1, features.shape[1]), np.nan, np.float32)
        return PooledClips((name,), nothing, nothing, no_features)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(lengths, 1e-6)
    return PooledClips(
        (name,),
        scores.max(0, keepdims=True),
        scores.mean(0, keepdims=True),
        unit.mean(0, keepdims=True),
    )


def join_clips(parts: Sequence[PooledClips]) -> PooledClips:
    """Put clips one below the other.

    Args:
        parts: At least one.

    Returns:
        All of them, in order.
    """
    return PooledClips(
        tuple(name for part in parts for name in part.ids),
        np.concatenate([part.peaks for part in parts]),
        np.concatenate([part.means for part in parts]),
        np.concatenate([part.features for part in parts]),
    )
