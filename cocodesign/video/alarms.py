"""From scores to alarms: one for each thing that is strange, not one a frame."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from cocodesign.video.anomalies import Finding, Judgement
from cocodesign.video.drawing import draw_thumbnail
from cocodesign.video.frames import Frame

_HELD_S = 0.3  # for which a score must stay above the threshold
_QUIET_S = 5.0  # below the threshold, before the same subject is an alarm again
_GAP_S = 1.0  # without a judgement, after which a subject's patience starts anew


@dataclass(frozen=True)
class Alarm:
    """Something strange that a person should look at.

    Attributes:
        number: From 1 on, stream by stream.
        source: The stream.
        kind: What is strange; see ``Finding``.
        subject: Who.
        sentence: Why.
        score: When the alarm was raised.
        time_s: The frame's, in the stream's time.
        raised_at: By the clock on the wall.
        latency_ms: From the frame's arrival to the alarm.
        box: Where, in pixels; ``None`` for the whole picture.
        thumbnail: A JPEG file.
    """

    number: int
    source: str
    kind: str
    subject: str
    sentence: str
    score: float
    time_s: float
    raised_at: datetime
    latency_ms: float
    box: tuple[float, float, float, float] | None
    thumbnail: bytes

    def to_json(self) -> str:
        """Return everything but the thumbnail as one line."""
        return json.dumps(
            {
                "number": self.number,
                "source": self.source,
                "kind": self.kind,
                "subject": self.subject,
                "sentence": self.sentence,
                "score": round(self.score, 3),
                "time_s": round(self.time_s, 3),
                "raised_at": self.raised_at.isoformat(timespec="milliseconds"),
                "latency_ms": round(self.latency_ms, 1),
                "box": self.box and [round(each, 1) for each in self.box],
            }
        )


@dataclass
class _Watched:
    above_s: float
    seen_s: float
    raised: bool = False


class AlarmBell:
    """Raises the alarms of one stream.

    Args:
        source: Its name.
        threshold: Scores above it are strange.
    """

    def __init__(self, source: str, threshold: float) -> None:
        self._source = source
        self._threshold = threshold
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._num_raised = 0

    def listen(self, judgement: Judgement, frame: Frame) -> tuple[Alarm, ...]:
        """Take the judgement of the next frame.

        Args:
            judgement: Of the frame.
            frame: For the thumbnail.

        Returns:
            The alarms that begin now.
        """
        raised = [
            self._raise(finding, judgement.time_s, frame)
            for finding in judgement.findings
            if finding.score > self._threshold
            and self._has_lasted(finding, judgement.time_s)
        ]
        self._watched = {
            key: watched
            for key, watched in self._watched.items()
            if judgement.time_s - watched.seen_s <= _QUIET_S
        }
        return tuple(raised)

    def _has_lasted(self, finding: Finding, time_s: float) -> bool:
        """Note that it is there, and say whether it becomes an alarm now."""
        watched = self._watched.setdefault(
            (finding.subject, finding.kind), _Watched(time_s, time_s)
        )
        silent_s = time_s - watched.seen_s
        if silent_s > _QUIET_S:
            watched.raised = False
        if silent_s > _GAP_S:
            watched.above_s = time_s
        watched.seen_s = time_s
        if watched.raised or time_s - watched.above_s < _HELD_S:
            return False
        watched.raised = True
        return True

    def _raise(self, finding: Finding, time_s: float, frame: Frame) -> Alarm:
        self._num_raised += 1
        thumbnail = draw_thumbnail(frame, finding)
        return Alarm(
            number=self._num_raised,
            source=self._source,
            kind=finding.kind,
            subject=finding.subject,
            sentence=finding.sentence,
            score=finding.score,
            time_s=time_s,
            raised_at=datetime.now(UTC),
            latency_ms=1000 * (time.monotonic() - frame.arrived_s),
            box=finding.box,
            thumbnail=thumbnail,
        )
