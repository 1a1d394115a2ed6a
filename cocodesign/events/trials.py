"""Trials: pairs of a clip and an event, whose answer is known, unknown or asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POSITIVE, NEGATIVE, UNJUDGED = 1, 0, -1


@dataclass(frozen=True)
class Trials:
    """A list of trials, as columns; 2 million of them take 22 MB beside their names.

    Attributes:
        trial_ids: One per trial, in the order of the file.
        clip_ids: All clips.
        event_ids: All events.
        clips: Which clip each trial is about, an index.
        events: Which event each trial is about, an index.
        labels: ``POSITIVE``, ``NEGATIVE`` or ``UNJUDGED``.
    """

    trial_ids: tuple[str, ...]
    clip_ids: tuple[str, ...]
    event_ids: tuple[str, ...]
    clips: NDArray[np.int32]
    events: NDArray[np.int32]
    labels: NDArray[np.int8]

    def __post_init__(self) -> None:
        lengths = {
            len(each) for each in (self.trial_ids, self.clips, self.events, self.labels)
        }
        if len(lengths) > 1:
            raise ValueError(f"the columns of the trials have the lengths {lengths}")
        if not set(np.unique(self.labels)) <= {POSITIVE, NEGATIVE, UNJUDGED}:
            raise ValueError(f"labels are 1, 0 or -1, got {np.unique(self.labels)}")

    def __len__(self) -> int:
        return len(self.trial_ids)

    @classmethod
    def grid(
        cls,
        clip_ids: Sequence[str],
        event_ids: Sequence[str],
        labels: NDArray[np.integer],
    ) -> "Trials":
        """Try every clip for every event.

        Args:
            clip_ids: The clips.
            event_ids: The events.
            labels: One row per clip and one column per event.

        Returns:
            The trials, event by event, named ``clip.event``.

        Example:
            >>> trials = Trials.grid(["a", "b"], ["E1"], np.array([[1], [0]]))
            >>> trials.trial_ids, trials.labels.tolist()
            (('a.E1', 'b.E1'), [1, 0])
        """
        num_clips, num_events = len(clip_ids), len(event_ids)
        return cls(
            trial_ids=tuple(
                f"{clip}.{event}" for event in event_ids for clip in clip_ids
            ),
            clip_ids=tuple(clip_ids),
            event_ids=tuple(event_ids),
            clips=np.tile(np.arange(num_clips, dtype=np.int32), num_events),
            events=np.repeat(np.arange(num_events, dtype=np.int32), num_clips),
            labels=np.asarray(labels, np.int8).T.reshape(-1),
        )

    def scores_from_grid(self, scores: NDArray[np.floating]) -> NDArray[np.float32]:
        """Pick each trial's score from a table.

        Args:
            scores: One row per clip and one column per event; NaN where a clip could
                not be decoded.

        Returns:
            One score per trial.
        """
        return np.asarray(scores, np.float32)[self.clips, self.events]
