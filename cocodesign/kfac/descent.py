"""From gradients and directions to new weights, by parameter group.

The multi-tensor functions of PyTorch do the work, in a few launches on an accelerator,
whatever the number of layers. They are those that ``torch.optim`` is built on, though
not exported under a public name.
"""

from collections.abc import MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor

Group = dict[str, Any]  # as torch.optim.Optimizer types its groups


def check_group(group: Group) -> None:
    """Refuse a parameter group with a setting out of its range.

    Args:
        group: With ``lr``, ``momentum``, ``damping`` and ``weight_decay``.

    Raises:
        ValueError: If a setting is out of its range.
    """
    for name, described in (
        ("lr", "at least 0"),
        ("momentum", "in [0, 1)"),
        ("weight_decay", "at least 0"),
    ):
        if not group[name] >= 0:
            raise ValueError(f"{name} must be {described}, got {group[name]}")
    if group["momentum"] >= 1:
        raise ValueError(f"momentum must be in [0, 1), got {group['momentum']}")
    if not group["damping"] > 0:
        raise ValueError(
            f"damping must be positive, got {group['damping']}: without it a "
            "factor of fewer examples than features has no inverse"
        )


def clip_(
    directions: dict[Tensor, Tensor], groups: Sequence[Group], kl_clip: float
) -> None:
    """Multiply all directions by ``min(1, √(κ / Σ η² D·∇W))``, in place.

    Args:
        directions: D by parameter; at least one.
        groups: The parameters' groups, for their learning rates η.
        kl_clip: κ.
    """
    changes: list[Tensor] = []
    for group in groups:
        for parameter in group["params"]:
            if parameter in directions:
                product = torch.sum(directions[parameter] * parameter.grad)
                changes.append(group["lr"] ** 2 * product)
    change = torch.stack(changes).sum().abs()  # below 0 only by rounding
    scale = (kl_clip / change).sqrt().clamp(max=1.0)
    torch._foreach_mul_(list(directions.values()), scale)  # pyright: ignore[reportPrivateImportUsage] (see above)


def move_(
    group: Group,
    directions: dict[Tensor, Tensor],
    state: MutableMapping[Tensor, dict[str, Any]],
) -> None:
    """Move the parameters of a group that have a gradient, as SGD does.

    Args:
        group: The group.
        directions: What takes the place of a gradient, by parameter.
        state: The optimizer's, where momentum is kept.
    """
    parameters: list[Tensor] = []
    moves: list[Tensor] = []
    for parameter in group["params"]:
        gradient: Tensor | None = parameter.grad
        if gradient is not None:
            parameters.append(parameter)
            moves.append(directions.get(parameter, gradient))
    if not parameters:
        return
    if group["weight_decay"]:
        moves = list(
            torch._foreach_add(moves, parameters, alpha=group["weight_decay"])  # pyright: ignore[reportPrivateImportUsage] (see above)
        )
    if group["momentum"]:
        moves = _accumulated(parameters, moves, group["momentum"], state)
    torch._foreach_add_(parameters, moves, alpha=-group["lr"])  # pyright: ignore[reportPrivateImportUsage] (see above)


def _accumulated(
    parameters: list[Tensor],
    moves: list[Tensor],
    momentum: float,
    state: MutableMapping[Tensor, dict[str, Any]],
) -> list[Tensor]:
    """Return the momentum buffers after this step."""
    known: list[Tensor] = []
    added: list[Tensor] = []
    for parameter, move in zip(parameters, moves, strict=True):
        buffer = state[parameter].get("momentum_buffer")
        if buffer is None:
            state[parameter]["momentum_buffer"] = move.clone()
        else:
            known.append(buffer)
            added.append(move)
    if known:
        torch._foreach_mul_(known, momentum)  # pyright: ignore[reportPrivateImportUsage] (see above)
        torch._foreach_add_(known, added)  # pyright: ignore[reportPrivateImportUsage] (see above)
    return [state[parameter]["momentum_buffer"] for parameter in parameters]
