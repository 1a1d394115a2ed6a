import pytest
import torch


def rows(examples: torch.Tensor) -> set[tuple[float, ...]]:
    return {tuple(row) for row in examples.tolist()}


def test_the_validation_task_splits_the_training_examples_only(task):
    split = task.validation_task(60, seed=3)
    kept, held_out = rows(split.train_examples), rows(split.test_examples)
    assert len(held_out) == 60
    assert not kept & held_out
    assert kept | held_out == rows(task.train_examples)
    assert not (kept | held_out) & rows(task.test_examples)


def test_examples_keep_their_labels_when_split(task):
    label_of = dict(
        zip(
            map(tuple, task.train_examples.tolist()),
            task.train_labels.tolist(),
            strict=True,
        )
    )
    split = task.validation_task(60, seed=3)
    for row, label in zip(
        split.test_examples.tolist(), split.test_labels.tolist(), strict=True
    ):
        assert label_of[tuple(row)] == label


def test_the_split_is_a_function_of_the_seed(task):
    first, same, other = (task.validation_task(60, seed) for seed in (3, 3, 4))
    assert torch.equal(first.test_examples, same.test_examples)
    assert not torch.equal(first.test_examples, other.test_examples)


@pytest.mark.parametrize("number", [0, 300])
def test_refuses_a_split_with_an_empty_side(task, number):
    with pytest.raises(ValueError, match=f"between 1 and 299, got {number}"):
        task.validation_task(number, seed=0)
