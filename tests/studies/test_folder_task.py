from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from cocodesign.errors import DataFormatError
from cocodesign.studies import Contender, load_task
from cocodesign.studies.designs import Setting
from cocodesign.studies.folder_task import FolderTask
from cocodesign.studies.race import Race, run_race
from cocodesign.studies.task import Task
from cocodesign.training.recipes import Recipe

CPU = torch.device("cpu")
COLOURS = {"n01": (250, 20, 20), "n02": (20, 250, 20), "n03": (20, 20, 250)}
RECIPE = Recipe(8, 0.05, 2.0, 1, 20, 0.9, 1e-2, 0.4, 10, 0.9)
RACE = Race(8, 0, "test", None, 6, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("imagenet")
    for split, number in (("train", 8), ("val", 3)):
        for name, colour in COLOURS.items():
            (root / split / name).mkdir(parents=True)
            for index in range(number):
                picture = Image.new("RGB", (40, 30 + index), colour)
                picture.save(root / split / name / f"{index}.JPEG")
    return root


@pytest.fixture
def task(folder: Path) -> FolderTask:
    return FolderTask(
        folder, CPU, num_validation=4, examples_per_pass=4, num_workers=0, image_px=16
    )


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=4, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )


def kfac() -> Contender:
    published = Contender.published_kfac(32_768, factor_interval=2)
    setting = Setting(RECIPE.learning_rate, RECIPE.momentum, 0, RECIPE.damping)
    return replace(published, settings=(setting,), recipe=RECIPE)


def test_pictures_put_aside_are_not_trained_on(task):
    assert isinstance(task, Task)
    assert (task.num_train, task.num_classes) == (20, 3)
    aside = task._judging("validation").indices
    assert len(aside) == 4
    assert not set(aside) & set(task._kept.tolist())


def test_accuracy_counts_first_guesses(task):
    class Reddest(nn.Module):
        def forward(self, images):
            return images.mean((2, 3))  # the class is the channel of the colour

    model = Reddest()
    assert task.accuracy(model, "test") == 1.0
    assert task.accuracy(model, "validation") == 1.0
    assert model.training


@pytest.mark.slow
def test_the_published_recipe_learns_in_several_passes_a_step(task):
    race = replace(RACE, max_steps=20, evaluation_interval=20)
    outcome = run_race(task, network, kfac(), kfac().settings[0], race)
    assert outcome.curve[-1].accuracy > 0.6


@pytest.mark.slow
def test_an_interrupted_race_goes_on_to_the_bit(task, tmp_path):
    whole = run_race(task, network, kfac(), kfac().settings[0], RACE)
    path = tmp_path / "training"

    class PowerCutError(Exception):
        pass

    def cut(point):
        if point.num_steps == 6:
            raise PowerCutError
        return False

    with pytest.raises(PowerCutError):
        run_race(
            task, network, kfac(), kfac().settings[0], RACE, watch=cut, checkpoint=path
        )
    assert path.exists()
    resumed = run_race(task, network, kfac(), kfac().settings[0], RACE, checkpoint=path)
    assert not path.exists()
    assert [(p.num_steps, p.accuracy, p.loss) for p in resumed.curve] == [
        (p.num_steps, p.accuracy, p.loss) for p in whole.curve
    ]


def test_a_race_that_was_cut_after_its_target_is_not_run_on(task, tmp_path):
    race = replace(RACE, target_accuracy=0.01)
    path = tmp_path / "training"
    first = run_race(task, network, kfac(), kfac().settings[0], race)
    assert (first.reached, first.num_steps) == (True, 3)

    saved = tmp_path / "kept"

    def keep(_point):
        if path.exists():
            saved.write_bytes(path.read_bytes())
        return False

    run_race(
        task, network, kfac(), kfac().settings[0], RACE, watch=keep, checkpoint=path
    )
    resumed = run_race(
        task, network, kfac(), kfac().settings[0], race, checkpoint=saved
    )
    assert (resumed.reached, resumed.num_steps) == (True, 3)


def test_refuses_a_recipe_for_another_size(task):
    with pytest.raises(ValueError, match="mini-batches of 8, not of 4"):
        run_race(
            task, network, kfac(), kfac().settings[0], replace(RACE, mini_batch_size=4)
        )


def test_refuses_mini_batches_that_are_not_whole_passes(task):
    with pytest.raises(ValueError, match="multiple of examples_per_pass = 4, got 6"):
        task.pass_size(6)


def test_refuses_classes_that_differ(tmp_path):
    for split, names in (("train", ["a", "b"]), ("val", ["a", "c"])):
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("RGB", (20, 20)).save(tmp_path / split / name / "0.JPEG")
    task = FolderTask(tmp_path, CPU, num_workers=0)
    with pytest.raises(DataFormatError, match="differ in b, c"):
        task.accuracy(network(), "test")


def test_validation_without_pictures_put_aside_is_refused(folder):
    task = FolderTask(folder, CPU, num_workers=0)
    with pytest.raises(ValueError, match="no training pictures were put aside"):
        task.accuracy(network(), "validation")


def test_a_folder_is_a_task_of_its_own(folder):
    task = load_task(str(folder), num_train=1, num_validation=0, device=CPU)
    assert isinstance(task, FolderTask)
    assert task.num_train == 24
