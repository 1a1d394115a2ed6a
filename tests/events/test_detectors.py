"""Zero-shot, few-shot and their fusion on clips with known contents."""

import numpy as np
import pytest

from cocodesign.events import FewShotDetector, FusedDetector, ZeroShotDetector
from cocodesign.events.few_shot import _describe
from cocodesign.events.pooling import PooledClips, join_clips
from cocodesign.events.reference import reference_fusion
from cocodesign.events.scoring import average_precision
from cocodesign.events.zero_shot import Background

RAISED = (3, 7)


def zero_shot_detector(background, concepts=RAISED):
    weights = np.zeros(40, np.float32)
    weights[list(concepts)] = 1 / len(concepts)
    return ZeroShotDetector(weights, background)


@pytest.fixture
def negatives(make_clips):
    return make_clips(60, seed=1)


@pytest.fixture
def background(negatives):
    return Background.measure(negatives)


@pytest.fixture
def test_clips(make_clips):
    """Eight clips of the event before ninety others."""
    return make_clips(98, raised=RAISED, num_raised=8, shift=3, seed=2)


LABELS = np.repeat([1, 0], [8, 90])


def test_zero_shot_ranks_by_unusual_concepts_of_the_event(background, test_clips):
    detector = zero_shot_detector(background)
    assert average_precision(detector.score(test_clips), LABELS) > 0.95
    parts = detector.parts(test_clips.peaks)
    np.testing.assert_allclose(parts.sum(1), detector.score(test_clips), rtol=1e-4)


def test_feedback_finds_concepts_that_no_phrase_named(background, test_clips):
    detector = zero_shot_detector(background, concepts=[3, 11])
    refined = detector.refine(test_clips)
    assert refined.concept_weights[7] > 0.05
    assert refined.concept_weights.sum() == pytest.approx(1, abs=1e-4)


def test_feedback_needs_decoded_clips_and_more_than_a_few(background, test_clips):
    detector = zero_shot_detector(background)
    nothing = test_clips.take(np.arange(6))
    unknown = PooledClips(
        nothing.ids, nothing.peaks * np.nan, nothing.means, nothing.features
    )
    assert detector.refine(unknown) is detector
    few = join_clips([unknown, test_clips.take(np.array([0, 1, 20, 21]))])
    refined = detector.refine(few)
    assert refined.concept_weights.sum() == pytest.approx(1, abs=1e-4)


def test_a_clip_without_frames_has_no_score(background, test_clips):
    nothing = PooledClips(
        ("x",), *(np.full_like(each[:1], np.nan) for each in
                  (test_clips.peaks, test_clips.means, test_clips.features))
    )  # fmt: skip
    scores = zero_shot_detector(background).score(join_clips([nothing, test_clips]))
    assert np.isnan(scores).tolist() == [True] + [False] * 98


def test_left_out_scores_are_those_of_detectors_without_the_clip(
    make_clips, negatives, background
):
    positives = make_clips(4, raised=RAISED, num_raised=4, seed=5)
    found = FewShotDetector.train(positives, negatives, background, regularisation=0.1)
    x = _describe(join_clips([positives, negatives]), background).astype(float)
    y = np.repeat([1.0, -1.0], [4, 60])
    for left_out in (0, 3, 4, 63):
        weights = np.repeat([0.5 / 4, 0.5 / 60], [4, 60])
        weights[left_out] = 0  # the minimum of the sum without its term
        normal = (x.T * weights) @ x + 0.1 * np.eye(x.shape[1])
        expected = x[left_out] @ np.linalg.solve(normal, x.T @ (weights * y))
        scores = np.concatenate([found.positive_scores, found.negative_scores])
        assert scores[left_out] == pytest.approx(expected, abs=1e-4)


def test_pseudo_samples_lose_their_say_to_real_ones(make_clips, negatives, background):
    pseudo = make_clips(5, raised=[20], num_raised=5, seed=6)
    probe = make_clips(1, raised=[20], num_raised=1, seed=7)
    influence = []
    for number in (1, 8):
        positives = make_clips(number, raised=RAISED, num_raised=number, seed=8)
        plain = FewShotDetector.train(positives, negatives, background)
        with_pseudo = FewShotDetector.train(
            positives, negatives, background, pseudo_positives=pseudo
        )
        influence.append(with_pseudo.score(probe)[0] - plain.score(probe)[0])
    assert influence[0] > 1.5 * influence[1] > 0


