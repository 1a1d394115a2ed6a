"""Pictures to transformed tiles and back, compiled by numba.

A picture is covered by windows, ``step`` apart on each axis. Axes, for both functions:
``image channel row column`` (or channels last) in pictures, ``frequency_row
frequency_column tile channel`` in tiles, with the tiles of a picture row by row.

One row of windows is worked on at a time, in a *strip* that stays in the processor's
cache. A strip's column ``q step + phase`` lies at ``[phase, q]``, with the channels
innermost: what neighbouring windows have at the same place is then one contiguous
vector, and a transform is a few linear combinations of long vectors.

The two functions are each other's adjoint, which is what gradients need.
"""

from typing import no_type_check

import numba
import numpy as np

_BLOCK = 16  # channels that are transposed together: a cache line of single precision

# numba infers the types, for each type of data; nothing else may wrap the functions.
_compiled = numba.njit(nogil=True, fastmath=True, cache=True)


def strip_shape(
    num_channels: int,
    window: tuple[int, int],
    frequencies: int,
    step: int,
    columns: int,
) -> tuple[int, int, int, int, int]:
    """Return the shape of the scratch that both functions need.

    Args:
        num_channels: Channels of the pictures.
        window: Rows and columns of a window.
        frequencies: Rows of a transformed tile.
        step: Columns from one window to the next.
        columns: Windows side by side.

    Returns:
        The axes ``stage row phase q channel``.
    """
    beyond = (window[1] - 1) // step
    return (2, max(window[0], frequencies), step, columns + beyond, num_channels)


@_compiled
@no_type_check
def image_to_tiles(
    images, channels_last, row_matrix, column_matrix, step, origin, grid, strip, tiles
):
    """Transform every window of every picture: ``tile = R window Cᵀ``.

    Args:
        images: Pictures; what a window covers outside of them is zero.
        channels_last: Whether the channels are the last axis of ``images``.
        row_matrix: R, of shape ``[frequencies, window]``.
        column_matrix: C, likewise.
        step: Rows and columns from one window to the next.
        origin: Row and column of the first window, not positive.
        grid: Rows and columns of windows.
        strip: Scratch of the shape ``strip_shape``.
        tiles: The result.
    """
    num_rows, num_columns = row_matrix.shape[0], column_matrix.shape[0]
    num_channels = strip.shape[4]
    length = grid[1] * num_channels
    flat = strip.reshape(2, strip.shape[1], -1)
    places = _places(column_matrix.shape[1], strip)
    overlap = max(row_matrix.shape[1] - step[0], 0)
    row_places = np.arange(row_matrix.shape[1]) * flat.shape[2]
    window_rows = flat[0].reshape(-1)
    for image in range(images.shape[0]):
        for tile_row in range(grid[0]):
            top = tile_row * step[0] + origin[0]
            for row in range(row_matrix.shape[1]):
                if tile_row > 0 and row < overlap:
                    flat[0, row] = flat[0, row + step[0]]
                else:
                    _load_row(
                        images,
                        channels_last,
                        image,
                        top + row,
                        origin[1],
                        strip[0, row],
                    )
            first = (image * grid[0] + tile_row) * grid[1]
            for i in range(num_rows):
                _combine(row_matrix[i], row_places, window_rows, flat[1, i], 1)
                for j in range(num_columns):
                    target = tiles[i, j, first : first + grid[1]].reshape(length)
                    _combine(column_matrix[j], places, flat[1, i], target, 1)


@_compiled
@no_type_check
def tiles_to_image(
    tiles, row_matrix, column_matrix, step, origin, grid, strip, images, channels_last
):
    """Add up ``Rᵀ tile C`` over all windows, the adjoint of ``image_to_tiles``.

    The arguments are those of ``image_to_tiles``. Every element of ``images`` is
    overwritten if every one of them lies in a window; what lies outside is dropped.
    """
    num_channels = strip.shape[4]
    length = grid[1] * num_channels
    flat = strip.reshape(2, strip.shape[1], -1)
    places = _places(column_matrix.shape[1], strip)
    overlap = max(row_matrix.shape[1] - step[0], 0)
    is_overlapping = column_matrix.shape[1] > step[1]
    row_transposed = row_matrix.T.copy()
    column_transposed = column_matrix.T.copy()
    row_places = np.arange(row_matrix.shape[0]) * flat.shape[2]
    tile_places = np.arange(column_matrix.shape[0]) * (tiles.shape[2] * num_channels)
    transformed_rows = flat[1].reshape(-1)
    for image in range(images.shape[0]):
        for tile_row in range(grid[0]):
            first = (image * grid[0] + tile_row) * grid[1] * num_channels
            for i in range(row_matrix.shape[0]):
                if is_overlapping:
                    flat[1, i] = 0
                source = tiles[i].reshape(-1)[first:]
                for b in range(column_matrix.shape[1]):
                    target = flat[1, i, places[b] : places[b] + length]
                    _combine(
                        column_transposed[b],
                        tile_places,
                        source,
                        target,
                        not is_overlapping,
                    )
            for row in range(row_matrix.shape[1]):
                is_new = tile_row == 0 or row >= overlap
                if not is_new:
                    flat[0, row] = flat[0, row + step[0]]
                _combine(
                    row_transposed[row],
                    row_places,
                    transformed_rows,
                    flat[0, row],
                    is_new,
                )
            top = tile_row * step[0] + origin[0]
            is_last = tile_row == grid[0] - 1
            for row in range(row_matrix.shape[1] if is_last else step[0]):
                _store_row(
                    strip[0, row], images, channels_last, image, top + row, origin[1]
                )


