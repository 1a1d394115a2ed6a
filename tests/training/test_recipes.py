import pytest
import torch
from torch import nn
from torch.optim import SGD

from cocodesign.training.recipes import PUBLISHED_RECIPES, published_recipe

IMAGENET = 1_281_167


@pytest.mark.parametrize(
    ("size", "num_steps"),
    [(4096, 10_948), (8192, 5_473), (32_768, 1_760), (65_536, 1_173), (131_072, 782)],
)
def test_lengths_are_those_of_the_programme(size, num_steps):
    found = published_recipe(size).num_steps(IMAGENET)
    assert found == pytest.approx(num_steps, abs=1)


@pytest.mark.parametrize("recipe", PUBLISHED_RECIPES, ids=lambda r: r.mini_batch_size)
def test_the_rate_stays_until_its_first_epoch_and_has_not_reached_zero(recipe):
    optimizer = SGD(
        [nn.Parameter(torch.ones(1))], lr=recipe.learning_rate, momentum=recipe.momentum
    )
    schedule = recipe.schedule(optimizer, IMAGENET)
    (factor,) = schedule.lr_lambdas
    steps_per_epoch = IMAGENET / recipe.mini_batch_size
    for epoch in (0, recipe.start_epoch, recipe.start_epoch + 5, recipe.num_epochs):
        fallen = max(0, epoch - recipe.start_epoch)
        length = recipe.end_epoch - recipe.start_epoch
        expected = (1 - fallen / length) ** recipe.power
        found = factor(round(epoch * steps_per_epoch))
        assert found == pytest.approx(expected, rel=0.15 * recipe.power / 3, abs=1e-5)


def test_refuses_a_size_that_nobody_published():
    with pytest.raises(
        ValueError, match="no published recipe for mini-batches of 1,000"
    ):
        published_recipe(1000)
