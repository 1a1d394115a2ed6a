"""How well tracks agree with given ones: CLEAR MOT and IDF1."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from cocodesign.video.boxes import overlaps


@dataclass(frozen=True)
class NumberedBoxes:
    """The boxes of one frame.

    Attributes:
        numbers: Whose box it is; each at most once.
        boxes: ``x_start y_start x_end y_end`` in pixels.
    """

    numbers: Int[np.ndarray, " box"]
    boxes: Float[np.ndarray, "box 4"]


@dataclass(frozen=True)
class TrackingScore:
    """What ``score_tracks`` counts.

    Attributes:
        num_given: Boxes that are there.
        num_missed: Of these, those that no track covers.
        num_false: Boxes of tracks where none is.
        num_switches: How often a given object is found by another track than before.
        num_identified: Pairs of boxes under the best one-to-one pairing of tracks
            with given objects over the whole video.
        num_found: Boxes of tracks.
    """

    num_given: int
    num_missed: int
    num_false: int
    num_switches: int
    num_identified: int
    num_found: int

    @property
    def mota(self) -> float:
        """``1 - (misses + false boxes + switches) / given``: at most 1, also negative.

        Bernardin and Stiefelhagen 2008, "Evaluating Multiple Object Tracking
        Performance: The CLEAR MOT Metrics", Section 2.1.
        """
        wrong = self.num_missed + self.num_false + self.num_switches
        return 1 - wrong / self.num_given

    @property
    def idf1(self) -> float:
        """``2 identified / (given + found)``, from 0 to 1.

        Ristani et al. 2016, "Performance Measures and a Data Set for Multi-Target,
        Multi-Camera Tracking" (arXiv:1609.01775), Section 4.
        """
        return 2 * self.num_identified / (self.num_given + self.num_found)


def score_tracks(
    found: Sequence[NumberedBoxes],
    given: Sequence[NumberedBoxes],
    *,
    min_overlap: float = 0.5,
) -> TrackingScore:
    """Compare tracks with given ones, frame by frame.

    A pair of the frame before stays a pair as long as it overlaps enough; the rest is
    paired so that the overlap is largest.

    Args:
        found: The tracks, one entry a frame.
        given: What is there, one entry a frame.
        min_overlap: Intersection over union that makes a match, in (0, 1].

    Returns:
        The counts.

    Raises:
        ValueError: If the numbers of frames differ, nothing is given, or
            ``min_overlap`` is out of range.
    """
    if len(found) != len(given):
        raise ValueError(f"{len(found)} frames have tracks, {len(given)} are given")
    if not 0 < min_overlap <= 1:
        raise ValueError(f"min_overlap must be in (0, 1], got {min_overlap}")
    num_given = sum(len(each.numbers) for each in given)
    if not num_given:
        raise ValueError("without a given box there is no score")
    last_of: dict[int, int] = {}  # the track that found each given object last
    before: dict[int, int] = {}  # the pairs of the frame before
    num_missed = num_false = num_switches = 0
    for ours, theirs in zip(found, given, strict=True):
        pairs = _pairs(ours, theirs, before, min_overlap)
        num_missed += len(theirs.numbers) - len(pairs)
        num_false += len(ours.numbers) - len(pairs)
        num_switches += sum(
            number in last_of and last_of[number] != track
            for number, track in pairs.items()
        )
        last_of |= pairs
        before = pairs
    return TrackingScore(
        num_given=num_given,
        num_missed=num_missed,
        num_false=num_false,
        num_switches=num_switches,
        num_identified=_num_identified(found, given, min_overlap),
        num_found=sum(len(each.numbers) for each in found),
    )


def _pairs(
    ours: NumberedBoxes,
    theirs: NumberedBoxes,
    before: dict[int, int],
    min_overlap: float,
) -> dict[int, int]:
    """Pair given objects with tracks in one frame."""
    overlap = overlaps(theirs.boxes, ours.boxes)
    worth = np.where(overlap >= min_overlap, overlap, 0.0)
    for row, number in enumerate(theirs.numbers.tolist()):
        kept = (ours.numbers == before.get(number, -1)) & (worth[row] > 0)
        worth[row, kept] += len(worth) + 1  # more than all others together
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return {
        int(theirs.numbers[row]): int(ours.numbers[column])
        for row, column in zip(rows, columns, strict=True)
        if worth[row, column] > 0
    }


def _num_identified(
    found: Sequence[NumberedBoxes], given: Sequence[NumberedBoxes], min_overlap: float
) -> int:
    ours = sorted({n for each in found for n in each.numbers.tolist()})
    theirs = sorted({n for each in given for n in each.numbers.tolist()})
    together = np.zeros((len(theirs), len(ours)), int)
    for our, their in zip(found, given, strict=True):
        rows, columns = np.nonzero(overlaps(their.boxes, our.boxes) >= min_overlap)
        np.add.at(
            together,
            (
                np.searchsorted(theirs, their.numbers[rows]),
                np.searchsorted(ours, our.numbers[columns]),
            ),
            1,
        )
    rows, columns = linear_sum_assignment(together, maximize=True)
    return int(together[rows, columns].sum())
