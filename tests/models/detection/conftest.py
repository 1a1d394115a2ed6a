"""Pedestrians: frames of vtest.avi, and the boxes that people drew."""

import pytest
import torch

from cocodesign.project import find_project

INTERVAL = 57  # frames; the boxes of neighbours hardly differ


@pytest.fixture
def pedestrians(cached):
    """Eight of the first 400 frames, and its boxes."""
    av = pytest.importorskip("av")
    video = cached("vtest") / "vtest.avi"
    given = find_project().root.parent / "shared/data/video"
    given /= "pets09-s2l1_frames_1-400_gt.txt"
    if not given.is_file():
        pytest.skip(f"{given} is not here")
    boxes: dict[int, list[list[float]]] = {}
    for line in given.read_text().splitlines():
        number, _, x, y, width, height, *_ = map(float, line.split(","))
        boxes.setdefault(int(number), []).append([x, y, x + width, y + height])
    numbers = range(1, 401, INTERVAL)
    with av.open(str(video)) as container:
        frames = [
            torch.from_numpy(frame.to_ndarray(format="rgb24"))
            for number, frame in zip(
                range(1, 401), container.decode(video=0), strict=False
            )
            if number in numbers
        ]
    return frames, [torch.tensor(boxes[number]) for number in numbers]
