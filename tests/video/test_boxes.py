import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torchvision.ops import box_iou

from cocodesign.video.boxes import covered_fractions, overlaps

BOXES = hnp.arrays(
    float, st.tuples(st.integers(1, 6), st.just(4)), elements=st.integers(0, 50)
).map(lambda each: np.column_stack([each[:, :2], each[:, :2] + each[:, 2:] + 1]))


@given(BOXES, BOXES)
def test_overlaps_are_those_of_torchvision(boxes, others) -> None:
    expected = box_iou(torch.from_numpy(boxes), torch.from_numpy(others)).numpy()
    np.testing.assert_allclose(overlaps(boxes, others), expected)


def test_a_box_without_area_overlaps_nothing() -> None:
    flat = np.array([[3.0, 3, 3, 9]])
    assert overlaps(flat, flat) == 0


def test_covered_fraction_is_of_the_first_box() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [50, 50, 60, 60]])
    others = np.array([[0.0, 0, 100, 5]])
    assert covered_fractions(boxes, others).tolist() == [0.5, 0.0]
    assert covered_fractions(boxes, others[:0]).tolist() == [0.0, 0.0]
