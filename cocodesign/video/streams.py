"""Files, cameras and network streams as frames with times.

A thread decodes into a short queue. A *live* source does not wait: when the queue is
full its oldest frame is dropped, so that what is looked at is never old. A file waits,
so that no frame is lost. A live source that ends or cannot be reached is opened again
and again, and everything that happens is said in a ``Notice``.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
from av.container import InputContainer
from av.error import FFmpegError

from cocodesign.errors import VideoError
from cocodesign.video.frames import Frame, seconds

_QUEUE_FRAMES = 4
_LONGEST_RETRY_S = 30.0
_DEFAULT_STEP_S = 0.04  # between frames without times
_JUMP_S = 10.0  # a larger step is a new beginning of the sender's clock
_DAMAGE_INTERVAL_S = 10.0  # damaged packets are summed up over so long

NoticeKind = Literal[
    "opened",
    "resized",
    "damaged",
    "stalled",
    "resumed",
    "lost",
    "reconnected",
    "ended",
]


@dataclass(frozen=True)
class Notice:
    """Something that happened to a stream.

    Attributes:
        source: The stream.
        kind: What happened.
        time_s: When, in the stream's time.
        sentence: The same for people.
    """

    source: str
    kind: NoticeKind
    time_s: float
    sentence: str


class VideoStream:
    """A source that is being decoded.

    Iterate over it, or ``read`` with a time limit. It is a context manager.

    Args:
        source: A path, a URL such as ``rtsp://…``, or a device such as
            ``/dev/video0``.
        live: Whether old frames are dropped and a lost source is opened again.
        paced: Whether a file is played at its own speed, as a camera would be.
        looped: Whether a file begins again at its end; its time goes on.
        stall_s: Seconds without a frame after which the stream counts as stalled.
        num_threads: Threads of the decoder.
        report: Is told what happens; called from the decoding thread, or from the
            reading one when the stream stalls.
    """

    def __init__(
        self,
        source: str,
        *,
        live: bool,
        paced: bool,
        looped: bool,
        stall_s: float,
        num_threads: int,
        report: Callable[[Notice], None],
    ) -> None:
        self.source = source
        self.num_dropped = 0
        self.num_damaged = 0
        self._live = live
        self._paced = paced
        self._looped = looped
        self._stall_s = stall_s
        self._num_threads = num_threads
        self._report = report
        self._queue: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._ended = False
        self._failure: VideoError | None = None
        self._stalled = False
        self._newest_s = time.monotonic()
        self._clock = _StreamClock()
        self._size: tuple[int, int] | None = None
        self._reported_damage_s = float("-inf")
        self._first = self._open()  # here: a wrong path is the caller's error
        self._thread = threading.Thread(
            target=self._decode, name=f"decode {source}", daemon=True
        )
        self._say("opened", _describe(self._first, source))
        self._thread.start()

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame.

        Args:
            timeout_s: How long to wait for it.

        Returns:
            The frame; ``None`` if there was none in time, or the stream has ended.

        Raises:
            VideoError: If decoding a file failed before its first frame.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._ended, timeout_s)
            if self._queue:
                frame = self._queue.popleft()
                self._changed.notify_all()
            else:
                frame = None
        if frame is None:
            if self._failure:
                raise self._failure
            self._notice_stall()
        elif self._stalled:
            self._stalled = False
            self._say("resumed", "frames arrive again")
        return frame

    @property
    def ended(self) -> bool:
        """Whether no frame will follow."""
        with self._changed:
            return self._ended and not self._queue

    def __iter__(self) -> Iterator[Frame]:
        while not self.ended:
            frame = self.read(1.0)
            if frame is not None:
                yield frame

    def close(self) -> None:
        """Stop decoding; frames that wait are forgotten."""
        self._closing.set()
        with self._changed:
            self._queue.clear()
            self._ended = True
            self._changed.notify_all()
        self._thread.join(timeout=2 * self._stall_s)

    def __enter__(self) -> "VideoStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _notice_stall(self) -> None:
        silent_s = time.monotonic() - self._newest_s
        if self._live and not self._stalled and silent_s >= self._stall_s:
            self._stalled = True
            self._say("stalled", f"no frame for {silent_s:.0f} s")

    def _open(self) -> InputContainer:
        is_device = self.source.startswith("/dev/video")
        is_rtsp = self.source.startswith("rtsp")
        try:
            container = av.open(
                self.source,
                format="v4l2" if is_device else None,
                options={"rtsp_transport": "tcp"} if is_rtsp else {},
                timeout=(max(10.0, self._stall_s), self._stall_s),
            )
        except (FFmpegError, OSError) as error:
            raise VideoError(f"{self.source} cannot be opened: {error}") from error
        if not container.streams.video:
            container.close()
            raise VideoError(f"{self.source} has no pictures")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO" if self._num_threads > 1 else "SLICE"
        stream.codec_context.thread_count = self._num_threads
        return container

    def _decode(self) -> None:
        container: InputContainer | None = self._first
        try:
            while container is not None and not self._closing.is_set():
                reason = self._play(container)
                container = self._next_container(reason)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _play(self, container: InputContainer) -> str:
        """Decode until the end; return why it ended."""
        began_s, first_time_s = time.monotonic(), None
        self._clock.restart()
        with container:
            stream = container.streams.video[0]
            step_s = float(1 / stream.average_rate) if stream.average_rate else None
            packets = container.demux(stream)
            while not self._closing.is_set():
                try:
                    packet = next(packets)
                except StopIteration:
                    return "it ended"
                except (FFmpegError, OSError) as error:
                    return str(error)
                for picture in self._pictures(packet):
                    time_s = self._clock.time_of(
                        seconds(picture.pts, picture.time_base), step_s
                    )
                    first_time_s = time_s if first_time_s is None else first_time_s
                    if self._paced:
                        due_s = began_s + time_s - first_time_s
                        self._closing.wait(max(0.0, due_s - time.monotonic()))
                    self._put(Frame(picture, time_s=time_s, arrived_s=time.monotonic()))
        return "it was closed"

    def _pictures(self, packet: av.Packet) -> list[av.VideoFrame]:
        try:
            return [each for each in packet.decode() if isinstance(each, av.VideoFrame)]
        except FFmpegError as error:
            self.num_damaged += 1
            now_s = time.monotonic()
            if now_s - self._reported_damage_s >= _DAMAGE_INTERVAL_S:
                self._reported_damage_s = now_s
                self._say(
                    "damaged",
                    f"{self.num_damaged} packets could not be decoded so far: {error}",
                )
            return []

    def _put(self, frame: Frame) -> None:
        size = (frame.width, frame.height)
        if self._size not in (None, size):
            self._say("resized", f"pictures are now {size[0]} x {size[1]}")
        self._size = size
        self._newest_s = frame.arrived_s
        with self._changed:
            if self._live:
                while len(self._queue) >= _QUEUE_FRAMES:
                    self._queue.popleft()
                    self.num_dropped += 1
            else:
                self._changed.wait_for(
                    lambda: len(self._queue) < _QUEUE_FRAMES or self._closing.is_set()
                )
            if not self._closing.is_set():
                self._queue.append(frame)
                self._changed.notify_all()

    def _next_container(self, reason: str) -> InputContainer | None:
        """Return the next container to play, after as many tries as it takes."""
        if self._closing.is_set():
            return None
        if self._size is None and not self._live:
            self._failure = VideoError(
                f"{self.source} has no frame that can be decoded: {reason}"
            )
            return None
        if self._looped:
            return self._open()
        if not self._live:
            self._say("ended", reason)
            return None
        self._say("lost", f"{reason}; it will be opened again")
        wait_s, lost_s = 0.5, time.monotonic()
        while not self._closing.wait(wait_s):
            try:
                container = self._open()
            except VideoError:
                wait_s = min(2 * wait_s, _LONGEST_RETRY_S)
                continue
            away_s = time.monotonic() - lost_s
            self._clock.skip(away_s)
            self._say("reconnected", f"back after {away_s:.0f} s")
            return container
        return None

    def _say(self, kind: NoticeKind, sentence: str) -> None:
        self._report(Notice(self.source, kind, self._clock.now_s, sentence))


class _StreamClock:
    """Turns time stamps, which may be missing or jump, into times that grow."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._shift_s: float | None = None
        self._started = False

    def restart(self) -> None:
        """Expect stamps that begin anywhere."""
        self._shift_s = None

    def skip(self, elapsed_s: float) -> None:
        """Let time pass without frames."""
        self.now_s += elapsed_s

    def time_of(self, stamp_s: float | None, step_s: float | None) -> float:
        """Return a frame's time: by its stamp, else one step after the last."""
        step_s = step_s or _DEFAULT_STEP_S
        expected_s = self.now_s + step_s if self._started else 0.0
        if stamp_s is None:
            time_s = expected_s
        else:
            if self._shift_s is None:
                self._shift_s = expected_s - stamp_s
            time_s = stamp_s + self._shift_s
            if self._started and not self.now_s < time_s <= self.now_s + _JUMP_S:
                self._shift_s = expected_s - stamp_s
                time_s = expected_s
        self._started = True
        self.now_s = time_s
        return time_s


