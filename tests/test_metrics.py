import pytest
import torch

from cocodesign.metrics import accuracy


@pytest.mark.parametrize("top", [1, 2, 5])
def test_accuracy_counts_labels_among_the_best_scores(top):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(40, 5, generator=generator)
    labels = torch.randint(5, (40,), generator=generator)
    hits = sum(
        label in sorted(range(5), key=lambda k: -row[k])[:top]
        for row, label in zip(scores.tolist(), labels.tolist(), strict=True)
    )
    assert accuracy(scores, labels, top) == hits / 40


@pytest.mark.parametrize("top", [0, 4])
def test_refuses_a_rank_that_does_not_exist(top):
    with pytest.raises(ValueError, match="top must lie between 1 and the 3 classes"):
        accuracy(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64), top)


def test_refuses_to_judge_nothing():
    with pytest.raises(ValueError, match="no examples"):
        accuracy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
