import pytest
import torch

from cocodesign.training import BatchStream


def stream(num_examples: int, mini_batch_size: int, seed: int = 0) -> BatchStream:
    examples = torch.arange(float(num_examples))[:, None]
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(num_examples)
    return BatchStream(examples, labels, mini_batch_size, generator)


@pytest.mark.parametrize(("num_examples", "size"), [(12, 3), (13, 4), (5, 5), (3, 1)])
def test_an_epoch_shows_no_example_twice(num_examples, size):
    batches = stream(num_examples, size)
    for _ in range(3):
        epoch = [
            label for _ in range(batches.num_batches) for label in next(batches)[1]
        ]
        assert len({label.item() for label in epoch}) == num_examples // size * size


def test_examples_come_with_their_labels():
    examples, labels = next(stream(10, 4))
    assert torch.equal(examples[:, 0], labels.float())


def test_every_epoch_has_its_own_order():
    batches = stream(30, 30)
    assert not torch.equal(next(batches)[1], next(batches)[1])


def test_the_order_is_a_function_of_the_generator():
    first, same, other = stream(30, 7), stream(30, 7), stream(30, 7, seed=1)
    for _ in range(9):
        labels = next(first)[1]
        assert torch.equal(labels, next(same)[1])
        assert not torch.equal(labels, next(other)[1])


@pytest.mark.parametrize("num_drawn", [0, 2, 4, 5, 9])
def test_a_loaded_stream_continues_to_the_bit(num_drawn):
    batches, other = stream(13, 3), stream(13, 3, seed=8)
    for _ in range(num_drawn):
        next(batches)
    other.load_state_dict(batches.state_dict())
    for _ in range(10):
        assert torch.equal(next(batches)[1], next(other)[1])


def test_refuses_the_state_of_a_stream_of_another_size():
    with pytest.raises(ValueError, match="13 examples in mini-batches of 3"):
        stream(13, 4).load_state_dict(stream(13, 3).state_dict())


@pytest.mark.parametrize("size", [0, 11])
def test_refuses_a_mini_batch_that_no_epoch_holds(size):
    with pytest.raises(ValueError, match="between 1 and the 10 examples"):
        stream(10, size)


def test_refuses_examples_without_labels():
    with pytest.raises(ValueError, match="4 examples, but 3 labels"):
        BatchStream(
            torch.zeros(4, 1), torch.zeros(3, dtype=torch.int64), 2, torch.Generator()
        )
