"""Banks and spaces from the weights, where they are in the cache."""

import pytest
import torch

from cocodesign.data.fetching import cached_dataset
from cocodesign.errors import DataUnavailableError
from cocodesign.events.banks import Concept, ConceptBank
from cocodesign.events.opening import open_banks, open_space


@pytest.fixture
def folder_of():
    def find(name: str):
        try:
            return cached_dataset(name)
        except DataUnavailableError as error:
            pytest.skip(str(error))

    return find


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count", "width"), [("imagenet", 1000, 1280), ("coco", 80, 0)]
)
def test_a_bank_scores_every_concept_between_0_and_1(
    name, count, width, folder_of
) -> None:
    (bank,) = open_banks([name], folder_of, num_threads=1)
    assert isinstance(bank, ConceptBank)
    assert (bank.name, len(bank.concepts), bank.num_features) == (name, count, width)
    random = torch.Generator().manual_seed(0)
    frame = torch.randint(256, (90, 160, 3), generator=random).to(torch.uint8)
    output = bank(frame)
    assert output.scores.shape == (count,)
    assert output.features.shape == (width,)
    assert 0 <= output.scores.min() <= output.scores.max() <= 1


@pytest.mark.slow
def test_the_banks_mean_the_objects_they_find(folder_of) -> None:
    (bank,) = open_banks(["coco"], folder_of, num_threads=1)
    mouse = next(each for each in bank.concepts if each.name == "mouse")
    space = open_space([mouse, Concept("cheese")], folder_of)
    device, rodent = space.encoder.encode(["computer device", "small rodent"]).numpy()
    assert space.vectors[0] @ device > space.vectors[0] @ rodent


def test_banks_that_are_not_there_are_named(folder_of) -> None:
    with pytest.raises(ValueError, match="banks are imagenet, coco"):
        open_banks(["clap"], folder_of)
    with pytest.raises(ValueError, match="banks are imagenet, coco"):
        open_banks([], folder_of)
