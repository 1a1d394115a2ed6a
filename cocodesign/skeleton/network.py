"""The Fine-to-Coarse network: from joints to the body, from moments to the clip.

A clip goes through four levels, each coarser than the one before in space or in time::

    stems     every part of the body by itself, every temporal segment by itself
    regions   parts joined to regions, neighbouring segments joined in pairs
    body      regions joined to the body, segments joined in pairs again
    clip      the last segments joined to the clip; each person beside the other

Letters in shapes: ``N`` clips, ``M`` persons, ``C`` channels, ``T`` frames, ``V``
joints, ``P`` parts, ``J`` joints of the largest part, ``S`` segments, ``L`` their
length.

Source: Le, Inoue & Shinoda (2018), "A Fine-to-Coarse Convolutional Neural Network for
3D Human Action Recognition", BMVC, arXiv:1805.11790, abstract and Figure 1: whole-body
and body-part features, temporal segments, and a convolutional network that goes from
fine to coarse. The sizes of the original are unknown to us. What we do otherwise, or do
not know to be the same:

* convolutions run over time only, and a part's joints are their channels, since joints
  have no natural order along an axis;
* whole-body features are relative to the body's centre averaged over the clip, not of
  each frame, so that the body's way is seen;
* frames also say which joints are visible; a part without a visible joint is silent at
  its stem, so that coarser levels see it as absent;
* strides of two stand for pooling;
* two persons share all weights; they meet at the level of the clip, and the largest
  value of the two goes on to the classes.
"""

import copy
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import fusion

from cocodesign.skeleton.layouts import JointLayout

Features = Literal["both", "whole_body", "body_part"]
"""Relative to what places are given: to the body's centre averaged over the clip (whole
body), to the centre of the joint's part in the frame (body part), or to both."""

WIDTHS = (24, 48, 96, 96)
"""Channels of each part, each region, the body, and the clip."""

_STAND_IN = 1e-3  # weight of other joints in a centre: felt only where its own are gone
_NOTHING = 1e-6  # less than any weight: divides the zero sum of an empty centre
_NUM_MOMENTS = 4  # of a clip that the classes are judged by: what comes first matters


