"""The order of scored trials: what every measure starts from.

Among equal scores the negatives come first. The order in the file then cannot help, and
a detector that says the same of every clip gets what it deserves.
"""

import numpy as np
from numpy.typing import NDArray


def rank_trials(
    scores: NDArray[np.floating], labels: NDArray[np.integer]
) -> NDArray[np.intp]:
    """Order the trials of one event, the best first.

    Args:
        scores: Larger is likelier. NaN stands for a clip that could not be decoded: it
            comes last, and stays in the list.
        labels: 1, 0 or -1; they only break ties.

    Returns:
        Indices.

    Example:
        >>> rank_trials(np.array([0.2, np.nan, 0.9, 0.9]), np.array([1, 1, 1, 0]))
        array([3, 2, 0, 1])
    """
    lowest_for_nan = np.where(np.isnan(scores), -np.inf, scores)
    return np.lexsort((labels, -lowest_for_nan))
