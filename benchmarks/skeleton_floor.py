"""The floor that a network has to beat: kernel ridge regression on resampled joints.

Clips are 32 frames of normalised places and velocities; the kernel is Gaussian with the
median distance of the training clips as its width, the ridge 0.01. Nothing is tuned.
"""

import numpy as np
from numpy.typing import NDArray

from cocodesign.skeleton.preparation import prepare_all
from cocodesign.skeleton.protocols import Fold
from cocodesign.skeleton.sequences import SkeletonDataset

_NUM_FRAMES = 32
_RIDGE = 1e-2


def floor_accuracy(dataset: SkeletonDataset, folds: tuple[Fold, ...]) -> float:
    """Return the fraction of right answers over the test clips of all folds.

    Args:
        dataset: Labelled clips.
        folds: Their divisions.

    Returns:
        A number between 0 and 1.
    """
    clips = prepare_all(
        dataset.sequences,
        num_frames=_NUM_FRAMES,
        num_persons=min(2, dataset.num_persons),
    ).numpy()
    places = clips[:, :3]
    features = np.concatenate(
        [each.reshape(len(clips), -1) for each in (places, np.diff(places, axis=2))],
        axis=1,
    )
    labels = dataset.labels.numpy()
    num_classes = len(dataset.class_names)
    right = 0
    for fold in folds:
        train, test = np.array(fold.train), np.array(fold.test)
        width = np.median(_squares(features[train], features[train]))
        targets = np.eye(num_classes)[labels[train]]
        kernel = np.exp(-_squares(features[train], features[train]) / width)
        weights = np.linalg.solve(kernel + _RIDGE * np.eye(len(train)), targets)
        scores = np.exp(-_squares(features[test], features[train]) / width) @ weights
        right += int((scores.argmax(axis=1) == labels[test]).sum())
    return right / sum(len(fold.test) for fold in folds)


def _squares(
    one: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return all squared distances between the rows of two tables."""
    lengths = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None]
    return np.maximum(lengths - 2 * one @ other.T, 0)
