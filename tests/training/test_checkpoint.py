import pytest
import torch

from cocodesign.errors import CheckpointError
from cocodesign.training import load_checkpoint, save_checkpoint, train


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["SGD", "K-FAC"])
@pytest.mark.parametrize("num_steps", [5, 7])  # neither the end of an epoch of 3
def test_a_resumed_training_continues_to_the_bit(
    make_training, tmp_path, optimizer, num_steps
):
    path = tmp_path / "deep" / "checkpoint"
    model, built, batches, schedule = make_training(optimizer)
    train(model, built, batches, num_steps=num_steps, schedule=schedule)
    save_checkpoint(path, model, built, batches, schedule)
    train(model, built, batches, num_steps=num_steps, schedule=schedule)

    fresh = make_training(optimizer, seed=99)
    torch.rand(3)  # the random state that dropout uses has moved on
    load_checkpoint(path, *fresh)
    train(*fresh[:3], num_steps=num_steps, schedule=fresh[3])

    expected, actual = model.state_dict(), fresh[0].state_dict()
    assert all(torch.equal(actual[name], expected[name]) for name in expected)
    assert fresh[3].get_last_lr() == schedule.get_last_lr()
    assert torch.equal(next(fresh[2])[1], next(batches)[1])


def test_what_the_caller_gave_comes_back(make_training, tmp_path):
    path = tmp_path / "checkpoint"
    progress = {"curve": [[3, 0.5, 0.9, 0.1]]}
    save_checkpoint(path, *make_training(), progress=progress)
    assert load_checkpoint(path, *make_training()) == progress
    save_checkpoint(path, *make_training())
    assert load_checkpoint(path, *make_training()) == {}


@pytest.fixture
def checkpoint(make_training, tmp_path):
    path = tmp_path / "checkpoint"
    model, optimizer, batches, schedule = make_training()
    train(model, optimizer, batches, num_steps=2, schedule=schedule)
    save_checkpoint(path, model, optimizer, batches, schedule)
    return path


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.5, 0.999])
def test_refuses_a_truncated_file(checkpoint, make_training, fraction):
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(CheckpointError, match=r"damaged|not a checkpoint"):
        load_checkpoint(checkpoint, *make_training())


def test_refuses_a_file_with_one_changed_bit(checkpoint, make_training):
    content = bytearray(checkpoint.read_bytes())
    content[-100] ^= 1
    checkpoint.write_bytes(content)
    with pytest.raises(CheckpointError, match="digest"):
        load_checkpoint(checkpoint, *make_training())


def test_refuses_a_file_of_torch_itself(tmp_path, make_training):
    path = tmp_path / "weights"
    torch.save({"model": {}}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of this version"):
        load_checkpoint(path, *make_training())


def test_says_that_a_file_is_missing(tmp_path, make_training):
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path / "nothing", *make_training())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width": 5}, r"the models differ in 0\.bias, 0\.weight, 1\.bias"),
        ({"optimizer": "K-FAC"}, "its optimizer is SGD"),
        ({"mini_batch_size": 5}, "its mini_batch_size is 6, not 5"),
    ],
)
def test_refuses_another_training_and_changes_nothing(
    checkpoint, make_training, changed, message
):
    training = make_training(seed=5, **changed)
    before = {name: value.clone() for name, value in training[0].state_dict().items()}
    random_state = torch.get_rng_state()
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(checkpoint, *training)
    after = training[0].state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert torch.equal(torch.get_rng_state(), random_state)


def test_refuses_to_drop_a_schedule(checkpoint, make_training):
    with pytest.raises(CheckpointError, match="only one of the two has a learning"):
        load_checkpoint(checkpoint, *make_training()[:3])
