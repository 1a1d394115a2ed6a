"""Training under attack: a network, its pruning scores, its few values."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from cocodesign.compression.centroids import CentroidTrainer
from cocodesign.compression.pruning import Pruner, choose_masks
from cocodesign.compression.sensitivity import prunable_parameters
from cocodesign.robustness.defences import Defence

Batches = Iterator[tuple[Tensor, Tensor]]
"""Mini-batches of pictures, pixels from 0 to 1, and class indices, without end."""

_WARM_UP = 0.1  # share of the steps in which the learning rate rises


def train(
    model: nn.Module,
    batches: Batches,
    defence: Defence,
    generator: torch.Generator,
    *,
    num_steps: int,
    learning_rate: float,
    after_step: Callable[[], None] | None = None,
) -> None:
    """Minimise a loss with AdamW; the rate rises, then falls along a cosine.

    Args:
        model: Pictures to scores; left in training mode.
        batches: Where mini-batches come from.
        defence: The loss.
        generator: Of the attacks in it.
        num_steps: Steps to do.
        learning_rate: The largest.
        after_step: Is called after every step, the gradients still there: a
            ``Pruner.step`` goes here.
    """
    model.train()
    parameters = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, learning_rate, weight_decay=0.0, fused=True
    )
    for step in range(num_steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * _rate(step, num_steps)
        images, labels = next(batches)
        optimizer.zero_grad()
        defence(model, images, labels, generator).backward()
        optimizer.step()
        if after_step is not None:
            after_step()
    optimizer.zero_grad()


def tune_values(
    trainer: CentroidTrainer,
    model: nn.Module,
    batches: Batches,
    defence: Defence,
    generator: torch.Generator,
    *,
    num_steps: int,
) -> None:
    """Train what a quantized network's symbols stand for, under attack.

    Args:
        trainer: Of this model.
        model: The quantized network; left in training mode.
        batches: Where mini-batches come from.
        defence: The loss.
        generator: Of the attacks in it.
        num_steps: Steps to do.
    """
    model.train()
    for _ in range(num_steps):
        images, labels = next(batches)
        defence(model, images, labels, generator).backward()
        trainer.step()


class _TopScores(torch.autograd.Function):
    """Ones at the largest scores; the slope passes straight to the scores."""

    @staticmethod
    def forward(_context: object, scores: Tensor, num_kept: int) -> Tensor:
        mask = torch.zeros_like(scores)
        kept = scores.abs().flatten().topk(num_kept, sorted=False).indices
        mask.view(-1)[kept] = 1
        return mask

    @staticmethod
    def backward(_context: object, slope: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return slope, None


class _Masked(nn.Module):
    """Weights whose scores are among the largest; the others are zero."""

    def __init__(self, weights: Tensor, num_kept: int) -> None:
        super().__init__()
        fan_in = weights[0].numel()
        scale = math.sqrt(6 / fan_in) / float(weights.abs().max().clamp(min=1e-12))
        self.scores = nn.Parameter(weights.detach() * scale)
        self.num_kept = num_kept

    def forward(self, weights: Tensor) -> Tensor:
        return weights * _TopScores.apply(self.scores, self.num_kept)

    def mask(self) -> Tensor:
        """Return which weights are kept."""
        kept = _TopScores.apply(self.scores.detach(), self.num_kept)
        assert isinstance(kept, Tensor)
        return kept.bool()


def learn_masks(
    model: nn.Module,
    batches: Batches,
    defence: Defence,
    generator: torch.Generator,
    *,
    density: float,
    num_steps: int,
    learning_rate: float,
) -> dict[str, Tensor]:
    """Learn which weights a defended network needs, and prune the others.

    The weights stand still; a score of each is trained under the defence's loss, with
    the weights of the largest scores alone in the forward pass and the slope passed
    straight to all scores. How many weights each layer keeps is set beforehand, by
    magnitude over all layers at equal importance. Source: Sehwag et al. (2020),
    arXiv:2002.10509, Section 3.2, equations 2 and 3, with its initial scores.
    Different here: the source keeps the same share of every layer.

    Args:
        model: A trained network; pruned in place.
        batches: Where mini-batches come from.
        defence: The loss.
        generator: Of the attacks in it.
        density: Share of weights kept, over all layers together.
        num_steps: Steps to do.
        learning_rate: Of the scores.

    Returns:
        By parameter, which weights were kept.

    Raises:
        ValueError: If the density is out of range.
    """
    parameters = prunable_parameters(model)
    by_size = Pruner(model, density, num_steps=1, by_gradient=False)
    kept = choose_masks(parameters, density, by_size.importance())
    owners = {
        name: (model.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2])
        for name in parameters
    }
    learning = [each for each in model.parameters() if each.requires_grad]
    for parameter in learning:
        parameter.requires_grad = False
    maskings = {}
    for name, (module, leaf) in owners.items():
        maskings[name] = _Masked(parameters[name], max(1, int(kept[name].sum())))
        parametrize.register_parametrization(module, leaf, maskings[name])
    train(
        model,
        batches,
        defence,
        generator,
        num_steps=num_steps,
        learning_rate=learning_rate,
    )
    masks = {}
    for name, (module, leaf) in owners.items():
        masks[name] = maskings[name].mask()
        parametrize.remove_parametrizations(module, leaf, leave_parametrized=True)
    for parameter in model.parameters():
        parameter.requires_grad = True
    return masks


def _rate(step: int, num_steps: int) -> float:
    warm_up = max(1.0, _WARM_UP * num_steps)
    falling = 0.5 * (1 + math.cos(math.pi * step / num_steps))
    return min(1.0, (step + 1) / warm_up) * falling
