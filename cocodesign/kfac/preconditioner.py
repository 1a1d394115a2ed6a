"""The blocks of a model: refreshed from what passes showed, applied to gradients."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cocodesign.kfac.blocks import (
    CurvatureBlock,
    GradientOf,
    Part,
    Rescale,
    WeightSharing,
    block_state,
    load_block,
)
from cocodesign.kfac.coverage import cover
from cocodesign.kfac.division import Division
from cocodesign.kfac.factors import widened
from cocodesign.kfac.observation import Observer
from cocodesign.kfac.projection import projected_direction
from cocodesign.kfac.schedule import Schedule
from cocodesign.kfac.statistic import Statistic


class Preconditioner:
    """The blocks of a model.

    Attributes:
        blocks: By name, one per covered parameter or part of one.
        observer: Feeds them.

    Args:
        model: The model; parameters that are frozen now stay uncovered.
        observer: Of the same model.
        weight_sharing: What to do with positions that share a weight.
        division: How several ranks divide the blocks among them.
    """

    def __init__(
        self,
        model: nn.Module,
        observer: Observer,
        weight_sharing: WeightSharing,
        division: Division,
    ) -> None:
        self.blocks: dict[str, CurvatureBlock] = {}
        self.observer = observer
        self._model = model
        self._weight_sharing: WeightSharing = weight_sharing
        self._division = division
        self._trainable: set[nn.Parameter] = set()

    def cover_unfrozen(self) -> list[str]:
        """Find the blocks of what is trainable now; those that stay keep their state.

        Returns:
            The names of parameters that became trainable and are not covered.
        """
        trainable = {each for each in self._model.parameters() if each.requires_grad}
        if trainable == self._trainable:
            return []
        coverage = cover(self._model, self._weight_sharing)
        states, old_blocks, self.blocks = (
            self.state_dict(),
            self.blocks,
            coverage.blocks,
        )
        self._division.assign(list(self.blocks.values()))
        for name, block in self.blocks.items():
            old = old_blocks.get(name)
            if old is not None and old.parts == block.parts:
                load_block(block, states[name])
        self._division.release(self.blocks.values())
        self.observer.feed(coverage.feeds)
        new, self._trainable = trainable - self._trainable, trainable
        covered = {
            part.parameter for block in self.blocks.values() for part in block.parts
        }
        return [
            name
            for name, parameter in self._model.named_parameters()
            if parameter in new - covered
        ]

    def statistics(self) -> Iterator[tuple[str, Statistic]]:
        """Yield every statistic with its name."""
        for block_name, block in self.blocks.items():
            for name, statistic in block.statistics.items():
                yield f"{block_name}/{name}", statistic

    def plan(self, step: int, trained: Container[Tensor]) -> None:
        """Have the observer collect what a step refreshes.

        Args:
            step: The next step, counted from 0.
            trained: The optimizer's parameters; a block of others is passed over.
        """
        plan: dict[CurvatureBlock, frozenset[str]] = {}
        for block in self.blocks.values():
            if block.parts[0].parameter not in trained:
                continue
            statistics = block.statistics
            due = {name for name, each in statistics.items() if each.pace.is_due(step)}
            if due:
                together = statistics if block.refreshes_together else due
                plan[block] = frozenset(together)
        self.observer.watch_for(plan)

    def refresh(
        self,
        dampings: Mapping[Tensor, float],
        *,
        step: int,
        schedule: Schedule,
        ema_decay: float,
        rescale: Rescale,
    ) -> Tensor | None:
        """Move the due statistics towards what was collected and invert them.

        A schedule that compares makes the host wait, once for all statistics.

        Args:
            dampings: λ by trained parameter; a block takes that of its first one.
            step: The step that this is.
            schedule: Sets when each statistic is refreshed next.
            ema_decay: Weight of the old averages, in [0, 1).
            rescale: Of squared gradients.

        Returns:
            Whether any inverse failed, as a tensor on the model's device; ``None``
            where nothing can fail.
        """
        failures: list[Tensor] = []
        refreshed: list[_Refresh] = []
        measured: dict[CurvatureBlock, dict[str, Tensor]] = {}
        for block in self.observer.due:
            measured[block] = block.measure(rescale)
            block.forget()  # one of the two at a time
        means = self._division.means_at_owners(measured)
        for block, due in self.observer.due.items():
            for name in sorted(due):  # alike on all ranks
                statistic = block.statistics[name]
                if name not in measured[block]:
                    statistic.delay(step)  # the layer took no part in this step
                    continue
                if block in means:
                    changes = statistic.update(
                        means[block][name],
                        ema_decay=ema_decay,
                        compares=schedule.compares,
                    )
                else:
                    changes = statistic.note_update(
                        measured[block][name], compares=schedule.compares
                    )
                refreshed.append(_Refresh(block, statistic, changes))
            if means.get(block):
                damping = dampings[block.parts[0].parameter]
                failed = block.invert(set(means[block]), damping)
                failures += [] if failed is None else [failed.any()]
        self._division.share_inverses(measured)
        self.observer.forget()
        self._reschedule(refreshed, schedule, step)
        return torch.stack(failures).any() if failures else None

    def directions(
        self, gradient_of: GradientOf, difference_of: GradientOf | None = None
    ) -> dict[Tensor, Tensor]:
        """Return the preconditioned gradient of every parameter that has one.

        Args:
            gradient_of: The gradient of a parameter.
            difference_of: The difference between the gradients of two halves of the
                batch, where their projection is wanted.

        Returns:
            New tensors of the parameters' shapes.
        """
        blocks: list[CurvatureBlock] = []
        found: list[Tensor] = []
        for block in self.blocks.values():
            gradient = block.gather(gradient_of)
            if gradient is None or not _is_known(block):
                continue
            blocks.append(block)
            if self._division.holds(block):
                found.append(_direction(block, gradient, difference_of))
            else:
                found.append(torch.empty_like(widened(gradient)))
        self._division.share_directions(found, blocks)
        directions: dict[Tensor, Tensor] = {}
        for block, direction in zip(blocks, found, strict=True):
            for part, values in block.scatter(direction):
                _put(directions, part, values)
        return directions

    def state_dict(self) -> dict[str, Any]:
        """Return the complete state of all blocks by name; all ranks take part."""
        own = [name for name, each in self.blocks.items() if self._division.owns(each)]
        states = {name: block_state(block) for name, block in self.blocks.items()}
        return self._division.collected(states, own)

    def load_state_dict(self, states: Mapping[str, Any]) -> None:
        """Set all blocks to a state.

        Args:
            states: What ``state_dict`` gave, on any number of ranks.

        Raises:
            ValueError: If it is that of another model.
        """
        if differing := self.blocks.keys() ^ states.keys():
            raise ValueError(
                "this state_dict is of another model: only one of the two covers "
                f"{', '.join(sorted(differing))}"
            )
        for name, state in states.items():
            load_block(self.blocks[name], state)
        self._division.release(self.blocks.values())

    def _reschedule(
        self, refreshed: list["_Refresh"], schedule: Schedule, step: int
    ) -> None:
        """Set the paces; where a schedule compares, by one transfer to the host."""
        known = [each for each in refreshed if each.changes is not None]
        changes = [each.changes.float() for each in known if each.changes is not None]
        self._division.share(changes, [each.block for each in known])
        numbers = iter(torch.stack(changes).tolist() if changes else [])
        for each in refreshed:
            last, earlier = (0.0, 0.0) if each.changes is None else next(numbers)
            pace = each.statistic.pace
            each.statistic.pace = schedule.after(step, pace, last, earlier)


@dataclass(frozen=True)
class _Refresh:
    """A statistic that was refreshed, and how far it moved if that is asked for."""

    block: CurvatureBlock
    statistic: Statistic
    changes: Tensor | None


def _is_known(block: CurvatureBlock) -> bool:
    """Tell whether some rank has the block's inverses; all ranks agree on it."""
    return all(statistic.num_updates for statistic in block.statistics.values())


def _direction(
    block: CurvatureBlock, gradient: Tensor, difference_of: GradientOf | None
) -> Tensor:
    """Precondition a block's gradient, and project it where that is wanted."""
    direction = block.apply_inverse(gradient)
    difference = None if difference_of is None else block.gather(difference_of)
    if difference is None:
        return direction
    return projected_direction(
        gradient,
        difference,
        block.apply(gradient),
        direction,
        block.apply_inverse(difference),
    )


def _put(directions: dict[Tensor, Tensor], part: Part, values: Tensor) -> None:
    """Enter a direction, or the rows of one, in the parameter's own precision."""
    whole = part.parameter
    if part.rows is None:
        directions[whole] = values.to(whole.dtype)
        return
    if whole not in directions:
        directions[whole] = torch.zeros_like(whole)
    part.of(directions[whole]).copy_(values)
