"""PETS-inject from end to end: learn, insert, judge, count."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from cocodesign.video.alarms import Alarm, AlarmBell
from cocodesign.video.anomalies import AnomalyModel, Judgement
from cocodesign.video.anomaly_scores import (
    ScoredRegions,
    frame_auc,
    macro_auc,
    region_and_track_criteria,
    smooth,
)
from cocodesign.video.detection import FindsObjects, ObjectDetector
from cocodesign.video.drawing import draw_frame
from cocodesign.video.injection import (
    Event,
    InjectedFrame,
    camera_events,
    inject,
    object_events,
)
from cocodesign.video.observation import Observer
from cocodesign.video.streams import open_video
from cocodesign.video.tracking import Tracker

_SMOOTHING_FRAMES = 3.0
_WARM_UP_FRAMES = 20
_PICTURE_INTERVAL = 4
_PICTURE_WIDTH = 640


@dataclass(frozen=True)
class InjectOutcome:
    """What came out of PETS-inject.

    Attributes:
        times_s: Of the test's frames, by their place in the video.
        scores: Of the test's frames, not smoothed.
        strange: On which of them an event is.
        stretches: Which event's stretch each belongs to.
        kinds: The name of each stretch's event.
        reasons: The kind of the strangest finding of each frame.
        alarms: All that were raised, by stretch.
        right_reasons: The kinds that explain each stretch's event.
        rbdc: Region-based criterion over the events with objects.
        tbdc: Track-based criterion over the same.
        training_s: Seconds of learning, detection included.
        pictures: Every fourth frame as JPEG with what was found on it, by its place
            among the test's frames.
        model: What was learnt.
    """

    times_s: Float[np.ndarray, " frame"]
    scores: Float[np.ndarray, " frame"]
    strange: Bool[np.ndarray, " frame"]
    stretches: tuple[int, ...]
    kinds: tuple[str, ...]
    reasons: tuple[str, ...]
    alarms: tuple[tuple[int, Alarm], ...]
    right_reasons: tuple[tuple[str, ...], ...]
    rbdc: float
    tbdc: float
    training_s: float
    pictures: Mapping[int, bytes]
    model: AnomalyModel

    def clip(self, stretch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return smoothed scores and strange frames of one event's stretch."""
        chosen = np.array(self.stretches) == stretch
        return smooth(self.scores[chosen], _SMOOTHING_FRAMES), self.strange[chosen]

    @property
    def auc_micro(self) -> float:
        """Area under the ROC curve over all frames together."""
        clips = [self.clip(index) for index in range(len(self.kinds))]
        return frame_auc(
            np.concatenate([scores for scores, _ in clips]),
            np.concatenate([strange for _, strange in clips]),
        )

    @property
    def auc_macro(self) -> float:
        """Mean area of the events' stretches."""
        return macro_auc([self.clip(index) for index in range(len(self.kinds))])

    @property
    def auc_by_kind(self) -> dict[str, float]:
        """Area of each event's stretch."""
        return {
            kind: frame_auc(*self.clip(index)) for index, kind in enumerate(self.kinds)
        }

    @property
    def right_reason_fraction(self) -> float:
        """Share of the alarms on strange frames with a right reason; NaN if none."""
        right = [
            alarm.kind in self.right_reasons[stretch]
            for stretch, alarm in self.alarms
            if self._is_strange(stretch, alarm)
        ]
        return float(np.mean(right)) if right else float("nan")

    @property
    def num_false_alarms(self) -> int:
        """Alarms on normal frames."""
        return sum(
            not self._is_strange(stretch, alarm) for stretch, alarm in self.alarms
        )

    @property
    def num_found_events(self) -> int:
        """Events with an alarm."""
        return len({s for s, alarm in self.alarms if self._is_strange(s, alarm)})

    def metrics(self) -> dict[str, tuple[float, str]]:
        """Return what a record keeps: values with units, by name."""
        threshold = self.model.threshold
        found = {
            "auc_micro": (self.auc_micro, ""),
            "auc_macro": (self.auc_macro, ""),
            "rbdc": (self.rbdc, ""),
            "tbdc": (self.tbdc, ""),
            "num_alarms": (float(len(self.alarms)), "alarms"),
            "num_false_alarms": (float(self.num_false_alarms), "alarms"),
            "found_events_fraction": (self.num_found_events / len(self.kinds), ""),
            "threshold": (threshold.value, ""),
            "promised_false_alarms_per_hour": (
                threshold.false_alarms_per_hour,
                "s/h",
            ),
            "training_s": (self.training_s, "s"),
        }
        found |= {f"auc_{kind}": (area, "") for kind, area in self.auc_by_kind.items()}
        if self.num_found_events:
            found["right_reason_fraction"] = (self.right_reason_fraction, "")
        return found

    def tables(self) -> dict[str, dict[str, list]]:
        """Return the timeline of the test's frames, column by column."""
        return {
            "timeline": {
                "event": [self.kinds[stretch] for stretch in self.stretches],
                "time_s": self.times_s.tolist(),
                "score": self.scores.tolist(),
                "strange": self.strange.astype(int).tolist(),
                "reason": list(self.reasons),
            }
        }

    def _is_strange(self, stretch: int, alarm: Alarm) -> bool:
        same = (np.array(self.stretches) == stretch) & (self.times_s == alarm.time_s)
        return bool(self.strange[same].any())


