"""Learn what is normal before a camera, and say what is not and why."""

import io
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from cocodesign.errors import DataFormatError
from cocodesign.files import write_atomically
from cocodesign.video.attributes import Attributes, attributes_of
from cocodesign.video.camera_faults import CameraFaults
from cocodesign.video.density import Density
from cocodesign.video.normal_video import NormalVideo
from cocodesign.video.observation import Moment, Region
from cocodesign.video.thresholds import Threshold, conformal_threshold
from cocodesign.video.tracking import Track

# The smallest differences that mean something.
_MOTION_RESOLUTION = np.array([0.25, 0.25])  # heights per second
_PLACE_RESOLUTION = np.array([0.04, 0.04])  # of the frame
_SHAPE_RESOLUTION = np.array([0.2, 0.3, 0.25])
_LEAST_STILL_S = 5.0
_LEAST_UNKNOWN_S = 1.0
_UNSEEN_CLASS_SCORE = 3.0  # times the track's own score
_MEDIAN_S = 0.5  # over which an object's scores are smoothed
_FORGOTTEN_S = 10.0
_UNREADABLE = (OSError, EOFError, BadZipFile, KeyError, IndexError, ValueError)


@dataclass(frozen=True)
class Finding:
    """One way in which something is strange.

    Attributes:
        kind: ``speed``, ``place``, ``shape``, ``class``, ``still``, ``unknown``, or a
            fault of the camera.
        subject: Who, such as ``person 3``; the same from moment to moment.
        score: About 1 is the edge of the normal, larger is stranger.
        sentence: Why, for people.
        box: Where, in pixels; ``None`` for the whole picture.
    """

    kind: str
    subject: str
    score: float
    sentence: str
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class Judgement:
    """How strange a moment is.

    Attributes:
        time_s: When.
        findings: The strangest first, one per subject.
    """

    time_s: float
    findings: tuple[Finding, ...]

    @property
    def score(self) -> float:
        """Of the strangest finding; 0 if there is nothing to judge."""
        return self.findings[0].score if self.findings else 0.0


