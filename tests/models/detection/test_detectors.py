"""From the numbers of a network to boxes in a frame."""

import pytest
import torch

from cocodesign.errors import DataFormatError
from cocodesign.models import open_detector
from cocodesign.models.detection import (
    COCO_CLASSES,
    CenterNet,
    NanoDet,
    box_average_precision,
)
from cocodesign.models.detection.detections import keep_best

FRAME = torch.zeros(104, 208, 3, dtype=torch.uint8)  # a quarter and half of 416


def nanodet_network(cell, class_index, distances):
    """Return a network that sees one object at one cell of the coarsest grid."""

    def network(_pictures):
        scores = [torch.zeros(1, n, 80) for n in (52 * 52, 26 * 26, 13 * 13)]
        bins = [torch.zeros(1, n, 44) for n in (52 * 52, 26 * 26, 13 * 13)]
        scores[2][0, cell, class_index] = 0.9
        for side, distance in enumerate(distances):
            bins[2][0, cell, side * 11 + distance] = 100.0  # all of the probability
        return (*scores, *bins)

    return network


def test_nanodet_measures_sides_from_the_middle_of_a_cell():
    network = nanodet_network(13 * 2 + 5, 16, (1, 0, 2, 3))
    found = NanoDet(network).detect(FRAME)
    # Cell (2, 5) of stride 32 has its middle at (176, 80) of 416 x 416.
    expected = torch.tensor([[(176 - 32) / 2, 80 / 4, (176 + 64) / 2, (80 + 96) / 4]])
    torch.testing.assert_close(found.boxes, expected)
    assert COCO_CLASSES[found.classes.item()] == "dog"
    assert found.scores.item() == pytest.approx(0.9)


def test_nanodet_scores_classes_by_their_best_cell():
    scores = NanoDet(nanodet_network(0, 3, (0, 0, 0, 0))).score_classes(FRAME)
    assert scores.nonzero().flatten().tolist() == [3]


def test_nanodet_gets_blue_green_and_red():
    seen = []

    def network(pictures):
        seen.append(pictures)
        return nanodet_network(0, 0, (0, 0, 0, 0))(pictures)

    frame = torch.zeros(8, 8, 3, dtype=torch.uint8)
    frame[..., 0] = 200  # red
    NanoDet(network).detect(frame)
    blue, _, red = seen[0][0, :, 0, 0].tolist()
    assert blue == pytest.approx((0 - 103.53) / 57.375)
    assert red == pytest.approx((200 - 123.675) / 58.395)


def test_centernet_rows_become_boxes_of_the_frame():
    rows = torch.zeros(1, 100, 6)
    rows[0, 0] = torch.tensor([128.0, 256.0, 256.0, 512.0, 0.7, 2.0])
    rows[0, 1] = torch.tensor([130.0, 256.0, 256.0, 512.0, 0.6, 2.0])
    detector = CenterNet(lambda _pictures: (rows,))
    found = detector.detect(FRAME)
    assert found.boxes.tolist() == [[52.0, 52.0, 104.0, 104.0]]
    assert found.of_class(2).scores.tolist() == pytest.approx([0.7])
    assert len(found.of_class(0)) == 0
    assert detector.score_classes(FRAME)[2].item() == pytest.approx(0.7)


def test_boxes_end_at_the_edge_and_classes_do_not_suppress_each_other():
    boxes = torch.tensor([[-5.0, 2.0, 20.0, 50.0], [-4.0, 2.0, 20.0, 50.0]])
    scores = torch.tensor([[0.9, 0.0], [0.8, 0.7]])
    found = keep_best(boxes, scores, size=(10, 15), min_score=0.5, max_overlap=0.6)
    assert found.boxes.tolist() == [[0.0, 2.0, 15.0, 10.0]] * 2
    assert found.classes.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])


def test_refuses_a_folder_without_the_model(tmp_path):
    with pytest.raises(DataFormatError, match="nanodet"):
        open_detector(tmp_path, runtime="torch")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "runtime", "at_least"),
    [
        ("nanodet", "torch", 0.90),
        ("nanodet", "onnx", 0.90),
        ("centernet", "onnx", 0.87),
    ],
)
def test_finds_the_pedestrians_of_a_real_video(
    name, runtime, at_least, cached, pedestrians
):
    frames, boxes = pedestrians
    detector = open_detector(
        cached("coco_detectors"), name, runtime=runtime, min_score=0.05
    )
    found = [detector.detect(frame).of_class(0) for frame in frames]
    assert box_average_precision(found, boxes) >= at_least
