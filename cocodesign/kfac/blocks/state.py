"""What of a block outlives a step, as plain values and tensors."""

from typing import Any

from cocodesign.kfac.blocks.bias import BiasBlock
from cocodesign.kfac.blocks.kronecker import KroneckerBlock
from cocodesign.kfac.blocks.unit_wise import UnitWiseBlock

CurvatureBlock = KroneckerBlock | UnitWiseBlock | BiasBlock


def block_state(block: CurvatureBlock) -> dict[str, Any]:
    """Return the statistics and the escalation of a block.

    Args:
        block: Any block.

    Returns:
        References to its tensors, none of which is changed in place later.
    """
    state: dict[str, Any] = {
        name: statistic.state_dict() for name, statistic in block.statistics.items()
    }
    if not isinstance(block, UnitWiseBlock) and block.escalation is not None:
        state["escalation"] = block.escalation
    return state


def load_block(block: CurvatureBlock, state: dict[str, Any]) -> None:
    """Set a block to a state, on the device of its parameters.

    Args:
        block: A block of the same parameters.
        state: What ``block_state`` gave.
    """
    device = block.parts[0].parameter.device
    for name, statistic in block.statistics.items():
        statistic.load_state_dict(state[name], device)
    if not isinstance(block, UnitWiseBlock):
        escalation = state.get("escalation")
        block.escalation = None if escalation is None else escalation.to(device)
