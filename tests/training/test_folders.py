import pytest
import torch
from PIL import Image

from cocodesign.errors import DataUnavailableError
from cocodesign.training.folders import FolderStream, open_image_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """ImageNet's layout with two classes of red and blue pictures."""
    root = tmp_path_factory.mktemp("imagenet")
    for split, number in (("train", 6), ("val", 3)):
        for name, colour in (("n01", (250, 20, 20)), ("n02", (20, 20, 250))):
            (root / split / name).mkdir(parents=True)
            for index in range(number):
                picture = Image.new("RGB", (40 + index, 30), colour)
                picture.putpixel((index, 0), (255, 255, 255))
                picture.save(root / split / name / f"{index}.JPEG")
    return root


def make_stream(folder, *, seed=0, num_workers=0, size=4):
    pictures = open_image_folder(folder, "train", image_px=16)
    return FolderStream(pictures, torch.arange(12), size, seed, num_workers=num_workers)


def test_an_epoch_shows_every_picture_once(folder):
    stream = make_stream(folder)
    batches = [next(stream) for _ in range(stream.num_batches)]
    assert [tuple(images.shape) for images, _ in batches] == [(4, 3, 16, 16)] * 3
    labels = torch.cat([labels for _, labels in batches])
    assert sorted(labels.tolist()) == [0] * 6 + [1] * 6
    for images, labels in batches:  # red is class 0: channels are not mixed up
        redness = images[:, 0].mean((1, 2)) - images[:, 2].mean((1, 2))
        assert ((redness > 0) == (labels == 0)).all()


def test_only_chosen_pictures_take_part(folder):
    pictures = open_image_folder(folder, "train", image_px=16)
    stream = FolderStream(pictures, torch.tensor([6, 7, 8, 9]), 2, 0)
    assert {int(label) for _ in range(8) for label in next(stream)[1]} == {1}


@pytest.mark.slow
def test_workers_change_nothing_but_the_speed(folder):
    alone, shared = make_stream(folder), make_stream(folder, num_workers=2)
    for _ in range(5):
        for one, other in zip(next(alone), next(shared), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("num_batches", [1, 3, 4])
def test_a_resumed_stream_sees_the_same_crops(folder, num_batches):
    stream = make_stream(folder)
    for _ in range(num_batches):
        next(stream)
    resumed = make_stream(folder)
    resumed.load_state_dict(stream.state_dict())
    for _ in range(4):
        for one, other in zip(next(stream), next(resumed), strict=True):
            assert torch.equal(one, other)


def test_epochs_and_seeds_differ_in_order_and_crops(folder):
    stream = make_stream(folder, size=12)
    first, second = next(stream), next(stream)
    assert not torch.equal(first[0], second[0])
    assert not torch.equal(first[0], next(make_stream(folder, seed=1, size=12))[0])


def test_reading_leaves_torchs_global_random_state_alone(folder):
    before = torch.get_rng_state()
    next(make_stream(folder))
    assert torch.equal(torch.get_rng_state(), before)


def test_judged_pictures_are_not_random(folder):
    pictures = open_image_folder(folder, "val", image_px=16)
    assert torch.equal(pictures[0][0], pictures[0][0])


def test_a_missing_folder_says_what_to_put_where(tmp_path):
    with pytest.raises(DataUnavailableError) as caught:
        open_image_folder(tmp_path, "train")
    message = str(caught.value)
    assert f"{tmp_path}/train/n01440764" in message
    assert "ILSVRC2012_img_val.tar" in message
    assert "image_folder" in message


def test_refuses_a_mini_batch_larger_than_the_data(folder):
    with pytest.raises(ValueError, match="between 1 and the 12 pictures, got 13"):
        make_stream(folder, size=13)


def test_refuses_to_continue_another_stream(folder):
    state = make_stream(folder).state_dict()
    with pytest.raises(ValueError, match="mini-batches of 4 cannot"):
        make_stream(folder, size=3).load_state_dict(state)
