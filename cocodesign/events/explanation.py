"""Why a clip was found: which frames, and which concepts in them.

A frame is evidence if the score falls when it is taken away. Frames are chosen one
after the other, each time the one whose removal costs most: two frames that show the
same are not both needed, but both must go before the score does. Where removing any of
several frames costs the same, as with two that are equal, the frame that scores best by
itself is named.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocodesign.events.concept_space import ConceptSpace
from cocodesign.events.index import ClipIndex, IndexedClip
from cocodesign.events.pooling import PooledClips, pool_frames
from cocodesign.events.zero_shot import ZeroShotDetector

Score = Callable[[PooledClips], NDArray[np.floating]]


@dataclass(frozen=True)
class Evidence:
    """A frame that a detection rests on.

    Attributes:
        frame_index: Among the clip's sampled frames.
        time_s: When it is shown.
        score_without: The clip's score without this frame and those before it here.
        concepts: What the event's description was related to and the frame shows,
            with shares of the frame's zero-shot score.
    """

    frame_index: int
    time_s: float
    score_without: float
    concepts: tuple[tuple[str, float], ...]


def explain(
    index: ClipIndex,
    clip: IndexedClip,
    score: Score,
    zero_shot: ZeroShotDetector,
    space: ConceptSpace,
    *,
    num_frames: int = 3,
    num_concepts: int = 3,
) -> tuple[Evidence, ...]:
    """Name the frames that a clip's score rests on.

    Args:
        index: Holds the clip.
        clip: One of its clips.
        score: A detector's ``score``.
        zero_shot: Says which concepts matter.
        space: Their names.
        num_frames: How many frames at most; one frame always stays.
        num_concepts: How many concepts per frame at most.

    Returns:
        The frames, the weightiest first; none for a clip of less than two frames.
    """
    kept = list(range(len(clip.times_s)))
    alone = frame_scores(index, clip, score)
    found = []
    for _ in range(min(num_frames, len(kept) - 1)):
        without = np.array(
            [
                score_frames(index, clip, [k for k in kept if k != left_out], score)
                for left_out in kept
            ]
        )
        costliest = np.flatnonzero(np.isclose(without, without.min(), rtol=1e-5))
        place = int(max(costliest, key=lambda at: alone[kept[at]]))
        frame = kept.pop(place)
        found.append(
            Evidence(
                frame,
                clip.times_s[frame],
                float(without[place]),
                _concepts(index.scores(clip)[frame], zero_shot, space, num_concepts),
            )
        )
    return tuple(found)


def score_frames(
    index: ClipIndex, clip: IndexedClip, frames: list[int], score: Score
) -> float:
    """Score a clip as if it consisted of some of its frames.

    Args:
        index: Holds the clip.
        clip: One of its clips.
        frames: Which frames, at least one.
        score: A detector's ``score``.

    Returns:
        The score.
    """
    pooled = pool_frames(
        clip.id, index.scores(clip)[frames], index.features(clip)[frames]
    )
    return float(score(pooled)[0])


def frame_scores(
    index: ClipIndex, clip: IndexedClip, score: Score
) -> NDArray[np.float64]:
    """Score every frame as if it were the clip: a timeline.

    Args:
        index: Holds the clip.
        clip: One of its clips.
        score: A detector's ``score``.

    Returns:
        One score per sampled frame.
    """
    return np.array(
        [score_frames(index, clip, [at], score) for at in range(len(clip.times_s))]
    )


def _concepts(
    scores: NDArray[np.float32],
    zero_shot: ZeroShotDetector,
    space: ConceptSpace,
    count: int,
) -> tuple[tuple[str, float], ...]:
    parts = zero_shot.parts(scores[None])[0]
    total = parts.sum()
    best = np.argsort(-parts)[:count]
    return tuple(
        (space.concepts[at].name, float(parts[at] / total))
        for at in best
        if parts[at] > 0
    )
