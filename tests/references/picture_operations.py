"""TensorFlow's convolution, pooling and resizing, one number at a time."""

import math

import numpy as np


def padding_before(size: int, window: int, stride: int, dilation: int) -> int:
    """Return the padding before an axis under SAME: the smaller half."""
    reach = dilation * (window - 1) + 1
    needed = max(0, (math.ceil(size / stride) - 1) * stride + reach - size)
    return needed // 2


def convolve_same(
    x: np.ndarray, kernel: np.ndarray, stride: int, dilation: int, *, depthwise: bool
) -> np.ndarray:
    """Convolve a picture [height, width, channels] by its definition, padding SAME."""
    height, width, channels = x.shape
    rows, columns, _, last = kernel.shape
    top = padding_before(height, rows, stride, dilation)
    left = padding_before(width, columns, stride, dilation)
    out_height, out_width = math.ceil(height / stride), math.ceil(width / stride)
    result = np.zeros((out_height, out_width, channels * last if depthwise else last))
    for i, j in np.ndindex(out_height, out_width):
        for a, b, c in np.ndindex(rows, columns, channels):
            y = i * stride + a * dilation - top
            z = j * stride + b * dilation - left
            if not (0 <= y < height and 0 <= z < width):
                continue
            for d in range(last):
                to = c * last + d if depthwise else d
                result[i, j, to] += x[y, z, c] * kernel[a, b, c, d]
    return result


def average_same(x: np.ndarray, window: int, stride: int) -> np.ndarray:
    """Average over the part of each window that lies inside the picture."""
    height, width, channels = x.shape
    top = padding_before(height, window, stride, 1)
    left = padding_before(width, window, stride, 1)
    shape = (math.ceil(height / stride), math.ceil(width / stride), channels)
    result = np.zeros(shape)
    for i, j in np.ndindex(*shape[:2]):
        y, z = i * stride - top, j * stride - left
        inside = x[max(0, y) : y + window, max(0, z) : z + window]
        result[i, j] = inside.mean((0, 1))
    return result


def resize_by_corners(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """Interpolate with output pixel i at i * size_in / size_out."""
    result = np.zeros((height, width, x.shape[2]))
    for i, j in np.ndindex(height, width):
        y, z = i * x.shape[0] / height, j * x.shape[1] / width
        y0, z0 = int(y), int(z)
        y1, z1 = min(y0 + 1, x.shape[0] - 1), min(z0 + 1, x.shape[1] - 1)
        upper = x[y0, z0] * (1 - (z - z0)) + x[y0, z1] * (z - z0)
        lower = x[y1, z0] * (1 - (z - z0)) + x[y1, z1] * (z - z0)
        result[i, j] = upper * (1 - (y - y0)) + lower * (y - y0)
    return result
