"""One statistic of one layer: its average, its inverse, its pace."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.kfac import factors
from cocodesign.kfac.passes import PassSum
from cocodesign.kfac.schedule import Pace, Schedule, delayed

_TENSORS = ("average", "earlier", "inverse")


class Statistic:
    """A factor, or the unit-wise Fisher, of one layer.

    Attributes:
        passes: What was collected since the last step.
        average: The statistic in use, ``None`` before the first refresh.
        earlier: Its value before the last refresh, where a schedule compares with it.
        inverse: The damped inverse in use.
        num_updates: How many values the average is made of.
        pace: When it is refreshed.
    """

    def __init__(self) -> None:
        self.passes = PassSum()
        self.average: Tensor | None = None
        self.earlier: Tensor | None = None
        self.inverse: Tensor | None = None
        self.num_updates = 0
        self.pace = Pace()

    def update(
        self, value: Float[Tensor, "*shape"], *, ema_decay: float, compares: bool
    ) -> Float[Tensor, "2"] | None:
        """Move the average towards a new value.

        Args:
            value: Of this step.
            ema_decay: Weight of the old average, in [0, 1).
            compares: Whether to keep the old average and tell the difference.

        Returns:
            How far the average moved from its last value and from the one before,
            relative to these; infinite where there is none. ``None`` unless
            ``compares``.
        """
        self.num_updates += 1
        average = factors.averaged(
            self.average, value, ema_decay=ema_decay, num_updates=self.num_updates
        )
        changes = None
        if compares:
            olds = (self.average, self.earlier)
            changes = torch.stack([_relative_change(average, old) for old in olds])
            self.earlier = self.average
        self.average = average
        return changes

    def note_update(
        self, value: Float[Tensor, "*shape"], *, compares: bool
    ) -> Float[Tensor, "2"] | None:
        """Count an update that another rank makes.

        Args:
            value: Of this rank; only its kind counts.
            compares: Whether to return what the other rank's answer replaces.

        Returns:
            Two numbers like those of ``update``.
        """
        self.num_updates += 1
        return value.new_zeros(2) if compares else None

    def reschedule(
        self, schedule: Schedule, step: int, changes: tuple[float, float]
    ) -> None:
        """Set the pace after a refresh."""
        self.pace = schedule.after(step, self.pace, *changes)

    def delay(self, step: int) -> None:
        """Set the pace after a step that the layer took no part in."""
        self.pace = delayed(self.pace, step)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that outlives a step."""
        tensors = {name: getattr(self, name) for name in _TENSORS}
        pace = (
            self.pace.next_step,
            self.pace.interval,
            self.pace.earlier_interval,
            self.pace.num_refreshes,
        )
        return {
            **{name: tensor for name, tensor in tensors.items() if tensor is not None},
            "num_updates": self.num_updates,
            "pace": pace,
        }

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Continue where another one stood.

        Args:
            state: What ``state_dict`` gave.
            device: Where the layer is.
        """
        self.average, self.earlier, self.inverse = (
            state[name].to(device, copy=True) if name in state else None
            for name in _TENSORS
        )
        self.num_updates = state["num_updates"]
        self.pace = Pace(*state["pace"])


def _relative_change(value: Tensor, old: Tensor | None) -> Tensor:
    if old is None:
        return value.new_full((), torch.inf)
    return torch.linalg.vector_norm(value - old) / torch.linalg.vector_norm(old)
