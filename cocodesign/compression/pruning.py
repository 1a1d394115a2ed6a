r"""Which weights go, and how they stay away while training goes on.

A weight's *saliency* is ``w²``, or ``F w²`` where the sensitivity ``F`` is known: the
rise of the loss that its removal costs. Weights of all layers are ranked together, so
that every layer loses the same at the threshold, per weight and so about per byte.
``Pruner`` first makes the saliencies of different layers comparable.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from cocodesign.compression.sensitivity import Sensitivity, prunable_parameters

_TINY = torch.finfo(torch.float32).tiny
_SAMPLE = 1 << 20  # saliencies that a threshold is taken from
_LEAST_SHARE = 0.5  # of the overall density, for every layer: none dies


@torch.no_grad()
def prune(
    model: nn.Module,
    density: float | Mapping[str, float],
    *,
    importance: Mapping[str, Tensor] | None = None,
) -> dict[str, Bool[Tensor, "..."]]:
    """Set the least salient weights of a model to zero, in place.

    Args:
        model: Its matrices and kernels are pruned, its vectors are not.
        density: Share of weights to keep, 0 to 1: over all layers together, or of each
            layer by name; layers that are not named stay whole.
        importance: ``F`` by parameter, as from ``Sensitivity``; 1 where missing, which
            prunes by magnitude.

    Returns:
        By parameter, which weights were kept.

    Raises:
        ValueError: If a density is out of range or a name unknown.

    Example:
        >>> layer = nn.Linear(4, 1)
        >>> _ = layer.weight.data.copy_(torch.tensor([[1.0, -3.0, 0.5, 2.0]]))
        >>> prune(layer, 0.5)["weight"].tolist()
        [[False, True, False, True]]
        >>> layer.weight.tolist()
        [[0.0, -3.0, 0.0, 2.0]]
    """
    parameters = prunable_parameters(model)
    masks = choose_masks(parameters, density, importance or {})
    for name, mask in masks.items():
        parameters[name].mul_(mask)
    return masks


def choose_masks(
    weights: Mapping[str, Tensor],
    density: float | Mapping[str, float],
    importance: Mapping[str, Tensor],
    *,
    least: Mapping[str, int] | None = None,
) -> dict[str, Bool[Tensor, "..."]]:
    """Choose which weights to keep; changes nothing.

    Args:
        weights: By name.
        density: As for ``prune``.
        importance: ``F`` by name; 1 where missing.
        least: Weights that a tensor keeps even if they rank below those of others.

    Returns:
        A mask for each tensor whose density is given.

    Raises:
        ValueError: If a density is out of range or a name unknown.
    """
    by_name = density if isinstance(density, Mapping) else {"all layers": density}
    for name, share in by_name.items():
        if not 0 <= share <= 1:
            raise ValueError(f"the density of {name} must be from 0 to 1, got {share}")
    saliency = {
        name: _saliency(tensor, importance.get(name))
        for name, tensor in weights.items()
        if not isinstance(density, Mapping) or name in density
    }
    if isinstance(density, Mapping):
        if unknown := sorted(set(density) - set(weights)):
            raise ValueError(f"no layers named {unknown}, there are {sorted(weights)}")
        return {
            name: each > _threshold([each], density[name])
            for name, each in saliency.items()
        }
    threshold = _threshold(list(saliency.values()), density)
    masks = {}
    for name, each in saliency.items():
        share = min(1.0, (least or {}).get(name, 0) / max(each.numel(), 1))
        own = _threshold([each], share) if share else threshold
        masks[name] = each > min(threshold, own)
    return masks


@dataclass(frozen=True)
class Ramp:
    r"""Density that falls along a cubic, fast at first.

    .. math:: d_t = d + (d_0 - d) (1 - t / n)^3

    Source: Zhu & Gupta (2017), arXiv:1710.01878, Section 3, equation 1.

    Attributes:
        density: ``d``: the share of weights kept at the end.
        num_steps: ``n``: the training steps that it takes.
        interval: Steps between new masks.
        start: ``d₀``: the share of weights kept at the beginning.
    """

    density: float
    num_steps: int
    interval: int = 10
    start: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.density <= self.start <= 1:
            raise ValueError(
                f"density must be in (0, start] and start at most 1, got "
                f"{self.density} and {self.start}"
            )
        if self.num_steps < 1 or self.interval < 1:
            raise ValueError(
                f"num_steps and interval must be at least 1, got {self.num_steps} and "
                f"{self.interval}"
            )

    def density_at(self, step: int) -> float:
        """Return the density after a number of steps.

        Args:
            step: From 0; after the ramp it stays.

        Returns:
            A share from 0 to 1.

        Example:
            >>> ramp = Ramp(density=0.1, num_steps=10)
            >>> [round(ramp.density_at(t), 3) for t in (0, 5, 10, 99)]
            [1.0, 0.213, 0.1, 0.1]
        """
        left = max(0.0, 1 - step / self.num_steps)
        return self.density + (self.start - self.density) * left**3


class Pruner:
    """Prunes a model step by step inside any training loop.

    Call ``step`` after every step of the optimizer. Along the ramp new masks are chosen
    every ``interval`` steps; afterwards they stay. With ``by_gradient``, ``step`` reads
    the gradients that the optimizer used: clear them later. With ``splicing`` a pruned
    weight may come back: it goes on learning behind its mask (Guo, Yao & Chen 2016,
    arXiv:1608.04493, Section 3.2; here the ramp's ranking decides instead of two
    thresholds), for which the loop must run forward and backward inside ``masked``.

    Args:
        model: The model in training.
        density: Share of weights kept at the end, over all layers together; every layer
            keeps at least half of that.
        num_steps: Training steps of the ramp.
        interval: Steps between new masks.
        start_density: Share of weights kept at the beginning of the ramp.
        by_gradient: Rank by ``√F w²`` with ``F`` from the gradients seen on the way;
            else by magnitude.
        splicing: Whether pruned weights go on learning during the ramp.
        rescales: Whether new masks enlarge what is left of a layer until its squares
            sum up to what they did. Each weight that goes takes some of the signal with
            it: without normalisation, a network of many layers goes quiet.
        masks: Which weights are kept, if that is known already: there is no ramp then.

    Raises:
        ValueError: If a density or a number of steps is out of range.

    Attributes:
        sensitivity: The gradients seen, or ``None`` without ``by_gradient``.
        masks: By parameter, which weights are kept; empty before the first ranking.
        densities: By parameter, the share of weights that its mask keeps.
    """

    def __init__(
        self,
        model: nn.Module,
        density: float,
        *,
        num_steps: int,
        interval: int = 10,
        start_density: float = 1.0,
        by_gradient: bool = True,
        splicing: bool = False,
        rescales: bool = False,
        masks: Mapping[str, Tensor] | None = None,
    ) -> None:
        self._parameters = prunable_parameters(model)
        self._ramp = Ramp(density, num_steps, interval, start_density)
        self.sensitivity = Sensitivity(model) if by_gradient else None
        self._splicing = splicing
        self._rescales = rescales
        self._least = {
            name: round(_LEAST_SHARE * density * each.numel())
            for name, each in self._parameters.items()
        }
        self._num_steps = 0
        self._is_given = masks is not None
        self.masks: dict[str, Tensor] = dict(masks or {})
        self.densities: dict[str, float] = dict.fromkeys(self._parameters, 1.0)

    @property
    def is_finished(self) -> bool:
        """Whether the ramp is over and the masks stay."""
        return self._is_given or self._num_steps >= self._ramp.num_steps

    @property
    def density(self) -> float:
        """Share of weights that the masks keep now."""
        kept = sum(int(mask.sum()) for mask in self.masks.values())
        total = sum(parameter.numel() for parameter in self._parameters.values())
        return kept / total if self.masks else 1.0

    @torch.no_grad()
    def step(self) -> None:
        """Follow the ramp, and set what is pruned to zero."""
        self._num_steps += 1
        if self.sensitivity:
            self.sensitivity.observe()
        due = self._num_steps % self._ramp.interval == 0
        last = self._num_steps == self._ramp.num_steps
        is_new = ((due and not self.is_finished) or last) and not self._is_given
        if is_new:
            self.masks = choose_masks(
                self._parameters,
                self._ramp.density_at(self._num_steps),
                self.importance(),
                least=self._least,
            )
            self.densities = {
                name: int(torch.count_nonzero(mask)) / max(mask.numel(), 1)
                for name, mask in self.masks.items()
            }
        if not self._splicing or self.is_finished:
            self._apply(rescales=self._rescales and is_new)

    def _apply(self, *, rescales: bool) -> None:
        for name, mask in self.masks.items():
            weights = self._parameters[name]
            norm = weights.norm() if rescales else None
            weights.mul_(mask)
            if norm is not None:
                weights.mul_(norm / weights.norm().clamp(min=_TINY))

    @torch.no_grad()
    def importance(self) -> dict[str, Tensor]:
        """Return what a squared error of each weight costs, relative to its layer.

        Squared gradients of different layers differ by orders of magnitude and die with
        their layer: ranked as they are, whole convolutions of AlexNet went in one step.
        So each layer's saliencies are divided by their sum, and multiplied by the
        fourth root of their number: nearly "every layer minds the same relative error",
        with large layers held back a little less. ``F`` itself comes from few
        mini-batches, and its root is less noisy.

        Returns:
            ``n^¼ √F / Σ √F w²`` by parameter, with 1 for ``F`` if no gradients are
            used.
        """
        seen = self.sensitivity.importance() if self.sensitivity else {}
        found = {}
        for name, weights in self._parameters.items():
            matters = seen.get(name, torch.ones_like(weights)).sqrt()
            energy = (matters * weights.square()).sum()
            scale = weights.numel() ** 0.25 / energy.clamp(min=_TINY)
            found[name] = matters * scale
        return found

    def masked(self) -> "MaskedWeights":
        """Return a context in which the model computes with its masks on."""
        hidden = self._splicing and not self.is_finished
        return MaskedWeights(self._parameters, self.masks if hidden else {})


class MaskedWeights:
    """Masks weights on entry and brings them back on exit, gradients untouched.

    Args:
        parameters: By name.
        masks: Of some of them.
    """

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], masks: Mapping[str, Tensor]
    ) -> None:
        self._parameters = parameters
        self._masks = masks
        self._kept: dict[str, Tensor] = {}

    @torch.no_grad()
    def __enter__(self) -> None:
        for name, mask in self._masks.items():
            parameter = self._parameters[name]
            self._kept[name] = parameter.detach().clone()
            parameter.mul_(mask)

    @torch.no_grad()
    def __exit__(self, *_error: object) -> None:
        for name, weights in self._kept.items():
            self._parameters[name].copy_(weights)
        self._kept.clear()


def _saliency(weights: Tensor, importance: Tensor | None) -> Float[Tensor, "..."]:
    squared = weights.detach().float().square()
    return squared if importance is None else squared * importance


def _threshold(saliencies: Iterable[Tensor], density: float) -> float:
    """Return what the saliency of a kept weight exceeds."""
    flat = [each.reshape(-1) for each in saliencies]
    total = sum(each.numel() for each in flat)
    if density >= 1:
        return -1.0
    # Of millions, every nth stands for all: the rank is exact to a thousandth.
    stride = max(1, total // _SAMPLE)
    sample = torch.cat([each[::stride] for each in flat])
    num_dropped = round((1 - density) * sample.numel())
    if num_dropped == 0:
        return -1.0
    return float(sample.kthvalue(num_dropped).values)
