import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.training import BatchStream
from cocodesign.training.augmentation import AugmentedStream, random_erasing


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(seed=st.integers(0, 1000), height=st.integers(8, 20), width=st.integers(8, 20))
def test_what_is_erased_is_one_rectangle_of_a_fitting_area(seed, height, width):
    high = 0.25 * min(width / height, 1) * min(height / width, 1)  # fits in any case
    pictures = torch.ones(3, 2, height, width)
    erased = random_erasing(
        pictures, generator(seed), probability=1.0, area_fraction=(0.02, high)
    )
    for picture in erased:
        assert torch.equal(picture[0], picture[1])  # the same in all channels
        rows, columns = (picture[0] == 0).nonzero(as_tuple=True)
        if len(rows) == 0:
            continue  # a rectangle may round to nothing
        num_rows = int(rows.max() - rows.min()) + 1
        num_columns = int(columns.max() - columns.min()) + 1
        assert len(rows) == num_rows * num_columns
        # Rounding moves each side by half a pixel at most.
        assert (num_rows - 0.5) * (num_columns - 0.5) <= high * height * width
        assert num_rows <= num_columns + 1  # lying: the ratio is at most 1


def test_about_half_of_the_pictures_are_erased_and_the_input_stays():
    pictures = torch.ones(400, 1, 28, 28)
    erased = random_erasing(pictures, generator())
    share = (erased.flatten(1).min(1).values == 0).double().mean().item()
    assert 0.42 < share < 0.58
    assert pictures.min() == 1


def test_rectangles_lie_everywhere():
    erased = random_erasing(torch.ones(2000, 1, 16, 16), generator(), probability=1.0)
    hit = (erased == 0).double().mean((0, 1))
    assert hit.min() > 0
    torch.testing.assert_close(hit, hit.flip(0, 1), atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probability": 1.5}, "probability must lie"),
        ({"area_fraction": (0.0, 0.1)}, "area_fraction rise from above 0"),
        ({"aspect_ratio": (1.0, 0.5)}, "aspect_ratio must rise"),
        ({"area_fraction": (0.1, 0.9)}, "does not fit into 8×8 pixels"),
    ],
)
def test_refuses_rectangles_that_cannot_be(change, message):
    with pytest.raises(ValueError, match=message):
        random_erasing(torch.ones(1, 1, 8, 8), generator(), **change)


def make_stream(seed: int = 0, *, alpha: float | None = 0.4) -> AugmentedStream:
    pictures = torch.rand(12, 1, 8, 8, generator=generator(5))
    labels = torch.arange(12) % 3
    batches = BatchStream(pictures, labels, 4, generator(seed))
    return AugmentedStream(
        batches, 3, generator(seed + 1), mixup_alpha=alpha, erases=True
    )


def test_blended_targets_are_distributions_that_carry_the_last_step_on():
    stream = make_stream()
    _, first = next(stream)
    assert sorted(first.unique().tolist()) == [0.0, 1.0]
    for _ in range(5):
        _, targets = next(stream)
        torch.testing.assert_close(targets.sum(1), torch.ones(4))
        assert (targets.max(1).values >= 0.5).all()
    assert ((targets > 0) & (targets < 1)).any()


def test_without_mixup_labels_stay_class_indices():
    _, labels = next(make_stream(alpha=None))
    assert labels.dtype == torch.long


def test_a_resumed_stream_continues_to_the_bit():
    stream = make_stream()
    for _ in range(4):
        next(stream)
    state = stream.state_dict()
    resumed = make_stream(seed=77)
    resumed.load_state_dict(state)
    for _ in range(4):
        for one, other in zip(next(stream), next(resumed), strict=True):
            assert torch.equal(one, other)
