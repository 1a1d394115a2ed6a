"""A collection of clips as a user searches it: words first, then clicks.

Nobody hands a searching user clips *without* the event. The lower half of what the
description ranks stands in for them: events are rare, and if one is in there, it is one
among many.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cocodesign.events.calibration import Calibration
from cocodesign.events.concept_space import ConceptSpace
from cocodesign.events.explanation import Evidence, explain, frame_scores
from cocodesign.events.fusion import FusedDetector
from cocodesign.events.index import ClipIndex, IndexedClip
from cocodesign.events.kits import EventKit
from cocodesign.events.pooling import PooledClips, join_clips, pool_clips
from cocodesign.events.zero_shot import Background, ZeroShotDetector

_MOST_NEGATIVES = 200


@dataclass(frozen=True)
class Hit:
    """A clip in a ranking.

    Attributes:
        clip: The clip.
        score: Larger is likelier; NaN if nothing could be decoded.
        probability: That it shows the event, 0 to 1, given how often events occur.
    """

    clip: IndexedClip
    score: float
    probability: float


@dataclass(frozen=True)
class Answer:
    """What a question found.

    Attributes:
        detector: Of the event.
        hits: All clips, the likeliest first.
    """

    detector: FusedDetector
    hits: tuple[Hit, ...]


class Collection:
    """Clips that were indexed, and what is needed to search them.

    Args:
        index: The clips, at least two that could be decoded.
        space: The index's concepts.

    Raises:
        ValueError: If fewer clips could be decoded, or the space has other concepts.
    """

    def __init__(self, index: ClipIndex, space: ConceptSpace) -> None:
        if tuple(space.concepts) != index.concepts:
            raise ValueError(
                f"the space has {len(space.concepts)} concepts that are not the "
                f"{len(index.concepts)} of {index.folder}"
            )
        if not index.clips:
            raise ValueError(f"{index.folder} holds no clips")
        self.index = index
        self.space = space
        pooled = pool_clips(index)
        # Concept by concept in memory: a search reads thirty of a thousand.
        self.pooled = replace(pooled, peaks=np.asfortranarray(pooled.peaks))
        self.background = Background.measure(self.pooled)
        self._by_id = {clip.id: clip for clip in index.clips}

    def clip(self, name: str) -> IndexedClip:
        """Return a clip.

        Args:
            name: Its id.

        Returns:
            The clip.

        Raises:
            ValueError: If there is none.
        """
        if name not in self._by_id:
            raise ValueError(f"{self.index.folder} has no clip {name!r}")
        return self._by_id[name]

    def search(
        self,
        kit: EventKit,
        *,
        examples: Sequence[str] = (),
        rejected: Sequence[str] = (),
        share: float = 0.01,
    ) -> Answer:
        """Rank all clips.

        Args:
            kit: What is looked for.
            examples: Ids of clips that show it.
            rejected: Ids of clips that do not.
            share: How often the event is expected, between 0 and 1; probabilities
                depend on it, ranks do not.

        Returns:
            The ranking.

        Raises:
            ValueError: If a clip is not in the collection, or an example could not
                be decoded.
        """
        for name in (*examples, *rejected):
            self.clip(name)
        zero_shot = ZeroShotDetector.from_kit(kit, self.space, self.background)
        zero_shot = zero_shot.refine(self.pooled)
        negatives = join_clips(
            [self._unlikely(zero_shot, examples), self.pooled.select(rejected)]
        )
        detector = FusedDetector.train(
            zero_shot, self.pooled.select(examples), negatives, self.pooled
        )
        scores = detector.score(self.pooled)
        calibration = Calibration.fit(
            detector.example_scores, detector.background_scores, share=share
        )
        probabilities = calibration.probability(scores)
        order = np.argsort(-np.where(np.isnan(scores), -math.inf, scores))
        return Answer(
            detector,
            tuple(
                Hit(self.index.clips[at], float(scores[at]), float(probabilities[at]))
                for at in order
            ),
        )

    def explain(self, answer: Answer, name: str) -> tuple[Evidence, ...]:
        """Name the frames that a clip's score rests on.

        Args:
            answer: What a search gave.
            name: A clip's id.

        Returns:
            The frames, the weightiest first.
        """
        detector = answer.detector
        return explain(
            self.index, self.clip(name), detector.score, detector.zero_shot, self.space
        )

    def timeline(self, answer: Answer, name: str) -> NDArray[np.float64]:
        """Score every frame of a clip as if it were the clip.

        Args:
            answer: What a search gave.
            name: A clip's id.

        Returns:
            One score per sampled frame.
        """
        return frame_scores(self.index, self.clip(name), answer.detector.score)

    def _unlikely(
        self, zero_shot: ZeroShotDetector, examples: Sequence[str]
    ) -> PooledClips:
        """Return clips that stand in for those without the event."""
        scores = zero_shot.score(self.pooled)
        usable = self.pooled.decoded & ~np.isin(self.pooled.ids, list(examples))
        order = np.argsort(scores)
        chosen = order[usable[order]]
        lower = chosen[: max(2, len(chosen) // 2)]
        count = min(len(lower), _MOST_NEGATIVES)
        places = np.linspace(0, len(lower) - 1, count).round().astype(np.intp)
        return self.pooled.take(lower[places])
