"""The curvature block of one layer: what it collects, keeps and applies.

A block's gradient is a tensor that holds all its parameters in the block's own order:
a matrix ``∇W | ∇b`` (one for each group), a bias, or scale above shift. ``gather`` and
``scatter`` convert; ``apply`` multiplies with the Fisher block, ``apply_inverse`` with
its damped inverse.
"""

from cocodesign.kfac.blocks.bias import BiasBlock
from cocodesign.kfac.blocks.kronecker import KroneckerBlock, WeightSharing
from cocodesign.kfac.blocks.part import GradientOf, Part, Rescale
from cocodesign.kfac.blocks.state import CurvatureBlock, block_state, load_block
from cocodesign.kfac.blocks.unit_wise import UnitWiseBlock

__all__ = [
    "BiasBlock",
    "CurvatureBlock",
    "GradientOf",
    "KroneckerBlock",
    "Part",
    "Rescale",
    "UnitWiseBlock",
    "WeightSharing",
    "block_state",
    "load_block",
]