def run_inject_protocol(
    video: Path,
    network: FindsObjects,
    *,
    foreign: Path,
    abandoned: Path,
    num_normal_frames: int = 400,
    num_test_frames: int = 395,
    max_rate_hz: float = 10.0,
    report: Callable[[str], None] | None = None,
) -> InjectOutcome:
    """Learn from a video's first part, and judge its second with events inserted.

    The second part is judged twice: with four events with objects, and with four
    faults of the camera.

    Args:
        video: Of a fixed camera.
        network: Finds objects.
        foreign: A photograph with transparency of something that does not belong there.
        abandoned: The same, of something small.
        num_normal_frames: To learn from.
        num_test_frames: To judge, at least forty.
        max_rate_hz: Frames a second that the network looks at.
        report: Gets a line per step.

    Returns:
        All scores and what they are worth.

    Raises:
        ValueError: If the video is too short, or too empty to learn from.
        VideoError: If it cannot be read.
    """
    say = report or (lambda _: None)
    with open_video(video) as stream:
        frames = list(islice(stream, num_normal_frames + num_test_frames))
    if len(frames) < num_normal_frames + num_test_frames:
        raise ValueError(
            f"{video} has {len(frames)} frames, fewer than the {num_normal_frames} + "
            f"{num_test_frames} that were asked for"
        )
    normal, test = frames[:num_normal_frames], frames[num_normal_frames:]
    started = time.monotonic()
    observer = _observer(network, max_rate_hz)
    moments = [observer.observe(frame) for frame in normal]
    model = AnomalyModel.fit(moments)
    training_s = time.monotonic() - started
    say(f"learnt from {len(normal)} frames in {training_s:.1f} s")
    objects = object_events(normal, moments, foreign=foreign, abandoned=abandoned)
    parts = []
    for events in (objects, camera_events()):
        # The stream goes on from the normal part: its tail warms up the background.
        observer = _observer(network, max_rate_hz)
        for frame in normal[-_WARM_UP_FRAMES:]:
            observer.observe(frame)
        parts.append(_judge(inject(test, events), observer, model))
        say(f"judged {len(test)} frames with {', '.join(each.kind for each in events)}")
    return _outcome(parts, (*objects, *camera_events()), model, training_s)


@dataclass(frozen=True)
class _Known:
    """What was inserted into a frame, without its pixels; see ``InjectedFrame``."""

    stretch: int
    event: Event | None
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class _Judged:
    frame: _Known
    judgement: Judgement
    alarms: tuple[Alarm, ...]
    picture: bytes | None


def _observer(network: FindsObjects, max_rate_hz: float) -> Observer:
    return Observer(ObjectDetector(network, max_rate_hz=max_rate_hz), Tracker())


def _judge(
    frames: Iterable[InjectedFrame], observer: Observer, model: AnomalyModel
) -> list[_Judged]:
    judge, bell = model.judge(), AlarmBell("test", model.threshold.value)
    judged = []
    for index, each in enumerate(frames):
        moment = observer.observe(each.frame)
        judgement = judge.judge(moment)
        alarms = bell.listen(judgement, each.frame)
        picture = None
        if index % _PICTURE_INTERVAL == 0:
            limit = model.threshold.value
            strange = [found for found in judgement.findings if found.score > limit]
            picture = draw_frame(
                each.frame, moment.tracks, strange, max_width=_PICTURE_WIDTH
            )
        # Pixels are not kept: only what is known of them.
        known = _Known(each.stretch, each.event, each.box)
        judged.append(_Judged(known, judgement, alarms, picture))
    return judged


def _outcome(
    parts: Sequence[Sequence[_Judged]],
    events: tuple[Event, ...],
    model: AnomalyModel,
    training_s: float,
) -> InjectOutcome:
    offsets = np.cumsum([0, *(part[-1].frame.stretch + 1 for part in parts)])
    every = [
        (int(offset) + judged.frame.stretch, judged)
        for offset, part in zip(offsets, parts, strict=False)
        for judged in part
    ]
    rbdc, tbdc = region_and_track_criteria(
        [
            _regions(stretch, judged)
            for stretch, judged in every
            if events[stretch].sprites
        ]
    )
    return InjectOutcome(
        times_s=np.array([judged.judgement.time_s for _, judged in every]),
        scores=np.array([judged.judgement.score for _, judged in every]),
        strange=np.array([judged.frame.event is not None for _, judged in every]),
        stretches=tuple(stretch for stretch, _ in every),
        kinds=tuple(event.kind for event in events),
        reasons=tuple(
            judged.judgement.findings[0].kind if judged.judgement.findings else ""
            for _, judged in every
        ),
        alarms=tuple(
            (stretch, alarm) for stretch, judged in every for alarm in judged.alarms
        ),
        right_reasons=tuple(event.right_reasons for event in events),
        rbdc=rbdc,
        tbdc=tbdc,
        training_s=training_s,
        pictures={
            index: judged.picture
            for index, (_, judged) in enumerate(every)
            if judged.picture is not None
        },
        model=model,
    )


def _regions(stretch: int, judged: _Judged) -> ScoredRegions:
    findings = [each for each in judged.judgement.findings if each.box is not None]
    given = [] if judged.frame.box is None else [judged.frame.box]
    return ScoredRegions(
        boxes=np.array([each.box for each in findings], float).reshape(-1, 4),
        scores=np.array([each.score for each in findings], float),
        given=np.array(given, float).reshape(-1, 4),
        given_tracks=(stretch,) * len(given),
    )
