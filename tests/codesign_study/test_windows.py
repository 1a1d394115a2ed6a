import pytest
import torch

from cocodesign.codesign_study.concepts import (
    CONCEPTS,
    PERSON,
    PICTURE_PX,
    prepare,
)
from cocodesign.codesign_study.windows import (
    PeopleFinder,
    build_network,
    recognise_windows,
)
from cocodesign.models import ConvNet
from cocodesign.seeding import random_stream, seeded_globally
from tests.tolerances import assert_close


@pytest.fixture
def network() -> ConvNet:
    with seeded_globally(0, "weights"):
        return build_network().eval()


def noise(height: int, width: int) -> torch.Tensor:
    generator = random_stream(0, "noise")
    return torch.randint(0, 256, (height, width, 3), generator=generator).byte()


def test_a_frame_of_one_window_is_a_picture(network: ConvNet) -> None:
    frame = noise(PICTURE_PX, PICTURE_PX)
    scores, _ = recognise_windows(network, frame)
    with torch.no_grad():
        expected = network(prepare(frame[None])).softmax(-1)
    assert_close(scores.reshape(1, -1), expected)


def test_windows_are_a_cell_apart(network: ConvNet) -> None:
    scores, features = recognise_windows(
        network, noise(PICTURE_PX + 32, 2 * PICTURE_PX)
    )
    assert scores.shape == (3, 5, len(CONCEPTS))
    assert features.shape == (128,)


def test_people_are_found_where_their_windows_are(network: ConvNet) -> None:
    frame = noise(160, 240)
    scores = recognise_windows(network, frame)[0][..., PERSON]
    found = PeopleFinder(network, min_score=0.0).detect(frame)
    best = torch.nonzero(scores == scores.max())[0]
    centre = (found.boxes[0, :2] + found.boxes[0, 2:]) / 2
    assert centre.tolist() == [16.0 * best[1] + 32, 16.0 * best[0] + 32]
    assert set(found.classes.tolist()) == {0}
    assert not len(PeopleFinder(network, min_score=1.1).detect(frame))
