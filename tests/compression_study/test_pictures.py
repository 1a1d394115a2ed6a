import pytest
import torch

from cocodesign.compression_study import Pictures
from cocodesign.compression_study.pictures import enlarge
from cocodesign.data.images import ImageClassification, LabelledImages
from tests.tolerances import assert_close


@pytest.fixture
def dataset() -> ImageClassification:
    generator = torch.Generator().manual_seed(0)
    splits = [
        LabelledImages(
            torch.randint(0, 256, (size, 1, 28, 28), generator=generator).byte(),
            torch.arange(size) % 3,
        )
        for size in (200, 50)
    ]
    return ImageClassification("noise", *splits, class_names=("a", "b", "c"))


def choose(dataset: ImageClassification, **numbers: int) -> Pictures:
    given = {"num_train": 150, "num_validation": 30, "num_test": 20, **numbers}
    return Pictures.of(dataset, device=torch.device("cpu"), **given)


def test_no_picture_both_teaches_and_chooses(dataset: ImageClassification) -> None:
    pictures = choose(dataset)
    assert [len(each[1]) for each in (pictures.train, pictures.validation)] == [120, 30]
    assert len(pictures.test[1]) == 20
    taught = {tuple(each.flatten().tolist()) for each in pictures.train[0]}
    assert not any(
        tuple(each.flatten().tolist()) in taught for each in pictures.validation[0]
    )


def test_an_epoch_shows_no_picture_twice(dataset: ImageClassification) -> None:
    first, _ = next(choose(dataset).batches(0))
    assert first.shape == (64, 3, 64, 64)
    assert len({tuple(each.flatten().tolist()) for each in first}) == 64


def test_batches_depend_on_the_seed_alone(dataset: ImageClassification) -> None:
    pictures = choose(dataset)
    assert torch.equal(next(pictures.batches(1))[0], next(pictures.batches(1))[0])
    assert not torch.equal(next(pictures.batches(1))[0], next(pictures.batches(2))[0])


def test_enlarging_keeps_a_plain_picture_plain() -> None:
    enlarged = enlarge(torch.full((1, 1, 28, 28), 0.3))
    assert_close(enlarged, torch.full_like(enlarged, 0.3))


@pytest.mark.parametrize(
    "numbers", [{"num_train": 999}, {"num_validation": 150}, {"num_test": 0}]
)
def test_refuses_more_pictures_than_there_are(
    dataset: ImageClassification, numbers: dict[str, int]
) -> None:
    with pytest.raises(ValueError, match="num_"):
        choose(dataset, **numbers)
