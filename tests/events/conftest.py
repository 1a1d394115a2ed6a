"""Videos made on the spot, a bank that sees colours, and clips without videos."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from cocodesign.events.banks import BankOutput, Concept
from cocodesign.events.pooling import PooledClips

COLOURS = {"red": 0, "green": 1, "blue": 2}


class ColourBank:
    """Sees how red, green and blue the middle of a frame is."""

    name = "colours"
    num_features = 4

    def __init__(self) -> None:
        self.concepts = [Concept(name) for name in COLOURS]
        self.num_calls = 0

    def __call__(self, frame: torch.Tensor) -> BankOutput:
        self.num_calls += 1
        height, width = frame.shape[:2]
        pixel = frame[height // 2, width // 2].float() / 255
        return BankOutput(pixel, torch.cat([pixel, torch.ones(1)]))


@pytest.fixture
def bank() -> ColourBank:
    return ColourBank()


@pytest.fixture
def write_video(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that encodes plain colours, one a frame."""
    av = pytest.importorskip("av")

    def write(
        name: str,
        colours: Sequence[str],
        *,
        rate: Fraction | int = 1,
        size: tuple[int, int] = (64, 48),
    ) -> Path:
        path = tmp_path / name
        width, height = size
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=rate)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for colour in colours:
                pixels = np.zeros((height, width, 3), np.uint8)
                pixels[..., COLOURS[colour]] = 255
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture
def make_clips() -> Callable[..., PooledClips]:
    """Return a function that makes clips, some concepts raised in the first ones."""

    def make(
        num: int,
        *,
        raised: Sequence[int] = (),
        num_raised: int = 0,
        shift: float = 0.0,
        seed: int = 0,
    ) -> PooledClips:
        random = np.random.default_rng(seed)
        logs = random.normal(-6, 0.7, size=(num, 40))
        logs[:num_raised, list(raised)] += 5
        features = random.normal(size=(num, 24))
        features[:num_raised, 0] += shift
        peaks = np.exp(logs).clip(0, 1).astype(np.float32)
        return PooledClips(
            tuple(f"clip{seed}-{n}" for n in range(num)),
            peaks,
            peaks / 2,
            (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(
                np.float32
            ),
        )

    return make
