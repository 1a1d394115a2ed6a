"""Whether probabilities and evidence can be trusted, measured on composed clips.

Probabilities are compared with how often events really occur. Evidence is deleted: if a
detection rests on the frames that are named, it must not survive without them, and must
survive without as many others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocodesign.events.calibration import (
    Calibration,
    expected_calibration_error,
    tail_calibration_error,
)
from cocodesign.events.concept_space import ConceptSpace
from cocodesign.events.explanation import Score, explain, score_frames
from cocodesign.events.fusion import FusedDetector
from cocodesign.events.index import ClipIndex
from cocodesign.events.kits import EventKit
from cocodesign.events.outcomes import Protocol
from cocodesign.events.pooling import PooledClips, pool_clips
from cocodesign.events.protocol import ClipSets
from cocodesign.events.zero_shot import Background, ZeroShotDetector

_DETECTED = 0.5  # a probability from which on there is something to explain


@dataclass(frozen=True)
class ProbabilityExamination:
    """Probabilities beside frequencies.

    Attributes:
        error: Expected calibration error over all clips and events.
        tail_error: The same over the predictions above 0.1; ``None`` without any.
        probabilities: One per clip and event.
        labels: 1 where the clip shows the event.
    """

    error: float
    tail_error: float | None
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int8]


@dataclass(frozen=True)
class EvidenceExamination:
    """What detected clips lose without some of their frames.

    Attributes:
        named_cost: Share of the probability that is lost without the named frames.
        random_cost: The same without as many random ones.
        named_score_cost: Share of the zero-shot score that is lost.
        random_score_cost: The same without random frames.
        num_clips: How many clips were detected, and are averaged over.
    """

    named_cost: float
    random_cost: float
    named_score_cost: float
    random_score_cost: float
    num_clips: int


@dataclass(frozen=True)
class _Judged:
    """A calibrated detector and the labels of the test clips."""

    detector: FusedDetector
    calibration: Calibration
    labels: NDArray[np.int8]


def examine_probabilities(
    sets: ClipSets,
    clips: PooledClips,
    kits: Sequence[EventKit],
    space: ConceptSpace,
    *,
    protocol: Protocol = "shared",
    num_examples: int = 5,
) -> ProbabilityExamination:
    """Compare probabilities with frequencies on the test clips.

    The calibration knows how often events occur, and nothing else of the test clips.

    Args:
        sets: The recipes; they know the labels.
        clips: What all clips show.
        kits: The events.
        space: The concepts.
        protocol: Where examples come from.
        num_examples: How many per event.

    Returns:
        The comparison.
    """
    test = clips.select([clip.id for clip in sets.test])
    judged = list(_calibrate(sets, clips, kits, space, protocol, num_examples))
    probabilities = np.concatenate(
        [each.calibration.probability(each.detector.score(test)) for each in judged]
    )
    labels = np.concatenate([each.labels for each in judged])
    return ProbabilityExamination(
        expected_calibration_error(probabilities, labels),
        tail_calibration_error(probabilities, labels),
        probabilities,
        labels,
    )


def examine_evidence(
    sets: ClipSets,
    index: ClipIndex,
    kits: Sequence[EventKit],
    space: ConceptSpace,
    *,
    protocol: Protocol = "shared",
    num_examples: int = 5,
    num_frames: int = 3,
    seed: int = 0,
) -> EvidenceExamination | None:
    """Delete the frames that are named as evidence, and random ones.

    Args:
        sets: The recipes; they know the labels.
        index: Holds all clips.
        kits: The events.
        space: The concepts.
        protocol: Where examples come from.
        num_examples: How many per event.
        num_frames: How many frames are deleted.
        seed: Of the random ones.

    Returns:
        Means over the positives with a probability of half or more; ``None`` if there
        is none.
    """
    clips = pool_clips(index)
    by_id = {clip.id: clip for clip in index.clips}
    random = np.random.default_rng(seed)
    costs: list[tuple[float, float, float, float]] = []
    for each in _calibrate(sets, clips, kits, space, protocol, num_examples):
        detector = each.detector

        def probability(
            clips: PooledClips, each: _Judged = each
        ) -> NDArray[np.floating]:
            return each.calibration.probability(each.detector.score(clips))

        for shows, recipe in zip(each.labels, sets.test, strict=True):
            clip = by_id[recipe.id]
            frames = list(range(len(clip.times_s)))
            if not shows or len(frames) <= num_frames:
                continue
            if score_frames(index, clip, frames, probability) < _DETECTED:
                continue
            evidence = explain(
                index, clip, detector.score, detector.zero_shot, space,
                num_frames=num_frames,
            )  # fmt: skip
            named = {found.frame_index for found in evidence}
            drawn = set(random.permutation(len(frames))[:num_frames].tolist())
            lost: list[float] = []
            scores: tuple[Score, Score] = (probability, detector.zero_shot.score)
            for score in scores:
                whole = score_frames(index, clip, frames, score)
                lost += [
                    1 - score_frames(index, clip, _without(frames, left), score) / whole
                    for left in (named, drawn)
                ]
            costs.append((lost[0], lost[1], lost[2], lost[3]))
    if not costs:
        return None
    named_p, random_p, named_s, random_s = map(float, np.mean(costs, 0))
    return EvidenceExamination(named_p, random_p, named_s, random_s, len(costs))


def _calibrate(
    sets: ClipSets,
    clips: PooledClips,
    kits: Sequence[EventKit],
    space: ConceptSpace,
    protocol: Protocol,
    num_examples: int,
) -> Iterator[_Judged]:
    test = clips.select([clip.id for clip in sets.test])
    negatives = clips.select([clip.id for clip in sets.background])
    background = Background.measure(negatives)
    for kit in kits:
        labels = np.array([clip.event == kit.id for clip in sets.test]).astype(np.int8)
        mine = [clip.id for clip in sets.examples[protocol] if clip.event == kit.id]
        zero_shot = ZeroShotDetector.from_kit(kit, space, background).refine(test)
        detector = FusedDetector.train(
            zero_shot, clips.select(mine[:num_examples]), negatives, test
        )
        calibration = Calibration.fit(
            detector.example_scores,
            detector.background_scores,
            share=float(labels.mean()),
        )
        yield _Judged(detector, calibration, labels)


def _without(frames: Sequence[int], left_out: set[int]) -> list[int]:
    return [frame for frame in frames if frame not in left_out]
