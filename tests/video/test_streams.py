import socket
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cocodesign.errors import VideoError
from cocodesign.video.streams import Notice, _StreamClock, open_video
from tests.video.conftest import picture, write_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = [picture([(20 + 10 * i, 150)]) for i in range(20)]
    return write_video(tmp_path_factory.mktemp("clip") / "clip.ts", pictures)


def test_a_file_gives_every_frame_with_its_time(clip: Path) -> None:
    notices: list[Notice] = []
    with open_video(clip, report=notices.append) as stream:
        frames = list(stream)
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(20) / 10)
    assert [each.kind for each in notices] == ["opened", "ended"]
    assert "320 x 240, h264" in notices[0].sentence
    assert stream.num_dropped == 0


def test_uneven_presentation_times_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "uneven.mkv"
    stamps = [0, 40, 400, 440, 1200]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for stamp in stamps:
            frame = av.VideoFrame.from_ndarray(picture([]), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_video(path) as opened:
        times = [frame.time_s for frame in opened]
    assert times == pytest.approx([each / 1000 for each in stamps], abs=2e-3)


def test_a_looped_file_goes_on_in_time(clip: Path) -> None:
    with open_video(clip, looped=True) as stream:
        times = [frame.time_s for frame, _ in zip(stream, range(50), strict=False)]
    assert np.diff(times) == pytest.approx(0.1)


def test_a_slow_reader_of_a_live_source_gets_new_frames(clip: Path) -> None:
    with open_video(clip, live=True) as stream:
        deadline = time.monotonic() + 5
        while stream.num_dropped < 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        frame = stream.read(1.0)
    assert frame is not None
    assert frame.time_s >= 1.0
    assert stream.num_dropped >= 10


def test_a_paced_file_takes_its_own_time(clip: Path) -> None:
    began = time.monotonic()
    with open_video(clip, paced=True) as stream:
        times = [frame.time_s for frame, _ in zip(stream, range(5), strict=False)]
    assert time.monotonic() - began >= times[-1]


def test_damaged_packets_are_counted_and_the_rest_is_shown(
    clip: Path, tmp_path: Path
) -> None:
    content = bytearray(clip.read_bytes())
    generator = np.random.default_rng(0)
    middle = range(len(content) // 3, 2 * len(content) // 3, 97)
    for place in middle:
        if place % 188 > 12:  # the transport stream's own headers stay
            content[place] = int(generator.integers(256))
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(content)
    with open_video(damaged) as stream:
        times = [frame.time_s for frame in stream]
    assert len(times) >= 8
    assert np.all(np.diff(times) > 0)


def test_a_truncated_file_gives_what_it_has(clip: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.ts"
    short.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with open_video(short) as stream:
        assert 1 <= len(list(stream)) < 20


def test_a_change_of_size_is_told(tmp_path: Path, clip: Path) -> None:
    other = write_video(
        tmp_path / "other.ts", [picture([], size=(160, 96)) for _ in range(10)]
    )
    joined = tmp_path / "joined.ts"
    joined.write_bytes(clip.read_bytes() + other.read_bytes())
    notices: list[Notice] = []
    with open_video(joined, report=notices.append) as stream:
        sizes = {(frame.width, frame.height) for frame in stream}
    assert sizes == {(320, 240), (160, 96)}
    assert "pictures are now 160 x 96" in [each.sentence for each in notices]


class Sender:
    """A camera on the network that can be unplugged."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.1)
        self._closed = threading.Event()
        self.silent = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self._server.getsockname()[1]}"

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                continue
            with connection:
                connection.sendall(self._content)
                while self.silent.is_set() and not self._closed.wait(0.02):
                    pass


@pytest.fixture
def sender(clip: Path) -> Iterator[Sender]:
    camera = Sender(clip.read_bytes())
    yield camera
    camera.close()


def _read_until(stream, condition: Callable[[], bool], limit_s: float = 20) -> list:
    frames, deadline = [], time.monotonic() + limit_s
    while not condition() and time.monotonic() < deadline:
        frame = stream.read(0.05)
        if frame is not None:
            frames.append(frame)
    return frames


@pytest.mark.slow
def test_a_lost_camera_is_opened_again_and_time_goes_on(sender: Sender) -> None:
    notices: list[Notice] = []
    with open_video(sender.url, report=notices.append, stall_s=1.0) as stream:
        frames = _read_until(
            stream,
            lambda: [each.kind for each in notices].count("reconnected") >= 2,
        )
    kinds = [each.kind for each in notices]
    assert kinds[:3] == ["opened", "lost", "reconnected"]
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)


@pytest.mark.slow
def test_a_silent_camera_is_said_to_stall(sender: Sender) -> None:
    sender.silent.set()
    notices: list[Notice] = []
    with open_video(sender.url, report=notices.append, stall_s=0.5) as stream:
        _read_until(stream, lambda: any(each.kind == "stalled" for each in notices))
    assert "stalled" in [each.kind for each in notices]


def test_clock_replaces_missing_and_jumping_stamps() -> None:
    clock = _StreamClock()
    stamps = [100.0, 100.1, None, 100.3, 5.0, 5.1, 5.05, 9000.0]
    times = [clock.time_of(stamp, 0.1) for stamp in stamps]
    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])


def test_a_missing_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"nowhere\.mp4 cannot be opened"):
        open_video(tmp_path / "nowhere.mp4")


def test_a_file_without_pictures_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 800), np.int16), format="s16", layout="mono"
        )
        frame.sample_rate = 8000
        container.mux(sound.encode(frame))
    with pytest.raises(VideoError, match="has no pictures"):
        open_video(path)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"stall_s": 0.0}, "stall_s must be positive"),
        ({"num_threads": 0}, "num_threads at least 1"),
    ],
)
def test_refuses_impossible_numbers(clip: Path, keywords, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_video(clip, **keywords)


def test_only_files_are_looped() -> None:
    with pytest.raises(ValueError, match="only a file can be looped"):
        open_video("rtsp://camera/1", looped=True)
