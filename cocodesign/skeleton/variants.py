"""The network and what the paper's idea is tested against.

========================  =======================================================
``fine_to_coarse``        the network itself
``random_parts``          joints dealt out to the parts at random
``whole_body``            places relative to the body's centre only
``body_part``             places relative to the part's centre only
``no_segments``           time is not cut
``flat``                  all joints in one part, time not cut: a plain CNN over time,
                          widened to at least as many parameters as the network has
========================  =======================================================
"""

import bisect
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import torch

from cocodesign.skeleton.layouts import JointLayout
from cocodesign.skeleton.network import WIDTHS, Features, FineToCoarse

Variant = Literal[
    "fine_to_coarse", "random_parts", "whole_body", "body_part", "no_segments", "flat"
]


VARIANTS: tuple[Variant, ...] = get_args(Variant)

_WIDEST = 256  # of the flat network's first layer


def build_variant(
    variant: Variant,
    layout: JointLayout,
    num_classes: int,
    *,
    num_persons: int,
    generator: torch.Generator,
) -> FineToCoarse:
    """Build the network or one of its ablations.

    Args:
        variant: Which one.
        layout: The joints.
        num_classes: Number of scores.
        num_persons: 1 or 2.
        generator: Deals out the joints of ``random_parts``.

    Returns:
        A fresh network, its weights from torch's global generator.

    Raises:
        ValueError: If there is no such variant.
    """

    def build(
        variant_layout: JointLayout = layout,
        *,
        num_segments: int = 8,
        features: Features = "both",
        widths: Sequence[int] = WIDTHS,
    ) -> FineToCoarse:
        return FineToCoarse(
            variant_layout,
            num_classes,
            num_persons=num_persons,
            num_segments=num_segments,
            features=features,
            widths=widths,
        )

    match variant:
        case "fine_to_coarse":
            return build()
        case "random_parts":
            return build(deal_out_joints(layout, generator))
        case "whole_body" | "body_part":
            return build(features=variant)
        case "no_segments":
            return build(num_segments=1)
        case "flat":
            target, flat_layout = num_parameters(build()), in_one_part(layout)

            def build_flat(width: int) -> FineToCoarse:
                widths = (width, 2 * width, 2 * width, 2 * width)
                return build(flat_layout, num_segments=1, widths=widths)

            width = bisect.bisect_left(
                range(_WIDEST),
                target,
                lo=1,
                key=lambda width: num_parameters(build_flat(width)),
            )
            return build_flat(width)
    raise ValueError(f"there is no variant {variant!r}")


def num_parameters(network: torch.nn.Module) -> int:
    """Return how many trained numbers a network has."""
    return sum(parameter.numel() for parameter in network.parameters())


def deal_out_joints(layout: JointLayout, generator: torch.Generator) -> JointLayout:
    """Return a layout whose parts have the same sizes, but joints at random.

    Args:
        layout: The layout.
        generator: Where chance comes from.

    Returns:
        A layout of the same joints in the same order; what normalises positions stays.
    """
    order = torch.randperm(layout.num_joints, generator=generator).tolist()
    dealt = {
        joint: layout.joints[to] for joint, to in zip(layout.joints, order, strict=True)
    }
    parts = {
        part: tuple(dealt[joint] for joint in joints)
        for part, joints in layout.parts.items()
    }
    return replace(layout, name=f"{layout.name}, dealt out", parts=parts)


def in_one_part(layout: JointLayout) -> JointLayout:
    """Return a layout whose only part has all joints, the body's centre first."""
    centre = layout.body["centre"][0]
    joints = (centre, *(joint for joint in layout.joints if joint != centre))
    return replace(
        layout,
        name=f"{layout.name}, in one part",
        parts={"body": joints},
        regions={"body": ("body",)},
    )
