"""Frames of a video at regular times, in bounded memory.

A video of any length is decoded frame by frame; only frames at the sampling times are
converted to pixels, and only one of them exists at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import torch
from av.error import FFmpegError
from jaxtyping import UInt8
from torch import Tensor

from cocodesign.errors import VideoError


@dataclass(frozen=True)
class TimedFrame:
    """A frame and when it is shown.

    Attributes:
        time_s: From the beginning of the video.
        pixels: Red, green and blue from 0 to 255.
    """

    time_s: float
    pixels: UInt8[Tensor, "height width 3"]


def sample_frames(
    path: Path,
    *,
    interval_s: float = 2.0,
    max_side_px: int | None = 512,
    num_threads: int = 1,
) -> Iterator[TimedFrame]:
    """Yield the first frame of every interval.

    Times are those that the file states, so a variable or fractional frame rate, or a
    gap, moves nothing. A file that is damaged in its middle gives the frames that can
    be decoded; the error comes where the first one is missing.

    Args:
        path: A video.
        interval_s: Seconds between samples, positive.
        max_side_px: Longest side of a frame; larger ones are reduced while they are
            converted, which costs nothing extra. ``None`` leaves the size alone.
        num_threads: Of the decoder.

    Yields:
        Frames in the order of time.

    Raises:
        ValueError: If the interval is not positive.
        VideoError: If the file cannot be opened, has no pictures, or decoding fails.
    """
    if interval_s <= 0:
        raise ValueError(f"interval_s must be positive, got {interval_s}")
    num_yielded = 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VideoError(f"{path} has no pictures")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = num_threads
            start_s = float((stream.start_time or 0) * (stream.time_base or 0))
            due = 0
            for frame in container.decode(stream):
                time_s = max(0.0, (frame.time or 0.0) - start_s)
                # A microsecond: times are fractions that floats do not always hit.
                if time_s + 1e-6 < due * interval_s:
                    continue
                due = int((time_s + 1e-6) / interval_s) + 1
                num_yielded += 1
                yield TimedFrame(time_s, _pixels(frame, max_side_px))
    except (FFmpegError, OSError) as error:
        raise VideoError(
            f"{path} cannot be decoded after {num_yielded} sampled frames: {error}"
        ) from error
    if not num_yielded:
        raise VideoError(f"{path} has no frame that can be decoded")


def frame_at(path: Path, time_s: float, *, max_side_px: int | None = 512) -> TimedFrame:
    """Return the frame that is shown at a time, such as one that is evidence.

    Args:
        path: A video.
        time_s: From the beginning; later than the end gives the last frame.
        max_side_px: Longest side of the frame, ``None`` leaves its size alone.

    Returns:
        The frame; decoding starts at the key frame before it.

    Raises:
        ValueError: If the time is negative.
        VideoError: If the file cannot be opened or decoded there.
    """
    if time_s < 0:
        raise ValueError(f"time_s must not be negative, got {time_s}")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VideoError(f"{path} has no pictures")
            stream = container.streams.video[0]
            start_s = float((stream.start_time or 0) * (stream.time_base or 0))
            container.seek(int((start_s + time_s) * av.time_base))
            shown = None
            for frame in container.decode(stream):
                # A microsecond: times are fractions that floats do not always hit.
                if shown is not None and (frame.time or 0.0) - start_s > time_s + 1e-6:
                    break
                shown = frame
            if shown is None:
                raise VideoError(f"{path} has no frame at {time_s:g} s")
            return TimedFrame(
                max(0.0, (shown.time or 0.0) - start_s), _pixels(shown, max_side_px)
            )
    except (FFmpegError, OSError) as error:
        raise VideoError(f"{path} cannot be decoded at {time_s:g} s: {error}") from (
            error
        )


def _pixels(frame: av.VideoFrame, max_side_px: int | None) -> Tensor:
    longest = max(frame.width, frame.height)
    if max_side_px is None or longest <= max_side_px:
        return torch.from_numpy(frame.to_ndarray(format="rgb24"))
    scale = max_side_px / longest
    reduced = frame.reformat(
        width=max(1, round(frame.width * scale)),
        height=max(1, round(frame.height * scale)),
        format="rgb24",
        interpolation="AREA",
    )
    return torch.from_numpy(reduced.to_ndarray())
