"""Timed frames that become pixels only where somebody looks."""

import time
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8


class Frame:
    """One picture of a video, still in the decoder's format.

    Args:
        picture: What the decoder gave.
        time_s: When it is shown, from the beginning of the stream.
        arrived_s: When it was there, by ``time.monotonic``: latencies count from here.
    """

    def __init__(
        self, picture: av.VideoFrame, *, time_s: float, arrived_s: float
    ) -> None:
        self.picture = picture
        self.time_s = time_s
        self.arrived_s = arrived_s

    @classmethod
    def from_pixels(
        cls, pixels: UInt8[np.ndarray, "height width 3"], *, time_s: float
    ) -> "Frame":
        """Make a frame of red, green and blue.

        Args:
            pixels: From 0 to 255; copied.
            time_s: When it is shown.

        Returns:
            The frame; it arrives now.
        """
        picture = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(pixels), format="rgb24"
        )
        return cls(picture, time_s=time_s, arrived_s=time.monotonic())

    @property
    def width(self) -> int:
        """Columns of the picture, in pixels."""
        return self.picture.width

    @property
    def height(self) -> int:
        """Rows of the picture, in pixels."""
        return self.picture.height

    def pixels(self) -> UInt8[np.ndarray, "height width 3"]:
        """Return red, green and blue of the whole picture."""
        return self.picture.to_ndarray(format="rgb24")

    def cut(self, box: tuple[int, int, int, int]) -> "Frame":
        """Cut a rectangle out; only its pixels are copied.

        Args:
            box: ``x_start y_start x_end y_end`` in pixels; moved outwards to even
                numbers, because colours are stored for two by two pixels, and cut at
                the picture's edges.

        Returns:
            A frame of the same times.

        Raises:
            ValueError: If nothing of the box lies in the picture.
        """
        planar = self.picture
        if planar.format.name != "yuv420p":
            planar = planar.reformat(format="yuv420p")
        left, top = max(0, box[0] // 2), max(0, box[1] // 2)
        right = min(self.width // 2, (box[2] + 1) // 2)
        bottom = min(self.height // 2, (box[3] + 1) // 2)
        if right <= left or bottom <= top:
            raise ValueError(
                f"box {box} lies outside a picture of {self.width} x {self.height}"
            )
        rows = slice(2 * top, 2 * bottom), slice(top, bottom), slice(top, bottom)
        columns = slice(2 * left, 2 * right), slice(left, right), slice(left, right)
        flat = [
            _plane(planar, index)[rows[index], columns[index]].reshape(-1)
            for index in range(3)
        ]
        content = np.concatenate(flat).reshape(3 * (bottom - top), 2 * (right - left))
        picture = av.VideoFrame.from_ndarray(content, format="yuv420p")
        picture.colorspace, picture.color_range = planar.colorspace, planar.color_range
        return Frame(picture, time_s=self.time_s, arrived_s=self.arrived_s)


class Scaler:
    """Turns frames into arrays of one size, setting up the conversion once.

    Args:
        width: Of the result, in pixels.
        height: Of the result, in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._height = height
        self._reformatter = VideoReformatter()

    def pixels(self, frame: Frame) -> UInt8[np.ndarray, "height width 3"]:
        """Return red, green and blue, details averaged.

        Args:
            frame: Of any size.

        Returns:
            A new array.
        """
        return self._convert(frame, "rgb24", "AREA")

    def grey(self, frame: Frame) -> UInt8[np.ndarray, "height width"]:
        """Return the brightness.

        Args:
            frame: Of any size.

        Returns:
            A new array.
        """
        return self._convert(frame, "gray", "AREA")

    def _convert(self, frame: Frame, format: str, interpolation: str) -> np.ndarray:
        converted = self._reformatter.reformat(
            frame.picture,
            width=self._width,
            height=self._height,
            format=format,
            interpolation=interpolation,
        )
        return converted.to_ndarray()


def seconds(pts: int | None, time_base: Fraction | None) -> float | None:
    """Return a stream's time stamp in seconds, ``None`` where it has none."""
    if pts is None or time_base is None:
        return None
    return float(pts * time_base)


def _plane(picture: av.VideoFrame, index: int) -> np.ndarray:
    plane = picture.planes[index]  # a buffer, which PyAV's types do not say
    rows = np.frombuffer(cast("memoryview", plane), np.uint8).reshape(
        -1, plane.line_size
    )
    return rows[: plane.height, : plane.width]
