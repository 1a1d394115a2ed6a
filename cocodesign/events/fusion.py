r"""Zero-shot and few-shot together.

Both scores are brought to mean 0 and deviation 1 over the collection that is searched,
and added:

.. math::
    s = \tilde s_0 + \tfrac34 \sqrt k \, \tilde s_k,

where ``k`` is the number of examples. The deviation of what ``k`` independent examples
say falls as :math:`1/\sqrt k`, so their voice rises as its inverse. The factor was set
on development clips. Whether examples *transfer* is not asked: where they show other
things than the collection, a few of them cost one or two points of average precision.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocodesign.events.few_shot import FewShotDetector
from cocodesign.events.pooling import PooledClips
from cocodesign.events.zero_shot import ZeroShotDetector

_FEW_SHOT_WEIGHT = 0.75


@dataclass(frozen=True)
class _Scale:
    """Mean and deviation of a detector's scores over a collection."""

    mean: float
    std: float

    @classmethod
    def measure(cls, scores: NDArray[np.floating]) -> "_Scale":
        known = scores[~np.isnan(scores)].astype(np.float64)
        if len(known) < 2:
            raise ValueError(f"a collection needs two decoded clips, got {len(known)}")
        return cls(float(known.mean()), max(float(known.std()), 1e-9))

    def apply(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        return (scores.astype(np.float64) - self.mean) / self.std


@dataclass(frozen=True)
class FusedDetector:
    """An event as a description with none, one or more examples.

    Attributes:
        zero_shot: From the description.
        few_shot: From the examples; ``None`` without any.
        weight: Of the few-shot score, 0 without examples.
    """

    zero_shot: ZeroShotDetector
    few_shot: FewShotDetector | None
    weight: float
    _zero_scale: _Scale
    _few_scale: _Scale | None

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
        zero_scale = _Scale.measure(zero_shot.score(collection))
        if not len(positives):
            return cls(zero_shot, None, 0.0, zero_scale, None)
        few_shot = FewShotDetector.train(positives, negatives, zero_shot.background)
        few_scale = _Scale.measure(few_shot.score(collection))
        weight = _FEW_SHOT_WEIGHT * math.sqrt(len(positives))
        return cls(zero_shot, few_shot, weight, zero_scale, few_scale)

    def score(self, clips: PooledClips) -> NDArray[np.float64]:
        """Score clips.

        Args:
            clips: What they show.

        Returns:
            One score per clip, larger is likelier; NaN for a clip without frames.
        """
        total = self._zero_scale.apply(self.zero_shot.score(clips))
        if self.few_shot is not None and self._few_scale is not None:
            few = self._few_scale.apply(self.few_shot.score(clips))
            total = total + self.weight * few
        return total
