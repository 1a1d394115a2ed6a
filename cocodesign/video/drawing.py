"""Frames with boxes and names, as JPEG."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw

from cocodesign.video.anomalies import Finding
from cocodesign.video.frames import Frame, Scaler
from cocodesign.video.tracking import Track

_NORMAL = (0, 158, 115)
_STRANGE = (213, 94, 0)
_THUMBNAIL_MARGIN = 0.75  # of the box's sides
_QUALITY = 80


def draw_frame(
    frame: Frame,
    tracks: Sequence[Track],
    strange: Sequence[Finding],
    *,
    max_width: int = 960,
) -> bytes:
    """Draw what was found over a frame.

    Args:
        frame: The picture.
        tracks: Its objects, in green.
        strange: What is strange, in orange; without a box, the whole frame.
        max_width: A wider frame is reduced to it.

    Returns:
        A JPEG file.
    """
    scale = min(1.0, max_width / frame.width)
    width, height = round(frame.width * scale), round(frame.height * scale)
    picture = Image.fromarray(Scaler(width, height).pixels(frame))
    draw = ImageDraw.Draw(picture)
    for track in tracks:
        _outline(draw, track.box, scale, _NORMAL, f"{track.class_name} {track.number}")
    for finding in strange:
        box = finding.box or (0, 0, frame.width - 1, frame.height - 1)
        _outline(draw, box, scale, _STRANGE, f"{finding.kind} {finding.score:.1f}")
    return _jpeg(picture)


def draw_thumbnail(frame: Frame, finding: Finding, *, max_width: int = 320) -> bytes:
    """Draw what is strange with its surroundings.

    Args:
        frame: The picture.
        finding: What is strange.
        max_width: Of the thumbnail in pixels.

    Returns:
        A JPEG file.
    """
    if finding.box is None:
        return draw_frame(frame, (), (finding,), max_width=max_width)
    left, top, right, bottom = finding.box
    across = _THUMBNAIL_MARGIN * max(right - left, bottom - top)
    region = (
        max(0, int(left - across)),
        max(0, int(top - across)),
        min(frame.width, int(right + across) + 1),
        min(frame.height, int(bottom + across) + 1),
    )
    if region[2] - region[0] < 2 or region[3] - region[1] < 2:  # left the picture
        return draw_frame(frame, (), (finding,), max_width=max_width)
    part = frame.cut(region)
    scale = min(1.0, max_width / part.width)
    size = max(2, round(part.width * scale)), max(2, round(part.height * scale))
    picture = Image.fromarray(Scaler(*size).pixels(part))
    moved = (left - region[0], top - region[1], right - region[0], bottom - region[1])
    _outline(ImageDraw.Draw(picture), moved, scale, _STRANGE, "")
    return _jpeg(picture)


def _outline(
    draw: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    scale: float,
    colour: tuple[int, int, int],
    text: str,
) -> None:
    left, top, right, bottom = (each * scale for each in box)
    draw.rectangle((left, top, max(left, right), max(top, bottom)), None, colour, 2)
    if text:
        place = (left + 2, max(0.0, top - 12))
        draw.rectangle(draw.textbbox(place, text), fill=colour)
        draw.text(place, text, fill=(255, 255, 255))


def _jpeg(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY)
    return content.getvalue()