@_compiled
@no_type_check
def _places(num_columns, strip):
    """Return where each column of the first window begins in a row of the strip."""
    places = np.empty(num_columns, np.intp)
    for column in range(num_columns):
        phase, q = column % strip.shape[2], column // strip.shape[2]
        places[column] = (phase * strip.shape[3] + q) * strip.shape[4]
    return places


@_compiled
@no_type_check
def _load_row(images, channels_last, image, y, left, row):
    """Copy a row of a picture into a row of the strip, zeros around it."""
    step = row.shape[0]
    height = images.shape[1] if channels_last else images.shape[2]
    width = images.shape[2] if channels_last else images.shape[3]
    if y < 0 or y >= height:
        row[:] = 0
        return
    first = max(-left, 0)
    last = min(width - left, row.shape[0] * row.shape[1])
    for column in range(row.shape[0] * row.shape[1]):
        if column < first or column >= last:
            row[column % step, column // step] = 0
    if channels_last:
        for column in range(first, last):
            row[column % step, column // step] = images[image, y, column + left]
        return
    for start in range(0, row.shape[2], _BLOCK):
        end = min(start + _BLOCK, row.shape[2])
        for column in range(first, last):
            target = row[column % step, column // step]
            for channel in range(start, end):
                target[channel] = images[image, channel, y, column + left]


@_compiled
@no_type_check
def _store_row(row, images, channels_last, image, y, left):
    """Copy a row of the strip into a row of a picture, what lies outside left out."""
    step = row.shape[0]
    height = images.shape[1] if channels_last else images.shape[2]
    width = images.shape[2] if channels_last else images.shape[3]
    if y < 0 or y >= height:
        return
    first = max(-left, 0)
    last = min(width - left, row.shape[0] * row.shape[1])
    if channels_last:
        for column in range(first, last):
            images[image, y, column + left] = row[column % step, column // step]
        return
    for start in range(0, row.shape[2], _BLOCK):
        end = min(start + _BLOCK, row.shape[2])
        for column in range(first, last):
            source = row[column % step, column // step]
            for channel in range(start, end):
                images[image, channel, y, column + left] = source[channel]


@_compiled
@no_type_check
def _combine(coefficients, places, source, target, overwrite):  # noqa: C901, PLR0912 (unrolled by hand)
    """Set (or increase) ``target`` by ``Σ coefficients[i] source[places[i]:]``.

    Zeros are skipped, and up to four vectors are read in one pass: the time goes into
    moving the result, not into multiplying.
    """
    used = np.flatnonzero(coefficients)
    length = target.shape[0]
    if overwrite and used.shape[0] == 0:
        target[:] = 0
    for start in range(0, used.shape[0], 4):
        count = min(used.shape[0] - start, 4)
        a = used[start]
        b = used[start + min(1, count - 1)]
        c = used[start + min(2, count - 1)]
        d = used[start + min(3, count - 1)]
        # Typed as the data, so that single precision stays single.
        at, bt, ct, dt = (
            coefficients[a],
            coefficients[b],
            coefficients[c],
            coefficients[d],
        )
        va, vb = source[places[a] :], source[places[b] :]
        vc, vd = source[places[c] :], source[places[d] :]
        fresh = overwrite and start == 0
        if count == 1 and fresh:
            for k in range(length):
                target[k] = at * va[k]
        elif count == 1:
            for k in range(length):
                target[k] += at * va[k]
        elif count == 2 and fresh:
            for k in range(length):
                target[k] = at * va[k] + bt * vb[k]
        elif count == 2:
            for k in range(length):
                target[k] += at * va[k] + bt * vb[k]
        elif count == 3 and fresh:
            for k in range(length):
                target[k] = at * va[k] + bt * vb[k] + ct * vc[k]
        elif count == 3:
            for k in range(length):
                target[k] += at * va[k] + bt * vb[k] + ct * vc[k]
        elif fresh:
            for k in range(length):
                target[k] = at * va[k] + bt * vb[k] + ct * vc[k] + dt * vd[k]
        else:
            for k in range(length):
                target[k] += at * va[k] + bt * vb[k] + ct * vc[k] + dt * vd[k]
