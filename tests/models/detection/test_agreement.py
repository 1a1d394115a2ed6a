"""Average precision of boxes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cocodesign.models.detection import Detections, box_average_precision
from tests.references.box_precision import average_precision

corner = st.integers(0, 3)
side = st.integers(1, 3)
box = st.tuples(corner, corner, side, side).map(
    lambda b: (float(b[0]), float(b[1]), float(b[0] + b[2]), float(b[1] + b[3]))
)
pictures = st.lists(
    st.tuples(st.lists(box, max_size=4), st.lists(box, max_size=3)),
    min_size=1,
    max_size=3,
)


def detections(scored):
    boxes = torch.tensor([b for _, b in scored]).reshape(-1, 4)
    scores = torch.tensor([s for s, _ in scored])
    return Detections(boxes, scores, torch.zeros(len(scored), dtype=torch.long))


@settings(max_examples=60, deadline=None)
@given(pictures, st.randoms(use_true_random=False))
def test_equals_the_definition(drawn, random):
    # One score per box, so that no tie has to be broken.
    scores = [n / 64 for n in range(1, 64)]
    random.shuffle(scores)
    found = [[(scores.pop(), b) for b in boxes] for boxes, _ in drawn]
    truth = [boxes for _, boxes in drawn]
    if not any(truth):
        return
    expected = average_precision(found, truth, 0.5)
    actual = box_average_precision(
        [detections(each) for each in found],
        [torch.tensor(boxes).reshape(-1, 4) for boxes in truth],
    )
    assert actual == pytest.approx(expected, abs=1e-6)


def test_a_second_detection_of_one_object_is_wrong():
    same = [(0.9, (0.0, 0.0, 2.0, 2.0)), (0.8, (0.0, 0.0, 2.0, 2.0))]
    truth = [torch.tensor([[0.0, 0.0, 2.0, 2.0], [5.0, 5.0, 6.0, 6.0]])]
    assert box_average_precision([detections(same)], truth) == pytest.approx(0.5)


def test_refuses_what_has_no_average_precision():
    nothing = detections([])
    with pytest.raises(ValueError, match="without a given box"):
        box_average_precision([nothing], [torch.zeros(0, 4)])
    with pytest.raises(ValueError, match="1 pictures were searched, 2 have boxes"):
        box_average_precision([nothing], [torch.ones(1, 4)] * 2)
