r"""Zero-shot and few-shot together, adapted to the collection that is searched.

Do the examples *transfer*: do they look like what is to be found? Examples alone cannot
tell, since pictures of one kind predict each other well also where the collection shows
the event by another kind. The collection can. With a tilde for scores of mean 0 and
deviation 1 over it,

.. math::
    s' = \tilde s_0 + \tfrac34 \, t \sqrt k \, \tilde s_k, \qquad
    s = \tilde s' + \tilde s_a .

1. ``s_k`` is learnt from the ``k`` examples against background clips *and* the
   collection, in which events are rare. The deviation of what ``k`` independent
   examples say falls as :math:`1/\sqrt k`, so their voice rises as its inverse.
2. Each example has a leave-one-out score: what a clip of its kind should get. The
   transfer ``t`` from 0 to 1 is how far up to their mean the collection's first three
   clips reach. Where nothing in it looks like the examples, they lose their voice.
3. The three clips that ``s'`` ranks first become pseudo-samples: ``s_a`` is learnt from
   them and the examples, half of the weight each, so that description and collection
   can outvote examples of another kind.

Pseudo-samples from a zero-shot detector are the programme's own idea (Inoue & Shinoda
2018, arXiv:1807.07203); here they come from both detectors. What else was tried stands
in ``docs/events.md``. The constants were set on development clips.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocodesign.events.few_shot import FewShotDetector
from cocodesign.events.pooling import PooledClips, join_clips
from cocodesign.events.zero_shot import ZeroShotDetector

_FEW_SHOT_WEIGHT = 0.75
_NUM_FIRST = 3  # clips that become pseudo-samples, and that transfer is read from
_LARGEST_SHARE = 1 / 20  # of a small collection, that they may be
_NUM_DOUBTFUL = 12  # of the first clips, that are no negatives either
_MOST_UNLABELLED = 1000  # clips that stand for a large collection


@dataclass(frozen=True)
class _Term:
    """A detector's part of the sum: ``weight (score - mean)``."""

    detector: ZeroShotDetector | FewShotDetector
    mean: float
    weight: float

    def apply(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        return self.weight * (scores.astype(np.float64) - self.mean)


@dataclass(frozen=True)
class FusedDetector:
    """An event as a description with none, one or more examples.

    Attributes:
        zero_shot: From the description.
        few_shot: From the examples; ``None`` without any.
        adapted: From the examples and the collection; ``None`` without examples.
        transfer: Whether the collection shows anything like the examples, 0 to 1;
            ``None`` without examples.
        example_scores: Of the examples, without what each one taught itself; what
            ``Calibration.fit`` takes as positives.
        background_scores: The same of the negatives.
    """

    zero_shot: ZeroShotDetector
    few_shot: FewShotDetector | None
    adapted: FewShotDetector | None
    transfer: float | None
    example_scores: NDArray[np.float64]
    background_scores: NDArray[np.float64]
    _terms: tuple[_Term, ...]

    @classmethod
    def train(
        cls,
        zero_shot: ZeroShotDetector,
        positives: PooledClips,
        negatives: PooledClips,
        collection: PooledClips,
    ) -> "FusedDetector":
        """Fuse.

        Args:
            zero_shot: The event's detector from its description.
            positives: Example clips, perhaps none.
            negatives: Clips without the event, at least two.
            collection: What will be searched, without labels.

        Returns:
            The detector.

        Raises:
            ValueError: If the collection has less than two decoded clips, or an
                example could not be decoded.
        """
        decoded = collection.decoded
        # A copy of a large collection would take longer than searching it.
        seen = collection if decoded.all() else collection.take(np.flatnonzero(decoded))
        if len(seen) < 2:
            raise ValueError(f"a collection needs two decoded clips, got {len(seen)}")
        first = [_standard_term(zero_shot, seen)]
        few_shot = adapted = transfer = None
        if len(positives):
            few_shot = FewShotDetector.train(
                positives,
                join_clips([negatives, _sample(seen)]),
                zero_shot.background,
            )
            transfer = _measure_transfer(few_shot, seen)
            voice = _FEW_SHOT_WEIGHT * transfer * math.sqrt(len(positives))
            first.append(_standard_term(few_shot, seen, voice))
        scores = _total(first, seen)
        scale = 1 / max(float(scores.std()), 1e-9)
        terms = [_Term(each.detector, each.mean, each.weight * scale) for each in first]
        if len(positives):
            order = np.argsort(-scores)
            others = np.sort(order[_NUM_DOUBTFUL:])
            adapted = FewShotDetector.train(
                positives,
                join_clips([negatives, _sample(seen.take(others))]),
                zero_shot.background,
                pseudo_positives=seen.take(order[: _num_first(seen)]),
                pseudo_weight=len(positives),
            )
            terms.append(_standard_term(adapted, seen))
        return cls(
            zero_shot,
            few_shot,
            adapted,
            transfer,
            _left_out(terms, positives, lambda each: each.positive_scores),
            _left_out(terms, negatives, lambda each: each.negative_scores),
            tuple(terms),
        )

    def score(self, clips: PooledClips) -> NDArray[np.float64]:
        """Score clips.

        Args:
            clips: What they show.

        Returns:
            One score per clip, larger is likelier; NaN for a clip without frames.
        """
        return _total(self._terms, clips)


def _num_first(collection: PooledClips) -> int:
    return max(1, min(_NUM_FIRST, int(len(collection) * _LARGEST_SHARE)))


def _measure_transfer(few_shot: FewShotDetector, collection: PooledClips) -> float:
    scores = np.sort(few_shot.score(collection).astype(np.float64))
    mean = scores.mean()
    # Two examples that differ may each score nothing without the other: then a clip
    # that reaches the middle between the event and the others reaches far enough.
    level = max(0.0, float(few_shot.positive_scores.mean()))
    reached = (scores[-_num_first(collection) :].mean() - mean) / max(
        level - mean, 1e-9
    )
    return float(np.clip(reached, 0, 1))


def _standard_term(
    detector: ZeroShotDetector | FewShotDetector,
    collection: PooledClips,
    weight: float = 1.0,
) -> _Term:
    """Weigh a detector by the inverse of its deviation over a collection."""
    scores = detector.score(collection).astype(np.float64)
    deviation = max(float(scores.std()), 1e-9)
    return _Term(detector, float(scores.mean()), weight / deviation)


def _total(terms: Sequence[_Term], clips: PooledClips) -> NDArray[np.float64]:
    total = np.zeros(len(clips))
    for term in terms:
        total += term.apply(term.detector.score(clips))
    return total


def _sample(clips: PooledClips) -> PooledClips:
    """Return clips at equal distances: a thousand tell what a million would."""
    count = min(len(clips), _MOST_UNLABELLED)
    return clips.take(np.linspace(0, len(clips) - 1, count).round().astype(np.intp))


def _left_out(
    terms: Sequence[_Term],
    clips: PooledClips,
    kept: Callable[[FewShotDetector], NDArray[np.float32]],
) -> NDArray[np.float64]:
    """Score training clips, each by detectors that did not see it."""
    total = np.zeros(len(clips))
    for term in terms:
        detector = term.detector
        is_learnt = isinstance(detector, FewShotDetector)
        # Behind the negatives that were given stand those of the collection.
        scores = kept(detector)[: len(clips)] if is_learnt else detector.score(clips)
        total += term.apply(scores)
    return total
