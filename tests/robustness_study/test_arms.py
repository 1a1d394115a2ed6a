"""Three networks at equal bytes: made, judged, told."""

import dataclasses

import pytest
import torch

from cocodesign.data.images import ImageClassification, LabelledImages
from cocodesign.robustness import Ball
from cocodesign.robustness.defences import Undefended
from cocodesign.robustness_study.arms import Plan, make_arms
from cocodesign.robustness_study.experiment import (
    ADVERSARIAL,
    NATURAL,
    Judging,
    compare_arms,
    defences_of,
)
from cocodesign.robustness_study.pictures import Pictures, divide
from cocodesign.robustness_study.tables import study_metrics, study_tables
from tests.robustness.stripes import stripes

BALL = Ball("linf", 0.08)
PLAN = Plan(
    channels=8,
    num_hidden=64,
    num_steps=30,
    num_more_steps=30,
    mini_batch_size=32,
    learning_rate=5e-3,
    density=0.15,
    learns_scores=False,
    ratio=10.0,
)
JUDGING = Judging(
    ball=BALL,
    num_attack_steps=5,
    num_restarts=2,
    radii=(0.04, 0.08),
    num_curve_steps=5,
    num_masking_pictures=16,
    num_queries=20,
)


def dataset() -> ImageClassification:
    """Return striped pictures as a data set has them."""

    def split(num: int, seed: int) -> LabelledImages:
        images, labels = stripes(num, seed)
        return LabelledImages((255 * images).to(torch.uint8), labels)

    return ImageClassification("stripes", split(256, 0), split(64, 1), tuple("abcd"))


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return divide(dataset(), 192, 64)


@pytest.mark.slow
@pytest.mark.parametrize("learns_scores", [False, True])
def test_the_arms_have_the_bytes_they_should(
    learns_scores: bool, pictures: Pictures
) -> None:
    plan = dataclasses.replace(PLAN, learns_scores=learns_scores)
    arms = make_arms(plan, pictures, Undefended(), seed=0)
    assert list(arms) == ["dense", "compressed", "compact"]
    dense, compressed, compact = arms.values()
    assert dense.file_bytes == 4 * sum(
        each.numel() for each in dense.network.parameters()
    )
    assert 10 <= dense.file_bytes / compressed.file_bytes < 11.5
    assert 0.3 * compressed.file_bytes < compact.file_bytes <= compressed.file_bytes
    pruned, whole = (
        (arm.network.get_parameter("linear1.weight") == 0).double().mean().item()
        for arm in (compressed, compact)
    )
    assert pruned > 0.7 > whole


@pytest.mark.slow
def test_a_study_tells_every_seed_and_training(pictures: Pictures) -> None:
    defences = defences_of(BALL, "pgd", 1)
    outcomes = list(compare_arms(PLAN, pictures, defences, JUDGING, seeds=(0, 1)))
    assert [(each.seed, each.training) for each in outcomes] == [
        (seed, training) for seed in (0, 1) for training in (NATURAL, ADVERSARIAL)
    ]
    metrics = study_metrics(outcomes)
    defended = outcomes[1].robustness
    assert metrics["robust_drop"].values[0] == pytest.approx(
        100
        * (defended["dense"].robust_accuracy - defended["compressed"].robust_accuracy)
    )
    tables = study_tables(outcomes, JUDGING)
    assert len(tables["arms"]["arm"]) == 2 * 2 * 3
    assert len(tables["curves"]["accuracy"]) == 2 * 2 * 3 * 3
    assert len(tables["masking"]["seed"]) == 2  # after adversarial training only
    transfer = outcomes[1].transfer
    for name, found in defended.items():
        assert transfer[name, name] == found.robust_accuracy
    assert set(transfer) == {(one, other) for one in defended for other in defended}
    assert "compressed" in outcomes[0].summary


def test_a_ratio_out_of_reach_is_refused_with_what_can_be_reached(
    pictures: Pictures,
) -> None:
    plan = dataclasses.replace(PLAN, ratio=1e6, num_steps=1, num_more_steps=2)
    with pytest.raises(ValueError, match=r"cannot reach 0 bytes, at least \d+"):
        make_arms(plan, pictures, Undefended(), seed=0)


def test_more_pictures_than_there_are_are_refused() -> None:
    with pytest.raises(ValueError, match="300 training and 1 test pictures are wanted"):
        divide(dataset(), 300, 1)


def test_every_pass_shows_every_picture_once(pictures: Pictures) -> None:
    batches = pictures.batches(0, 64)
    seen = torch.cat([next(batches)[0] for _ in range(3)]).flatten(1)
    expected = pictures.train[0].flatten(1)
    assert torch.equal(seen.unique(dim=0), expected.unique(dim=0))
