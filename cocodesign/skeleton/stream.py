"""Classes of a stream of joints, as a camera's pose model gives them."""

from collections import deque

import torch
from jaxtyping import Float32
from torch import Tensor

from cocodesign.skeleton.readers.frames import stack_frames
from cocodesign.skeleton.recognizer import Recognizer


class RecognizerStream:
    """Classifies the newest frames of a stream, again and again.

    Memory does not grow: only the frames of one window are kept.

    Args:
        recognizer: What classifies.
        window_frames: How many of the newest frames are a clip: about as long as an
            action lasts, at least 2.
        hop_frames: Frames between two answers, at least 1.

    Raises:
        ValueError: If a number is too small.
    """

    def __init__(
        self, recognizer: Recognizer, *, window_frames: int = 64, hop_frames: int = 8
    ) -> None:
        if window_frames < 2 or hop_frames < 1:
            raise ValueError(
                "window_frames must be at least 2 and hop_frames at least 1, got "
                f"{window_frames} and {hop_frames}"
            )
        self._recognizer = recognizer
        self._hop_frames = hop_frames
        self._frames: deque[Tensor] = deque(maxlen=window_frames)
        self._num_frames = 0

    def push(self, frame: Float32[Tensor, "3 joint person"]) -> dict[str, float] | None:
        """Take the next frame.

        Args:
            frame: Coordinates, y upwards, NaN for a joint that was not found. Persons
                keep their places from frame to frame.

        Returns:
            The classes of the newest frames, likeliest first, once the window is full
            and then every ``hop_frames`` frames; ``None`` in between.
        """
        self._frames.append(frame.to(torch.float32))
        self._num_frames += 1
        late = self._num_frames - (self._frames.maxlen or 0)
        if late < 0 or late % self._hop_frames:
            return None
        clip = stack_frames(list(self._frames), self._recognizer.layout)
        return self._recognizer.classify(clip)