def test_a_detector_needs_examples_of_both_kinds(make_clips, negatives, background):
    with pytest.raises(ValueError, match="0 and 60"):
        FewShotDetector.train(negatives.select([]), negatives, background)
    with pytest.raises(ValueError, match="must be positive, got 0"):
        FewShotDetector.train(make_clips(1), negatives, background, regularisation=0.0)


@pytest.mark.parametrize("number", [1, 2, 5, 10])
def test_fusing_beats_the_description_where_examples_transfer(
    number, make_clips, negatives, background, test_clips
):
    # A description that names one right and three wrong concepts.
    zero_shot = zero_shot_detector(background, concepts=[3, 11, 12, 13])
    positives = make_clips(number, raised=RAISED, num_raised=number, shift=3, seed=11)
    fused = FusedDetector.train(zero_shot, positives, negatives, test_clips)
    found = average_precision(fused.score(test_clips), LABELS)
    assert found >= average_precision(zero_shot.score(test_clips), LABELS)


def test_without_examples_fusing_changes_no_rank(
    make_clips, negatives, background, test_clips
):
    zero_shot = zero_shot_detector(background)
    fused = FusedDetector.train(zero_shot, make_clips(0), negatives, test_clips)
    assert (fused.few_shot, fused.adapted) == (None, None)
    alone = zero_shot.score(test_clips)
    np.testing.assert_array_equal(
        np.argsort(alone, kind="stable"),
        np.argsort(fused.score(test_clips), kind="stable"),
    )


@pytest.mark.parametrize("number", [1, 10])
def test_examples_that_do_not_transfer_cost_little(
    number, make_clips, negatives, background, test_clips
):
    zero_shot = zero_shot_detector(background)
    elsewhere = make_clips(number, raised=[20, 21], num_raised=number, seed=12)
    fused = FusedDetector.train(zero_shot, elsewhere, negatives, test_clips)
    few = FewShotDetector.train(elsewhere, negatives, background)
    alone = average_precision(zero_shot.score(test_clips), LABELS)
    assert average_precision(few.score(test_clips), LABELS) < alone / 2
    assert average_precision(fused.score(test_clips), LABELS) > alone - 0.02


def test_scores_of_examples_are_not_those_that_they_taught(
    make_clips, negatives, background, test_clips
):
    positives = make_clips(3, raised=RAISED, num_raised=3, shift=3, seed=11)
    fused = FusedDetector.train(
        zero_shot_detector(background), positives, negatives, test_clips
    )
    assert fused.example_scores.shape == (3,)
    assert (fused.example_scores < fused.score(positives)).all()
    assert fused.background_scores.shape == (60,)
    assert fused.example_scores.min() > fused.background_scores.max()


def test_a_large_collection_is_sampled(make_clips, negatives, background):
    large = make_clips(5000, raised=RAISED, num_raised=8, shift=3, seed=2)
    positives = make_clips(2, raised=RAISED, num_raised=2, shift=3, seed=11)
    fused = FusedDetector.train(
        zero_shot_detector(background), positives, negatives, large
    )
    labels = np.repeat([1, 0], [8, 4992])
    assert average_precision(fused.score(large), labels) > 0.95
    assert fused.few_shot is not None
    assert len(fused.few_shot.negative_scores) == 60 + 1000


def test_a_clip_without_frames_is_in_the_collection_and_scored_as_unknown(
    make_clips, negatives, background, test_clips
):
    nothing = test_clips.take(np.array([0]))
    nothing = PooledClips(
        ("x",), nothing.peaks * np.nan, nothing.means, nothing.features
    )
    collection = join_clips([nothing, test_clips])
    positives = make_clips(2, raised=RAISED, num_raised=2, shift=3, seed=11)
    fused = FusedDetector.train(
        zero_shot_detector(background), positives, negatives, collection
    )
    assert np.isnan(fused.score(collection)).tolist() == [True] + [False] * 98
    with pytest.raises(ValueError, match="got 1"):
        FusedDetector.train(
            zero_shot_detector(background),
            positives,
            negatives,
            collection.take(np.array([0, 1])),
        )


def test_the_reference_adds_normalised_scores():
    found = reference_fusion(np.array([0.0, 2.0]), np.array([5.0, 1.0]), weight=0.25)
    assert found.tolist() == pytest.approx([-0.5, 0.5])


def test_a_background_needs_two_clips(make_clips):
    with pytest.raises(ValueError, match="got 1"):
        Background.measure(make_clips(1))
