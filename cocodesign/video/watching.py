"""Watch streams: from frames to alarms, for as long as they last."""

import queue
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from cocodesign.video.alarms import Alarm, AlarmBell
from cocodesign.video.anomalies import AnomalyModel, Judge, Judgement
from cocodesign.video.detection import FindsObjects, ObjectDetector
from cocodesign.video.frames import Frame
from cocodesign.video.observation import Moment, Observer
from cocodesign.video.streams import Notice, VideoStream, open_video
from cocodesign.video.tracking import Tracker

_PATIENCE_S = 0.5  # for one stream's next frame
_SHARED_PATIENCE_S = 0.02  # when others wait


@dataclass(frozen=True)
class WatchedFrame:
    """A frame and all that is known of it.

    Attributes:
        source: The stream.
        frame: The picture.
        moment: What is on it.
        judgement: How strange that is; ``None`` while the normal is being learnt.
        alarms: Those that begin now.
        latency_ms: From the frame's arrival until now.
        num_dropped: Frames of the stream that were dropped so far.
    """

    source: str
    frame: Frame
    moment: Moment
    judgement: Judgement | None
    alarms: tuple[Alarm, ...]
    latency_ms: float
    num_dropped: int


def watch(
    sources: Sequence[str],
    network: FindsObjects,
    *,
    model: AnomalyModel | None = None,
    learn_s: float = 60.0,
    classes: tuple[str, ...] | None = None,
    max_rate_hz: float = 10.0,
    max_false_alarms_per_hour: float | None = None,
    paced: bool = False,
    looped: bool = False,
) -> Generator[WatchedFrame | Notice, None, None]:
    """Watch some streams until all have ended.

    Memory does not grow with time. A stream that is lost is opened again; the others go
    on meanwhile, and what happens is told between the frames.

    Args:
        sources: Files, devices or URLs; see ``open_video``.
        network: Finds objects, for all streams in turn.
        model: What is normal; ``None`` learns it from the first ``learn_s`` seconds of
            each stream, which are taken for normal.
        learn_s: Seconds to learn from, positive.
        classes: Names of the classes that matter; ``None`` keeps all 80.
        max_rate_hz: Frames a second of each stream that the network looks at.
        max_false_alarms_per_hour: For models learnt here; see ``AnomalyModel.fit``.
        paced: Whether files are played at their own speed.
        looped: Whether files begin again at their end.

    Yields:
        Frames as they are understood, and notices.

    Raises:
        ValueError: If there is no source, ``learn_s`` is not positive, or what was
            seen in it is too little to learn from.
        VideoError: If a source cannot be opened at the beginning.
    """
    if not sources or learn_s <= 0:
        raise ValueError(
            f"watch needs sources and a positive learn_s, got {list(sources)} and "
            f"{learn_s}"
        )
    notices: queue.SimpleQueue[Notice] = queue.SimpleQueue()
    posts: list[_Post] = []
    try:
        for source in sources:
            stream = open_video(source, paced=paced, looped=looped, report=notices.put)
            detector = _Detectors(network, classes, max_rate_hz)
            posts.append(
                _Post(stream, detector, model, learn_s, max_false_alarms_per_hour)
            )
        patience_s = _PATIENCE_S if len(posts) == 1 else _SHARED_PATIENCE_S
        while not all(post.stream.ended for post in posts):
            for post in posts:
                watched = post.next_frame(patience_s)
                while not notices.empty():
                    yield notices.get()
                if watched is not None:
                    yield watched
        while not notices.empty():
            yield notices.get()
    finally:
        for post in posts:
            post.stream.close()


@dataclass(frozen=True)
class _Detectors:
    """How each stream's detector is made, again when its frames change their size."""

    network: FindsObjects
    classes: tuple[str, ...] | None
    max_rate_hz: float

    def observer(self) -> Observer:
        detector = ObjectDetector(
            self.network, classes=self.classes, max_rate_hz=self.max_rate_hz
        )
        return Observer(detector, Tracker())


class _Post:
    """Where one stream is watched."""

    def __init__(
        self,
        stream: VideoStream,
        detectors: _Detectors,
        model: AnomalyModel | None,
        learn_s: float,
        max_false_alarms_per_hour: float | None,
    ) -> None:
        self.stream = stream
        self._detectors = detectors
        self._observer = detectors.observer()
        self._learn_s = learn_s
        self._max_false_alarms_per_hour = max_false_alarms_per_hour
        self._learnt: list[Moment] = []
        self._size: tuple[int, int] | None = None
        self._judge: Judge | None = None
        self._bell: AlarmBell | None = None
        if model is not None:
            self._begin_judging(model)

    def next_frame(self, patience_s: float) -> WatchedFrame | None:
        """Understand the next frame, if it comes in time."""
        frame = self.stream.read(patience_s)
        if frame is None:
            return None
        if self._size not in (None, (frame.width, frame.height)):
            self._observer = self._detectors.observer()  # tracks are in pixels
        self._size = (frame.width, frame.height)
        moment = self._observer.observe(frame)
        judgement, alarms = None, ()
        if self._judge is None or self._bell is None:
            self._learn(moment)
        else:
            judgement = self._judge.judge(moment)
            alarms = self._bell.listen(judgement, frame)
        return WatchedFrame(
            source=self.stream.source,
            frame=frame,
            moment=moment,
            judgement=judgement,
            alarms=alarms,
            latency_ms=1000 * (time.monotonic() - frame.arrived_s),
            num_dropped=self.stream.num_dropped,
        )

    def _learn(self, moment: Moment) -> None:
        self._learnt.append(moment)
        if moment.time_s - self._learnt[0].time_s >= self._learn_s:
            model = AnomalyModel.fit(
                self._learnt,
                max_false_alarms_per_hour=self._max_false_alarms_per_hour,
            )
            self._learnt = []
            self._begin_judging(model)

    def _begin_judging(self, model: AnomalyModel) -> None:
        self._judge = model.judge()
        self._bell = AlarmBell(self.stream.source, model.threshold.value)
