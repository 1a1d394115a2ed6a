import pytest
import torch

from cocodesign.codesign_study.concepts import CONCEPTS, PICTURE_PX, Pictures
from cocodesign.codesign_study.file import write_dense
from cocodesign.codesign_study.training import Training, train_to_target
from cocodesign.seeding import random_stream
from cocodesign.training import evaluate


def pictures(count: int, name: str) -> Pictures:
    """Noise around a brightness that tells the concept."""
    labels = torch.arange(count) % len(CONCEPTS)
    noise = torch.randn(
        count, 3, PICTURE_PX, PICTURE_PX, generator=random_stream(0, name)
    )
    return Pictures(noise + 0.3 * labels[:, None, None, None], labels)


@pytest.fixture(params=[True, False], ids=["kfac", "sgd"])
def training(request: pytest.FixtureRequest) -> Training:
    return train_to_target(
        pictures(64, "train"),
        pictures(32, "validation"),
        target=1.1,  # never
        max_steps=3,
        mini_batch_size=32,
        learning_rates=[0.01],
        seed=0,
        with_kfac=request.param,
    )


def test_the_network_is_the_one_that_was_validated(
    training: Training, tmp_path
) -> None:
    validation = pictures(32, "validation")
    for network in (training.network, write_dense(training.network, tmp_path).load()):
        found = evaluate(network, validation.pixels, validation.labels)
        assert found == training.accuracy
    assert (training.reached, training.num_steps) == (False, 3)


def test_nothing_of_the_optimizer_stays_in_the_network(training: Training) -> None:
    for module in training.network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
