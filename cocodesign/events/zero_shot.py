r"""Finding an event from its description alone.

Every phrase of the event kit is compared with every concept; a concept is as relevant
as the phrase that it fits best. The most relevant concepts get weights ``w_c``, and a
clip the score

.. math::
    s = \sum_c w_c \max(0, z_c), \qquad
    z_c = (\log(p_c + 10^{-4}) - \mu_c) / \sigma_c,

where ``p_c`` is the concept's largest score over the frames, and its mean and deviation
are those of background clips: a concept that is seen everywhere says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocodesign.events.concept_space import ConceptSpace
from cocodesign.events.kits import EventKit
from cocodesign.events.pooling import LOG_FLOOR, PooledClips

_MIN_STD = 0.25  # of a concept that no background clip shows


@dataclass(frozen=True)
class Background:
    """How strongly concepts and features appear in clips of no particular event.

    Attributes:
        mean: Of each concept's log score.
        std: Its deviation, at least 0.25.
        feature_mean: Of each feature.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    feature_mean: NDArray[np.float32]

    @classmethod
    def measure(cls, clips: PooledClips) -> "Background":
        """Measure some clips, or the whole collection: events are rare in it.

        Args:
            clips: At least two that could be decoded.

        Returns:
            The statistics.

        Raises:
            ValueError: If there are fewer clips.
        """
        seen = ~np.isnan(clips.peaks).any(1)
        if seen.sum() < 2:
            raise ValueError(f"a background needs two decoded clips, got {seen.sum()}")
        logs = np.log(clips.peaks[seen] + LOG_FLOOR)
        return cls(
            logs.mean(0),
            np.maximum(logs.std(0), _MIN_STD),
            clips.features[seen].mean(0),
        )

    def standardise(self, peaks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how unusually strong each concept is, in deviations."""
        return (np.log(peaks + LOG_FLOOR) - self.mean) / self.std


@dataclass(frozen=True)
class ZeroShotDetector:
    """An event as weights of concepts.

    Attributes:
        concept_weights: Sum to one; most are zero.
        background: What concepts are compared with.
    """

    concept_weights: NDArray[np.float32]
    background: Background

    @classmethod
    def from_kit(
        cls,
        kit: EventKit,
        space: ConceptSpace,
        background: Background,
        *,
        num_concepts: int = 30,
    ) -> "ZeroShotDetector":
        """Relate an event to the concepts.

        Args:
            kit: The description.
            space: The concepts.
            background: What a clip is compared with.
            num_concepts: How many of them may have a weight; in a smaller space all
                but the least relevant one.

        Returns:
            The detector.

        Raises:
            ValueError: If ``num_concepts`` or the space allows no concept.
        """
        count = min(num_concepts, len(space.concepts) - 1)
        if count < 1:
            raise ValueError(
                "needs a concept to weigh and another to compare it with, got "
                f"num_concepts {num_concepts} of {len(space.concepts)}"
            )
        phrases = space.encoder.encode(kit.phrases).numpy()
        relevance = (space.vectors @ phrases.T).max(1)
        return cls(_weights(relevance, count), background)

    def score(self, clips: PooledClips) -> NDArray[np.float32]:
        """Score clips.

        Args:
            clips: What they show.

        Returns:
            One score per clip, larger is likelier; NaN for a clip without frames.
        """
        used = np.flatnonzero(self.concept_weights)
        logs = np.log(clips.peaks[:, used] + LOG_FLOOR)
        z = (logs - self.background.mean[used]) / self.background.std[used]
        return np.maximum(z, 0) @ self.concept_weights[used]

    def parts(self, peaks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what each concept contributes to the score.

        Args:
            peaks: One row per clip or frame, one column per concept, 0 to 1.

        Returns:
            The terms of the sum.
        """
        z = np.maximum(self.background.standardise(peaks), 0)
        return z * self.concept_weights

    def refine(
        self, clips: PooledClips, *, num_clips: int = 5, share: float = 0.3
    ) -> "ZeroShotDetector":
        """Learn from the clips that score best (pseudo-relevance feedback).

        Concepts that stand out in all of them get weight, also those that no phrase
        names.

        Args:
            clips: The collection; no label is used.
            num_clips: How many of the best to trust, at most a quarter of what could
                be decoded: in a handful of clips nothing is the rule.
            share: Of the weight that goes to what they show, 0 to 1.

        Returns:
            A new detector; the same one if there are less than four clips to learn
            from.
        """
        scores = self.score(clips)
        count = min(num_clips, int((~np.isnan(scores)).sum()) // 4)
        if count < 1:
            return self
        best = np.argsort(-np.where(np.isnan(scores), -np.inf, scores))[:count]
        z = np.maximum(self.background.standardise(clips.peaks[best]), 0)
        shown = _weights(z.mean(0), int((self.concept_weights > 0).sum()))
        mixed = (1 - share) * self.concept_weights + share * shown
        return ZeroShotDetector(mixed.astype(np.float32), self.background)

    def strongest(
        self, space: ConceptSpace, count: int = 10
    ) -> Sequence[tuple[str, float]]:
        """Return the names and weights of the most relevant concepts.

        Args:
            space: The concepts.
            count: How many.

        Returns:
            Pairs, the strongest first.
        """
        order = np.argsort(-self.concept_weights)[:count]
        return [
            (space.concepts[at].name, float(self.concept_weights[at])) for at in order
        ]


def _weights(relevance: NDArray[np.floating], count: int) -> NDArray[np.float32]:
    """Weigh the best by how far they lie above the best that gets nothing."""
    limit = np.partition(relevance, -count - 1)[-count - 1]
    above = np.maximum(relevance - limit, 0)
    total = above.sum()
    return (above / total if total > 0 else above).astype(np.float32)