class FineToCoarse(nn.Module):
    """A network from normalised clips, as ``prepare`` gives them, to class scores.

    Weights come from torch's global generator: build the network inside
    ``seeding.seeded_globally``.

    Args:
        layout: The joints, their parts and their regions.
        num_classes: Number of scores.
        num_persons: 1 or 2. Persons share all weights, and their order does not matter.
        num_segments: Into how many segments time is cut, a power of two. Each reaches
            half its length into its neighbours. 1 leaves time whole.
        widths: Channels of each part, each region, the body, and the clip.
        features: Relative to what places are given.
        dropout: Fraction of the clip's channels that training hides from the classes.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> from cocodesign.skeleton.layouts import load_layout
        >>> network = FineToCoarse(load_layout("kinect_v1"), 10)
        >>> tuple(network(torch.zeros(2, 4, 64, 20, 1)).shape)
        (2, 10)
    """

    centre_weights: Tensor
    part_slots: Tensor
    centre_of_slot: Tensor
    region_slots: Tensor

    def __init__(
        self,
        layout: JointLayout,
        num_classes: int,
        *,
        num_persons: int = 1,
        num_segments: int = 8,
        widths: Sequence[int] = WIDTHS,
        features: Features = "both",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if num_persons not in (1, 2):
            raise ValueError(f"num_persons must be 1 or 2, got {num_persons}")
        if num_segments not in (1, 2, 4, 8):
            raise ValueError(f"num_segments must be 1, 2, 4 or 8, got {num_segments}")
        if features not in get_args(Features):
            raise ValueError(f"features {features!r}: one of {get_args(Features)}")
        self.num_persons = num_persons
        self.num_segments = num_segments
        self.features = features
        self.widths = tuple(widths)
        parts = [layout.indices(names) for names in layout.parts.values()]
        order = list(layout.parts)
        regions = [
            [order.index(name) for name in names] for names in layout.regions.values()
        ]
        part_slots = _padded(parts, filler=layout.num_joints)
        region_slots = _padded(regions, filler=len(parts))
        centre_of_slot = torch.arange(len(parts))[:, None].expand_as(part_slots)
        constants = {
            "centre_weights": _centre_weights(layout),
            "part_slots": part_slots.flatten(),
            "centre_of_slot": centre_of_slot.flatten(),
            "region_slots": region_slots.flatten(),
        }
        for name, constant in constants.items():
            self.register_buffer(name, constant, persistent=False)
        self.num_parts = len(parts)
        channels = 3 * (2 if features == "both" else 1) + 1
        part, region, body, clip = widths
        self.stems = _block(channels * part_slots.shape[1], part, 2, groups=len(parts))
        self.segments = _block(part, part, 4, groups=len(parts))
        self.regions = _block(
            part * region_slots.shape[1], region, 4, groups=len(regions)
        )
        self.body = _block(region * len(regions), body, 4)
        self.clip = _block(body * num_persons, clip, 3)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(_NUM_MOMENTS * clip, num_classes)

    def forward(
        self, clips: Float[Tensor, "N 4 T V M"]
    ) -> Float[Tensor, "N num_classes"]:
        """Return one score per class.

        Args:
            clips: Normalised coordinates and visibility; T is a multiple of four times
                the number of segments.

        Returns:
            Scores before softmax.
        """
        return self.head(self.dropout(self.embed(clips)))

    def embed(self, clips: Float[Tensor, "N 4 T V M"]) -> Float[Tensor, "N embedding"]:
        """Return what the classes are judged by.

        Args:
            clips: As for ``forward``.

        Returns:
            Each channel at four moments of the clip, of each the largest value over the
            persons who are there. No value is negative, so that 0 stands for a person
            who is not there.

        Raises:
            ValueError: If the numbers of frames or persons do not fit the network.
        """
        num_clips, _, num_frames, _, num_persons = clips.shape
        if num_frames % (4 * self.num_segments) or num_persons != self.num_persons:
            raise ValueError(
                f"clips of {num_frames} frames, {num_persons} persons: frames must be "
                f"a multiple of {4 * self.num_segments}, persons {self.num_persons}"
            )
        features, visible = self._part_features(clips)
        x = self.segments(_cut(self.stems(features), self.num_segments))
        is_present = _cut(visible, self.num_segments).amax(dim=2)
        x = x.unflatten(1, (self.num_parts, -1)) * is_present[..., None, None]
        x = functional.pad(x, (0, 0, 0, 0, 0, 1))[:, self.region_slots].flatten(1, 2)
        is_there = clips[:, 3].amax(dim=(1, 2))  # N M
        num_segments = self.num_segments
        for coarser in (self.regions, self.body, self.clip):
            if num_segments > 1:
                x = _join_neighbours(x)
                num_segments //= 2
            if coarser is self.clip and self.num_persons > 1:
                x = _beside_the_other(x, is_there)
            x = coarser(x)
        x = functional.adaptive_avg_pool1d(x, _NUM_MOMENTS).flatten(1)
        return (x.unflatten(0, (num_clips, -1)) * is_there[..., None]).amax(dim=1)

    def fused(self) -> "FineToCoarse":
        """Return a copy for evaluation, normalisation folded into the convolutions.

        Returns:
            A network of the same scores, up to rounding, and fewer operations.
        """
        network = copy.deepcopy(self).eval()
        for name, block in network.named_children():
            if isinstance(block, nn.Sequential):
                convolution, normalisation, rectifier = block
                assert isinstance(convolution, nn.Conv1d)
                assert isinstance(normalisation, nn.BatchNorm1d)
                fused = fusion.fuse_conv_bn_eval(convolution, normalisation)
                setattr(network, name, nn.Sequential(fused, rectifier))
        return network

    def _part_features(
        self, clips: Float[Tensor, "N 4 T V M"]
    ) -> tuple[
        Float[Tensor, "clip_person channels T"], Float[Tensor, "clip_person P T"]
    ]:
        """Lay out what each part's stem sees, and whether the part is visible."""
        # One joint more, of zeros, for the slots that small parts leave empty.
        x = functional.pad(clips.permute(0, 4, 1, 3, 2), (0, 0, 0, 1))  # N M C V T
        visible = x[:, :, 3:]
        places = x[:, :, :3] * visible
        weights = self.centre_weights
        centres = (weights @ places) / (weights @ visible).clamp_min(_NOTHING)
        visible = visible[..., self.part_slots, :]
        places = places[..., self.part_slots, :]
        features = []
        if self.features != "body_part":
            features.append(places)
        if self.features != "whole_body":
            features.append((places - centres[..., self.centre_of_slot, :]) * visible)
        x = torch.cat([*features, visible], dim=2)
        x = x.unflatten(3, (self.num_parts, -1)).transpose(2, 3)  # N M P C J T
        is_visible = x[:, :, :, -1].amax(dim=3)
        return x.flatten(0, 1).flatten(1, 3), is_visible.flatten(0, 1)


def _block(in_width: int, out_width: int, kernel: int, *, groups: int = 1) -> nn.Module:
    """Convolve each group over time, normalise, rectify; even kernels halve time."""
    is_even = kernel % 2 == 0
    convolution = nn.Conv1d(
        groups * in_width,
        groups * out_width,
        kernel,
        stride=2 if is_even else 1,
        padding=(kernel - 1) // 2,
        groups=groups,
        bias=False,  # batch normalisation subtracts it again
    )
    return nn.Sequential(convolution, nn.BatchNorm1d(groups * out_width), nn.ReLU())


def _cut(x: Float[Tensor, "N C T"], num_segments: int) -> Float[Tensor, "_ C L"]:
    """Cut time into segments that reach half a length into their neighbours."""
    if num_segments == 1:
        return x
    hop = x.shape[2] // num_segments
    margin = hop // 2
    x = functional.pad(x, (margin, margin), mode="replicate")
    return x.unfold(2, hop + 2 * margin, hop).transpose(1, 2).flatten(0, 1)


def _join_neighbours(x: Float[Tensor, "_ C L"]) -> Float[Tensor, "_ C 2*L"]:
    """Join every second segment with the one after it."""
    return x.unflatten(0, (-1, 2)).transpose(1, 2).flatten(2, 3)


def _beside_the_other(
    x: Float[Tensor, "_ C L"], is_there: Float[Tensor, "N 2"]
) -> Float[Tensor, "_ 2*C L"]:
    """Put the channels of the other person, if there is one, below a person's own."""
    persons = x.unflatten(0, (-1, 2))
    others = persons.flip(1) * is_there.flip(1)[..., None, None]
    return torch.cat([persons, others], dim=2).flatten(0, 1)


def _padded(
    groups: Sequence[Sequence[int]], *, filler: int
) -> Int[Tensor, "group most"]:
    most = max(len(group) for group in groups)
    return torch.tensor([[*group, *[filler] * (most - len(group))] for group in groups])


def _centre_weights(layout: JointLayout) -> Float[Tensor, "P slot"]:
    """Return the weights of the joints and the empty slot in each part's centre."""
    weights = torch.zeros(len(layout.parts), layout.num_joints + 1)
    for row, joints in enumerate(layout.parts.values()):
        members = layout.indices(joints)
        weights[row, members] = _STAND_IN
        weights[row, members[0]] = 1.0
    return weights
