import dataclasses

import pytest
import torch
from torch import nn

from cocodesign.data import ImageClassification
from cocodesign.data.images import LabelledImages
from cocodesign.studies.task import MemoryTask, Task


@pytest.fixture(scope="module")
def dataset() -> ImageClassification:
    """Ten training images of two pixels that hold their own index, and four more."""

    def images(first: int, number: int) -> LabelledImages:
        index = torch.arange(first, first + number, dtype=torch.uint8)
        return LabelledImages(
            index.reshape(-1, 1, 1, 1).repeat(1, 1, 1, 2), index.long()
        )

    return ImageClassification("any", images(0, 10), images(10, 4), ("one",) * 14)


def test_validation_images_follow_the_training_images(dataset):
    task = MemoryTask.of_images(dataset, 6, 3)
    assert task.num_train == 6
    assert task.train_labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert task.validation_labels.tolist() == [6, 7, 8]
    assert task.test_labels.tolist() == [10, 11, 12, 13]


def test_images_are_standardised_by_all_training_images(dataset):
    task = MemoryTask.of_images(dataset, 6, 4)
    both = torch.cat([task.train_examples, task.validation_examples])
    torch.testing.assert_close(both.mean(), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(both.std(correction=0), torch.tensor(1.0))


@pytest.mark.parametrize(("num_train", "num_validation"), [(0, 1), (1, 0), (8, 3)])
def test_refuses_more_images_than_there_are(dataset, num_train, num_validation):
    with pytest.raises(ValueError, match=f"most 10, got {num_train} and"):
        MemoryTask.of_images(dataset, num_train, num_validation)


def test_a_task_in_memory_is_a_task(task):
    assert isinstance(task, Task)


def test_full_batches_hold_every_example(task):
    _, labels = next(task.stream(task.num_train, seed=0))
    assert labels.sort().values.tolist() == task.train_labels.sort().values.tolist()


def test_a_stream_is_a_function_of_the_seed(task):
    labels = [next(task.stream(50, seed))[1].tolist() for seed in (1, 1, 2)]
    assert labels[0] == labels[1]
    assert labels[0] != labels[2]


def test_erasing_changes_training_pictures_and_no_others(dataset):
    plain = MemoryTask.of_images(dataset, 6, 3)
    pictures = plain.train_examples.repeat(1, 1, 8, 4)
    task = dataclasses.replace(plain, train_examples=pictures, erases=True)
    stream = task.stream(6, seed=0)
    num_kept = 0
    for _ in range(20):
        images, labels = next(stream)
        whole = (images == pictures[labels]).flatten(1).all(1)
        blank = (images == 0) & (pictures[labels] != 0)
        assert torch.equal(images, pictures[labels].masked_fill(blank, 0.0))
        num_kept += int(whole.sum())
    assert 30 < num_kept < 90  # of 120
    first, again = (next(task.stream(6, seed=0))[0] for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(task.validation_examples, plain.validation_examples)


def test_each_split_is_judged_on_its_own_examples(task):
    model = nn.Linear(5, 3)
    for split, examples, labels in (
        ("validation", task.validation_examples, task.validation_labels),
        ("test", task.test_examples, task.test_labels),
    ):
        hits = sum(
            int(model(x).argmax()) == y
            for x, y in zip(examples, labels.tolist(), strict=True)
        )
        assert task.accuracy(model, split) == pytest.approx(hits / len(labels))
