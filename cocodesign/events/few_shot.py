r"""Learning an event from a few example clips, with honest scores of the examples.

The detector is linear in what a clip shows, ``x``: its standardised concepts and its
centred features. With labels ``y`` of ±1 it minimises

.. math::
    \sum_i s_i (y_i - w^T x_i)^2 + \lambda \|w\|^2,

a least-squares support vector machine (Suykens & Vandewalle 1999) in which positives
and negatives have half of the weight ``s`` each. Leave-one-out predictions have a
closed form: with ``H = K (K + λ S⁻¹)⁻¹`` they are ``(f_i - H_ii y_i) / (1 - H_ii)``
(Cawley 2006). So a detector of one training knows how it would score each example
without it.

Pseudo-samples (Inoue & Shinoda 2018, arXiv:1807.07203): clips that the zero-shot
detector ranks first stand beside the ``k`` real positives with ``pseudo_weight / k`` of
their total weight.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocodesign.events.pooling import PooledClips
from cocodesign.events.zero_shot import Background

_CONCEPT_SHARE = 0.5  # of a clip's squared length; the features have the rest
_MAX_Z = 8.0
_CONSTANT = 0.5  # a coordinate that gives the line an offset


@dataclass(frozen=True)
class FewShotDetector:
    """An event as a direction.

    Attributes:
        direction: ``w``.
        background: What clips are compared with.
        positive_scores: Of the positives, each by a detector that did not see it; of
            a single one, which no other can stand in for, half its own.
        negative_scores: Of the negatives, in the same way.
    """

    direction: NDArray[np.float32]
    background: Background
    positive_scores: NDArray[np.float32]
    negative_scores: NDArray[np.float32]

    @classmethod
    def train(
        cls,
        positives: PooledClips,
        negatives: PooledClips,
        background: Background,
        *,
        regularisation: float = 0.02,
        pseudo_positives: PooledClips | None = None,
        pseudo_weight: float = 1.0,
    ) -> "FewShotDetector":
        """Learn an event.

        Args:
            positives: Clips that show it, at least one.
            negatives: Clips that do not, at least two.
            background: What clips are compared with.
            regularisation: λ, positive; clips have about unit length.
            pseudo_positives: The first clips of a zero-shot detector.
            pseudo_weight: Their total weight beside a single real positive.

        Returns:
            The detector.

        Raises:
            ValueError: If there are too few clips, or one could not be decoded.
        """
        if not len(positives) or len(negatives) < 2:
            raise ValueError(
                "a detector needs a positive and two negatives, got "
                f"{len(positives)} and {len(negatives)}"
            )
        if regularisation <= 0:
            raise ValueError(f"regularisation must be positive, got {regularisation}")
        groups = [(positives, 1.0, 0.5), (negatives, -1.0, 0.5)]
        if pseudo_positives is not None and len(pseudo_positives):
            share = pseudo_weight / len(positives) / 2
            groups.append((pseudo_positives, 1.0, share))
        x = np.concatenate([_describe(clips, background) for clips, _, _ in groups])
        if np.isnan(x).any():
            raise ValueError("a clip without frames can be no example: leave it out")
        y = np.concatenate([np.full(len(clips), label) for clips, label, _ in groups])
        weights = np.concatenate(
            [np.full(len(clips), total / len(clips)) for clips, _, total in groups]
        )
        kernel = x @ x.T
        ridge = np.diag(regularisation / weights)
        hat = np.linalg.solve(kernel + ridge, kernel).T
        fitted = hat @ y
        diagonal = np.diag(hat)
        left_out = (fitted - diagonal * y) / (1 - diagonal)
        if len(positives) == 1 and len(groups) == 2:
            left_out[0] = fitted[0] / 2 + fitted[1:].mean() / 2
        direction = x.T @ np.linalg.solve(kernel + ridge, y)
        k = len(positives)
        return cls(
            direction.astype(np.float32),
            background,
            left_out[:k].astype(np.float32),
            left_out[k : k + len(negatives)].astype(np.float32),
        )

    def score(self, clips: PooledClips) -> NDArray[np.float32]:
        """Score clips.

        Args:
            clips: What they show.

        Returns:
            One score per clip, about 1 for the event and -1 for others; NaN for a clip
            without frames.
        """
        return _describe(clips, self.background) @ self.direction


def _describe(clips: PooledClips, background: Background) -> NDArray[np.float32]:
    """Return concepts and features, each of a fixed length, and a constant."""
    z = np.clip(background.standardise(clips.peaks), 0, _MAX_Z)
    centred = clips.features - background.feature_mean
    parts = [
        part
        * (
            np.sqrt(share)
            / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-6)
        )
        for part, share in ((z, _CONCEPT_SHARE), (centred, 1 - _CONCEPT_SHARE))
    ]
    constant = np.full((len(clips), 1), _CONSTANT)
    return np.concatenate([*parts, constant], 1).astype(np.float32)