class AnomalyModel:
    """What is normal before one camera.

    Nothing is trained by gradients: attributes of all objects are kept, and what is far
    from all of them is strange.

    Args:
        normal: What was seen in normal video.
        faults: How the camera's picture normally is.
        threshold: From which score on something is an alarm.

    Raises:
        ValueError: If the normal video shows fewer than two objects.
    """

    def __init__(
        self, normal: NormalVideo, faults: CameraFaults, threshold: Threshold
    ) -> None:
        self.normal = normal
        self.faults = faults
        self.threshold = threshold
        self._motion = Density(normal.motions, normal.motion_tracks, _MOTION_RESOLUTION)
        self._place = Density(normal.places, normal.tracks, _PLACE_RESOLUTION)
        self._shape = Density(normal.shapes, normal.tracks, _SHAPE_RESOLUTION)
        self._fastest = float(np.linalg.norm(normal.motions, axis=1).max())
        self._still_limit_s = max(_LEAST_STILL_S, 1.5 * normal.longest_still_s)
        self._unknown_limit_s = max(_LEAST_UNKNOWN_S, 1.5 * normal.longest_unknown_s)

    @classmethod
    def fit(
        cls,
        moments: Iterable[Moment],
        *,
        held_out_fraction: float = 0.25,
        max_false_alarms_per_hour: float | None = None,
    ) -> "AnomalyModel":
        """Learn from normal video.

        Args:
            moments: Of normal video, in order.
            held_out_fraction: The last part, which only sets the threshold.
            max_false_alarms_per_hour: See ``conformal_threshold``.

        Returns:
            The model.

        Raises:
            ValueError: If the video is too short or too empty to learn from, or to
                promise so few false alarms.
        """
        if not 0 < held_out_fraction < 1:
            raise ValueError(
                f"held_out_fraction must be in (0, 1), got {held_out_fraction}"
            )
        every = list(moments)
        num_learnt = round((1 - held_out_fraction) * len(every))
        learnt, held_out = every[:num_learnt], every[num_learnt:]
        faults = CameraFaults.learn(
            [each.view for each in learnt], [each.time_s for each in learnt]
        )
        normal = NormalVideo.of(learnt)
        untried = Threshold(float("inf"), 0.0, 0)
        judge = cls(normal, faults, untried).judge()
        scores = np.array([judge.judge(each).score for each in held_out])
        threshold = conformal_threshold(
            np.array([each.time_s for each in held_out]),
            scores,
            max_false_alarms_per_hour=max_false_alarms_per_hour,
        )
        return cls(normal, faults, threshold)

    def judge(self) -> "Judge":
        """Return a judge for one stream."""
        return Judge(self)

    def save(self, path: Path) -> None:
        """Write the model as ``.npz``.

        Args:
            path: The file; it appears only when it is complete.
        """
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **self._arrays())
        write_atomically(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> "AnomalyModel":
        """Read what ``save`` wrote.

        Args:
            path: The file.

        Returns:
            The model.

        Raises:
            DataFormatError: If the file is no such model.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
                limits, promise = found["limits"], found["threshold"]
                normal = NormalVideo(
                    motions=found["motions"],
                    motion_tracks=found["motion_tracks"],
                    places=found["places"],
                    shapes=found["shapes"],
                    tracks=found["tracks"],
                    class_counts=found["class_counts"],
                    longest_still_s=float(limits[0]),
                    longest_unknown_s=float(limits[1]),
                    duration_s=float(limits[2]),
                )
                faults = CameraFaults(
                    scene=found["scene"],
                    least_sharpness=float(limits[3]),
                    least_contrast=float(limits[4]),
                    shift_limit=float(limits[5]),
                    frozen_limit_s=float(limits[6]),
                )
                threshold = Threshold(
                    float(promise[0]), float(promise[1]), int(promise[2])
                )
                return cls(normal, faults, threshold)
        except _UNREADABLE as error:
            raise DataFormatError(f"{path} holds no anomaly model: {error}") from error

    def _arrays(self) -> dict[str, np.ndarray]:
        normal, faults = self.normal, self.faults
        return {
            "motions": normal.motions,
            "motion_tracks": normal.motion_tracks,
            "places": normal.places,
            "shapes": normal.shapes,
            "tracks": normal.tracks,
            "class_counts": normal.class_counts,
            "scene": faults.scene,
            "limits": np.array(
                [
                    normal.longest_still_s,
                    normal.longest_unknown_s,
                    normal.duration_s,
                    faults.least_sharpness,
                    faults.least_contrast,
                    faults.shift_limit,
                    faults.frozen_limit_s,
                ]
            ),
            "threshold": np.array(
                [
                    self.threshold.value,
                    self.threshold.false_alarms_per_hour,
                    self.threshold.num_blocks,
                ]
            ),
        }

    def findings_of(self, track: Track, moment: Moment) -> tuple[Finding, ...]:
        """Judge an object by itself.

        Args:
            track: One of the moment's.
            moment: When.

        Returns:
            One finding per kind.
        """
        found = attributes_of(track, moment)
        subject = f"{track.class_name} {track.number}"
        return tuple(
            Finding(kind, subject, score, f"{subject} {sentence}", track.box)
            for kind, score, sentence in self._scores_of(track, found)
        )

    def _scores_of(
        self, track: Track, found: Attributes
    ) -> list[tuple[str, float, str]]:
        normal = self.normal
        in_all = f"in {normal.duration_s:.0f} s of normal video"
        is_known = normal.class_counts[track.class_index] > 0
        height = float(np.exp(np.median(normal.shapes[:, 0])))
        scores = [
            (
                "place",
                self._place.score(found.path),
                f"is where nothing was {in_all}",
            ),
            (
                "shape",
                self._shape.score(found.shape),
                f"is {found.height / height:.1f} times as tall and "
                f"{found.aspect:.1f} as wide as tall, unlike anything there {in_all}",
            ),
            (
                "class",
                0.0 if is_known else _UNSEEN_CLASS_SCORE * track.score,
                f"is of a class that was never there {in_all}",
            ),
            (
                "still",
                found.still_s / self._still_limit_s,
                f"has stayed in one place for {found.still_s:.0f} s, normally at most "
                f"{normal.longest_still_s:.0f} s",
            ),
        ]
        if found.velocity is not None:
            fast = f"moves at {found.speed:.1f} of its heights a second, "
            usual = f"the fastest normal ones at {self._fastest:.1f}"
            unlike = "in a direction that nothing normally takes at that speed"
            scores.append(
                (
                    "speed",
                    self._motion.score(np.array(found.velocity)),
                    fast + (usual if found.speed > self._fastest else unlike),
                )
            )
        return scores

    def finding_of_region(self, region: Region, moment: Moment) -> Finding:
        """Judge something that is no known object.

        Args:
            region: One of the moment's.
            moment: When.

        Returns:
            How strange it is that it is there for so long.
        """
        there_s = moment.time_s - region.first_s
        where = f"at {region.box[0]:.0f}, {region.box[1]:.0f}"
        return Finding(
            "unknown",
            f"something since {region.first_s:.1f} s {where}",
            there_s / self._unknown_limit_s,
            f"something that is no known object is {where} for {there_s:.1f} s, "
            f"normally at most {self.normal.longest_unknown_s:.1f} s",
            region.box,
        )


class Judge:
    """Judges the moments of one stream, one after the other.

    Args:
        model: What is normal.
    """

    def __init__(self, model: AnomalyModel) -> None:
        self._model = model
        faults = model.faults
        self._faults = CameraFaults(
            scene=faults.scene,
            least_sharpness=faults.least_sharpness,
            least_contrast=faults.least_contrast,
            shift_limit=faults.shift_limit,
            frozen_limit_s=faults.frozen_limit_s,
        )
        self._recent: dict[tuple[int, str], deque[tuple[float, float]]] = {}

    def judge(self, moment: Moment) -> Judgement:
        """Judge the next moment.

        Args:
            moment: Later than the last one.

        Returns:
            The findings.
        """
        findings = [
            Finding(each.fault, "camera", each.score, each.sentence, None)
            for each in self._faults.score(moment.view, moment.time_s)
        ]
        strangest = max(findings, key=lambda each: each.score)
        found = [strangest]
        if strangest.score < 1:  # else the camera explains everything
            found += [self._strangest(track, moment) for track in moment.seen_tracks]
            found += [
                self._model.finding_of_region(region, moment)
                for region in moment.regions
            ]
        self._forget(moment.time_s)
        found.sort(key=lambda each: -each.score)
        return Judgement(moment.time_s, tuple(found))

    def _strangest(self, track: Track, moment: Moment) -> Finding:
        smoothed = []
        for finding in self._model.findings_of(track, moment):
            recent = self._recent.setdefault((track.number, finding.kind), deque())
            recent.append((moment.time_s, finding.score))
            while recent[0][0] < moment.time_s - _MEDIAN_S:
                recent.popleft()
            score = float(np.median([each for _, each in recent]))
            smoothed.append(
                Finding(
                    finding.kind,
                    finding.subject,
                    score,
                    finding.sentence,
                    finding.box,
                )
            )
        return max(smoothed, key=lambda each: each.score)

    def _forget(self, time_s: float) -> None:
        self._recent = {
            key: recent
            for key, recent in self._recent.items()
            if recent[-1][0] >= time_s - _FORGOTTEN_S
        }
