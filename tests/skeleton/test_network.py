import pytest
import torch
from torch import Tensor

from cocodesign.skeleton import FineToCoarse, JointLayout, load_layout
from cocodesign.skeleton.layouts import layout_names


def clips_of(layout: JointLayout, num_persons: int = 1, num: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (num, 4, 64, layout.num_joints, num_persons)
    clips = torch.randn(shape, generator=generator)
    clips[:, 3] = 1
    return clips


def lively(layout: JointLayout, num_classes: int = 5, **options) -> FineToCoarse:
    """Return a network in evaluation whose normalisation has seen clips."""
    network = FineToCoarse(layout, num_classes, **options)
    for _ in range(3):
        network(clips_of(layout, network.num_persons, num=8))
    return network.eval()


def lose(clips: Tensor, joints: list[int]) -> Tensor:
    damaged = clips.clone()
    damaged[:, :, :, joints] = 0
    return damaged


@pytest.mark.parametrize("name", layout_names())
@pytest.mark.parametrize("num_persons", [1, 2])
def test_scores_every_layout_with_few_parameters(name: str, num_persons: int) -> None:
    layout = load_layout(name)
    network = FineToCoarse(layout, 60, num_persons=num_persons)
    assert network(clips_of(layout, num_persons)).shape == (3, 60)
    assert sum(each.numel() for each in network.parameters()) <= 250_000


def test_the_order_of_persons_does_not_matter(kinect: JointLayout) -> None:
    network, clips = lively(kinect, num_persons=2), clips_of(kinect, 2)
    assert torch.allclose(network(clips), network(clips.flip(4)), atol=1e-5)


def test_a_person_who_is_not_there_changes_nothing(kinect: JointLayout) -> None:
    network, clips = lively(kinect, num_persons=2), clips_of(kinect, 2)
    clips[..., 1] = 0
    noise = clips.clone()
    noise[:, :3, ..., 1] = 7.0  # invisible
    assert torch.allclose(network(clips), network(noise), atol=1e-5)


def test_what_is_invisible_is_not_looked_at(kinect: JointLayout) -> None:
    network = lively(kinect)
    lost = lose(clips_of(kinect), kinect.indices(["left_hand", "hip_centre"]))
    disturbed = lost.clone()
    disturbed[:, :3, :, kinect.indices(["left_hand", "hip_centre"])] = 9.0
    assert torch.allclose(network(lost), network(disturbed), atol=1e-4)


def test_scores_stay_finite_whatever_is_missing(kinect: JointLayout) -> None:
    network, clips = lively(kinect), clips_of(kinect)
    for part in kinect.parts.values():
        assert network(lose(clips, kinect.indices(part))).isfinite().all()
    assert network(torch.zeros_like(clips)).isfinite().all()


def test_a_part_without_a_joint_is_silent_at_its_stem(kinect: JointLayout) -> None:
    """Weights of a lost part's stem and segments no longer matter."""
    network, clips = lively(kinect), clips_of(kinect)
    arm = list(kinect.parts).index("left_arm")
    lost = lose(clips, kinect.indices(kinect.parts["left_arm"]))
    before = network(lost)
    with torch.no_grad():
        for convolution in (network.stems[0], network.segments[0]):
            rows = convolution.weight.unflatten(0, (network.num_parts, -1))
            rows[arm] = 100.0
    assert torch.allclose(network(lost), before, atol=1e-5)
    assert not torch.allclose(network(clips), before, atol=1e-2)


def test_segments_do_not_see_each_other_at_the_finest_level(kinect) -> None:
    network = lively(kinect)
    clips = clips_of(kinect, num=1)
    changed = clips.clone()
    changed[:, :, :8] += torch.randn(8, 20, 1)  # the first of eight segments
    seen: list[Tensor] = []
    network.segments.register_forward_hook(lambda *call: seen.append(call[2]))
    network(clips), network(changed)
    difference = (seen[0] - seen[1]).abs().amax((1, 2))
    assert difference[0] > 0
    assert (difference[2:] == 0).all()  # the second reaches into the first


@pytest.mark.parametrize("num_segments", [1, 2, 4, 8])
def test_the_size_does_not_depend_on_the_number_of_segments(kinect, num_segments):
    network = FineToCoarse(kinect, 10, num_segments=num_segments)
    assert network(clips_of(kinect)).shape == (3, 10)
    one = FineToCoarse(kinect, 10, num_segments=1)
    count = [sum(p.numel() for p in each.parameters()) for each in (network, one)]
    assert count[0] == count[1]


@pytest.mark.parametrize("num_persons", [1, 2])
def test_the_fused_network_gives_the_same_scores(kinect, num_persons) -> None:
    network, clips = (
        lively(kinect, num_persons=num_persons),
        clips_of(kinect, num_persons),
    )
    fused = network.fused()
    assert torch.allclose(network(clips), fused(clips), atol=1e-5)
    assert not [m for m in fused.modules() if isinstance(m, torch.nn.BatchNorm1d)]


def test_features_of_one_kind_have_fewer_channels(kinect: JointLayout) -> None:
    widths = {
        kind: FineToCoarse(kinect, 2, features=kind).stems[0].in_channels
        for kind in ("both", "whole_body", "body_part")
    }
    per_channel = 4 * 5  # joints of a part, parts
    assert widths["both"] == 7 * per_channel
    assert widths["whole_body"] == widths["body_part"] == 4 * per_channel


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_persons": 3}, "num_persons must be 1 or 2"),
        ({"num_segments": 3}, "num_segments must be"),
    ],
)
def test_refuses_what_it_cannot_build(kinect, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        FineToCoarse(kinect, 5, **options)


def test_refuses_frames_that_cannot_be_cut(kinect: JointLayout) -> None:
    with pytest.raises(ValueError, match="50 frames"):
        FineToCoarse(kinect, 5)(torch.zeros(1, 4, 50, 20, 1))
