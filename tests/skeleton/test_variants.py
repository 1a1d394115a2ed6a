from collections import Counter

import pytest
import torch

from cocodesign.skeleton import load_layout
from cocodesign.skeleton.layouts import layout_names
from cocodesign.skeleton.variants import (
    build_variant,
    deal_out_joints,
    in_one_part,
    num_parameters,
)


@pytest.mark.parametrize("name", layout_names())
def test_dealing_out_keeps_sizes_joints_and_normalisation(name, generator) -> None:
    layout = load_layout(name)
    dealt = deal_out_joints(layout, generator)
    assert dealt.joints == layout.joints
    assert dealt.body == layout.body
    sizes = [
        [len(joints) for joints in each.parts.values()] for each in (layout, dealt)
    ]
    assert sizes[0] == sizes[1]
    counts = [
        sorted(Counter(j for joints in each.parts.values() for j in joints).values())
        for each in (layout, dealt)
    ]
    assert counts[0] == counts[1]
    assert dealt.parts != layout.parts


def test_one_part_has_all_joints_and_begins_at_the_centre(kinect) -> None:
    joints = in_one_part(kinect).parts["body"]
    assert joints[0] == "hip_centre"
    assert sorted(joints) == sorted(kinect.joints)


@pytest.mark.parametrize("num_persons", [1, 2])
def test_the_flat_network_has_as_many_parameters(kinect, generator, num_persons):
    ours, flat = (
        build_variant(variant, kinect, 10, num_persons=num_persons, generator=generator)
        for variant in ("fine_to_coarse", "flat")
    )
    assert num_parameters(flat) == pytest.approx(num_parameters(ours), rel=0.06)
    assert flat(torch.zeros(1, 4, 64, 20, num_persons)).shape == (1, 10)


@pytest.mark.parametrize(
    "variant", ["random_parts", "whole_body", "body_part", "no_segments"]
)
def test_every_variant_scores_clips(kinect, generator, variant) -> None:
    network = build_variant(variant, kinect, 4, num_persons=1, generator=generator)
    assert network(torch.zeros(2, 4, 64, 20, 1)).shape == (2, 4)
