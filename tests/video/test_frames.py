import av
import numpy as np
import pytest

from cocodesign.video.frames import Frame, Scaler
from tests.video.conftest import picture


def test_a_cut_shows_the_same_pixels_as_the_whole(make_frame) -> None:
    frame = make_frame((100, 150))
    part = frame.cut((80, 100, 140, 160))
    assert (part.width, part.height) == (60, 60)
    whole = frame.pixels()[100:160, 80:140].astype(int)
    assert np.abs(part.pixels().astype(int) - whole).mean() < 3  # colours are halved


def test_a_cut_grows_to_even_edges_and_ends_with_the_picture(make_frame) -> None:
    part = make_frame().cut((301, 231, 400, 300))
    assert (part.width, part.height) == (20, 10)


def test_refuses_a_cut_outside(make_frame) -> None:
    with pytest.raises(ValueError, match="lies outside a picture of 320 x 240"):
        make_frame().cut((400, 0, 420, 20))


def test_cuts_planes_whose_rows_are_padded() -> None:
    pixels = picture([(50, 100)], size=(208, 112))
    picture_ = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format="yuv420p"
    )
    frame = Frame(picture_, time_s=0, arrived_s=0)
    part = frame.cut((38, 52, 62, 100)).pixels()
    assert part.mean() > 215  # the walker fills it


def test_one_scaler_takes_frames_of_any_size(make_frame) -> None:
    scaler = Scaler(32, 24)
    small = Frame.from_pixels(picture([], size=(160, 96)), time_s=0)
    assert scaler.grey(make_frame()).shape == (24, 32)
    assert scaler.pixels(small).shape == (24, 32, 3)
