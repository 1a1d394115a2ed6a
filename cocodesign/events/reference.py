"""The form in which Tokyo Tech took part in TRECVID MED 2017, to compare with.

Zero-shot: the mean word vector of what a clip shows, weighted by the concepts' scores,
and the mean word vector of the description; their cosine. Few-shot: a support vector
machine on mean-pooled features. Both are normalised and added with a fixed weight.

Source: Inoue et al., TRECVID workshop 2017, slides; equations reconstructed from them.
Here MiniLM's vectors of the concepts' names take the place of word2vec's.
"""

import numpy as np
from numpy.typing import NDArray

from cocodesign.events.concept_space import ConceptSpace
from cocodesign.events.kits import EventKit
from cocodesign.events.pooling import PooledClips


def reference_zero_shot(
    kit: EventKit, space: ConceptSpace, clips: PooledClips
) -> NDArray[np.float32]:
    """Return the cosine between clips and an event in the space of words.

    Args:
        kit: The description; its name, definition and evidence count equally.
        space: The concepts.
        clips: What they show.

    Returns:
        One score per clip, -1 to 1.
    """
    event = space.encoder.encode(kit.phrases).numpy().mean(0)
    vectors = clips.means @ space.names
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(event)
    return vectors @ event / np.maximum(lengths, 1e-12)


def reference_few_shot(
    positives: PooledClips, negatives: PooledClips, clips: PooledClips
) -> NDArray[np.float32]:
    """Return the decision values of a linear support vector machine.

    Args:
        positives: Clips that show the event.
        negatives: Clips that do not.
        clips: What is scored.

    Returns:
        One score per clip.
    """
    from sklearn.svm import SVC

    machine = SVC(kernel="linear", class_weight="balanced")
    x = np.concatenate([positives.features, negatives.features])
    y = np.repeat([1, 0], [len(positives), len(negatives)])
    return machine.fit(x, y).decision_function(clips.features).astype(np.float32)


def reference_fusion(
    zero_shot: NDArray[np.floating],
    few_shot: NDArray[np.floating],
    weight: float = 0.5,
) -> NDArray[np.float32]:
    """Add both scores, each with mean 0 and deviation 1 over the collection.

    Args:
        zero_shot: One score per clip.
        few_shot: One score per clip.
        weight: Of the few-shot score, 0 to 1.

    Returns:
        One score per clip.
    """
    return (
        weight * _normalised(few_shot) + (1 - weight) * _normalised(zero_shot)
    ).astype(np.float32)


def _normalised(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    return (scores - np.nanmean(scores)) / max(float(np.nanstd(scores)), 1e-12)
