import pytest

from cocodesign.skeleton import (
    FineToCoarse,
    Recognizer,
    SkeletonDataset,
    compare_variants,
)
from cocodesign.skeleton.comparison import VariantComparison
from cocodesign.skeleton.outcomes import Answer, Evaluation


def evaluation(variant: str, wrong: set[int], damaged: int = 0) -> Evaluation:
    """Return two seeds' answers on ten clips of class 1; a damage costs some more."""
    answers = [
        Answer(seed, "fold", clip, label=1, answer=int(clip not in wrong))
        for seed in (0, 1)
        for clip in range(10)
    ]
    if damaged:
        answers += [
            Answer(seed, "fold", clip, 1, int(clip >= damaged + len(wrong)), "an arm")
            for seed in (0, 1)
            for clip in range(10)
        ]
    return Evaluation("some", variant, 2, 1000, 1.0, tuple(answers))


@pytest.fixture
def comparison(two_moves: SkeletonDataset) -> VariantComparison:
    layout = two_moves.layout
    return VariantComparison(
        (
            evaluation("fine_to_coarse", {0}, damaged=2),
            evaluation("flat", {0, 1, 2}),
        ),
        Recognizer(FineToCoarse(layout, 2).eval(), layout, two_moves.class_names),
        two_moves,
    )


def test_metrics_have_a_value_per_seed_and_intervals_their_ends(comparison) -> None:
    metrics = comparison.metrics()
    assert metrics["accuracy_fine_to_coarse"].values == (0.9, 0.9)
    assert metrics["accuracy_flat"].median == pytest.approx(0.7)
    assert metrics["parameters_fine_to_coarse"].median == 1000
    assert metrics["loss_an_arm"].median == pytest.approx(0.2)
    low, mean, high = metrics["advantage_over_flat"].values
    assert mean == pytest.approx(0.2)
    assert low <= mean <= high


def test_tables_have_columns_of_one_length(comparison) -> None:
    tables = comparison.tables()
    assert set(tables) == {"accuracies", "advantages", "losses", "confusion"}
    for table in tables.values():
        assert len({len(column) for column in table.values()}) == 1
    assert tables["accuracies"]["variant"] == ["fine_to_coarse"] * 2 + ["flat"] * 2
    assert tables["confusion"]["count"] == [2, 18]


def test_an_unknown_ablation_is_refused(two_moves: SkeletonDataset) -> None:
    with pytest.raises(ValueError, match="'flatt'"):
        compare_variants(two_moves, seeds=(0,), ablations=["flatt"])


def test_a_data_set_without_protocol_is_refused(two_moves: SkeletonDataset) -> None:
    with pytest.raises(ValueError, match="no official protocol"):
        compare_variants(two_moves, seeds=(0,))
