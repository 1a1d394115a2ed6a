from dataclasses import replace

import pytest
import torch
from jaxtyping import TypeCheckError

from cocodesign.skeleton import JointLayout, SkeletonDataset, SkeletonSequence


def test_zeros_and_nan_are_missing_joints(kinect: JointLayout) -> None:
    positions = torch.ones(3, 4, 20, 1)
    positions[:, 1, 2] = 0
    positions[1, 2, 3] = torch.nan
    clip = SkeletonSequence.of(positions, kinect)
    assert (~clip.visible).nonzero().tolist() == [[1, 2, 0], [2, 3, 0]]
    assert clip.positions[:, 2, 3].tolist() == [[0], [0], [0]]


def test_a_joint_on_one_axis_is_not_missing(kinect: JointLayout) -> None:
    positions = torch.ones(3, 4, 20, 1)
    positions[:2, 0, 0] = 0
    assert SkeletonSequence.of(positions, kinect).visible.all()


def test_losing_joints_leaves_the_original_alone(standing: SkeletonSequence) -> None:
    lost = standing.without_joints(["head", "left_hand"])
    assert lost.visible.sum() == standing.visible.sum() - 2 * standing.num_frames
    assert standing.visible.all()
    assert (lost.positions[:, :, 3] == 0).all()
    assert standing.without_joints([]) is standing


def test_refuses_arrays_of_different_lengths(standing: SkeletonSequence) -> None:
    with pytest.raises((ValueError, TypeCheckError), match="visible"):
        replace(standing, positions=torch.zeros(3, 5, 20, 1))


def test_refuses_infinite_coordinates(standing: SkeletonSequence) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        replace(standing, positions=torch.full((3, 20, 20, 1), torch.inf))


def test_refuses_another_number_of_joints(kinect: JointLayout) -> None:
    with pytest.raises(ValueError, match="17 joints, but layout kinect_v1 has 20"):
        SkeletonSequence.of(torch.ones(3, 2, 17, 1), kinect)


def test_refuses_a_clip_without_frames(kinect: JointLayout) -> None:
    with pytest.raises(ValueError, match="no frame"):
        SkeletonSequence.of(torch.ones(3, 0, 20, 1), kinect)


def test_a_data_set_refuses_labels_without_a_class(standing: SkeletonSequence) -> None:
    with pytest.raises(ValueError, match="label 2, but there are 2 classes"):
        SkeletonDataset(
            "two", standing.layout, ("a", "b"), (replace(standing, label=2),)
        )


def test_labels_of_unlabelled_clips_are_refused(standing: SkeletonSequence) -> None:
    dataset = SkeletonDataset("two", standing.layout, ("a",), (standing,))
    with pytest.raises(ValueError, match="1 clips lack a label"):
        _ = dataset.labels


def test_a_subset_keeps_the_order_of_the_indices(two_moves: SkeletonDataset) -> None:
    subset = two_moves.subset([3, 0])
    assert [clip.name for clip in subset.sequences] == ["3", "0"]
    assert subset.labels.tolist() == [1, 0]