def open_video(
    source: str | Path,
    *,
    live: bool | None = None,
    paced: bool = False,
    looped: bool = False,
    stall_s: float = 5.0,
    num_threads: int = 1,
    report: Callable[[Notice], None] | None = None,
) -> VideoStream:
    """Open a file, a camera or a network stream.

    Times are the presentation times that the source states: a variable frame rate or
    dropped frames move nothing. Where it states none, or its clock jumps, time goes on
    by one frame.

    Args:
        source: A path, a URL such as ``rtsp://host/stream``, or a device such as
            ``/dev/video0``.
        live: Whether old frames are dropped and a lost source is opened again; by
            default everything but a file is live.
        paced: Whether a file is played at its own speed, as a camera would be.
        looped: Whether a file begins again at its end; its time goes on.
        stall_s: Seconds without a frame after which a live stream counts as stalled
            and reading from it is given up, positive.
        num_threads: Threads of the decoder, at least 1.
        report: Is told what happens to the stream.

    Returns:
        The stream, being decoded already.

    Raises:
        ValueError: If a number is too small, or a source is both live and looped.
        VideoError: If it cannot be opened or has no pictures.
    """
    if stall_s <= 0 or num_threads < 1:
        raise ValueError(
            "stall_s must be positive and num_threads at least 1, got "
            f"{stall_s} and {num_threads}"
        )
    text = str(source)
    is_file = "://" not in text and not text.startswith("/dev/")
    if live is None:
        live = not is_file
    if looped and not is_file:
        raise ValueError(f"only a file can be looped, {text} is none")
    return VideoStream(
        text,
        live=live,
        paced=paced,
        looped=looped,
        stall_s=stall_s,
        num_threads=num_threads,
        report=report or (lambda _: None),
    )


def _describe(container: InputContainer, source: str) -> str:
    context = container.streams.video[0].codec_context
    return f"{source}: {context.width} x {context.height}, {context.name}"
