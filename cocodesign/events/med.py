"""The files of TRECVID's multimedia event detection (MED), in and out.

All tables are CSV with a header and every value in double quotes. A task is a trial
index (which clip is asked about which event) and, where the answers are public, a
reference. A submission is an archive ``MED17_<team>_….tar.bz2`` that holds
``output/<EXPID>/<EXPID>.{detection.csv,threshold.csv,txt}``.

Source: NIST's MED evaluation plans 2014 and 2017, and F4DE's DEVA profiles.
"""

import csv
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cocodesign.errors import DataFormatError
from cocodesign.events.ranking import rank_trials
from cocodesign.events.trials import NEGATIVE, POSITIVE, UNJUDGED, Trials
from cocodesign.files import write_atomically

Search = Literal["MED17DRYRUN", "MED17EvalFull"]
EventSet = Literal["PS", "AH"]
Hardware = Literal["SML", "MED", "LRG"]

_ANSWERS = {"y": POSITIVE, "n": NEGATIVE}


@dataclass(frozen=True)
class Clip:
    """One row of a clip table.

    Attributes:
        id: The clip's id.
        media_file: Its file.
        md5: Digest of the file, empty if the table has none.
        duration_s: Its length, ``None`` if the table has none.
    """

    id: str
    media_file: str
    md5: str = ""
    duration_s: float | None = None


@dataclass(frozen=True)
class ExperimentId:
    """The name of a submission.

    Attributes:
        team: Letters, digits and hyphens.
        search: Which search.
        event_set: Pre-specified or ad hoc events.
        hardware: Size of the machines.
        system: ``p-…`` for the primary system, ``c-…`` for a contrastive one.
        version: From 1 on.
    """

    team: str
    search: Search
    event_set: EventSet
    hardware: Hardware
    system: str
    version: int = 1

    def __post_init__(self) -> None:
        if not self.team or "_" in self.team:
            raise ValueError(f"a team's name has no underscore, got {self.team!r}")
        if not self.system.startswith(("p-", "c-")) or "_" in self.system:
            raise ValueError(
                f"a system is named p-… or c-… without underscore, got {self.system!r}"
            )
        if self.version < 1:
            raise ValueError(f"versions count from 1, got {self.version}")

    def __str__(self) -> str:
        """Return the EXPID, such as ``TT_MED17_MED17EvalFull_PS_10Ex_SML_p-a_1``."""
        return (
            f"{self.team}_MED17_{self.search}_{self.event_set}_10Ex_{self.hardware}_"
            f"{self.system}_{self.version}"
        )

    @property
    def archive_name(self) -> str:
        """The name of the archive that is sent."""
        return (
            f"MED17_{self.team}_{self.search}_{self.event_set}_{self.version}.tar.bz2"
        )

    @classmethod
    def parse(cls, text: str) -> "ExperimentId":
        """Read an EXPID; ``str`` is the inverse.

        Args:
            text: The EXPID.

        Returns:
            Its parts.

        Raises:
            ValueError: If it is malformed.
        """
        parts = text.split("_")
        known = len(parts) == 8 and parts[1] == "MED17" and parts[4] == "10Ex"
        if (
            not known
            or parts[2] not in get_args(Search)
            or parts[3] not in get_args(EventSet)
            or parts[5] not in get_args(Hardware)
            or not parts[7].isdecimal()
        ):
            raise ValueError(
                f"{text!r} is no TEAM_MED17_SEARCH_EVENTSET_10Ex_SMGHW_SYS_VERSION"
            )
        return cls(parts[0], parts[2], parts[3], parts[5], parts[6], int(parts[7]))  # pyright: ignore[reportArgumentType]


def read_med(trial_index: Path, reference: Path | None = None) -> Trials:
    """Read a task.

    Args:
        trial_index: ``TrialID, ClipID, EventID``.
        reference: ``TrialID, Targ`` with ``y`` or ``n``; trials that it lacks are
            unjudged.

    Returns:
        The trials, in the order of the index.

    Raises:
        DataFormatError: If a column is missing, a trial occurs twice, or the reference
            has a trial or an answer that is not known.
    """
    rows = read_table(trial_index, ("TrialID", "ClipID", "EventID"))
    numbers = {row["TrialID"]: number for number, row in enumerate(rows)}
    if len(numbers) < len(rows):
        raise DataFormatError(f"{trial_index} has a trial twice")
    clips = {
        name: at for at, name in enumerate(dict.fromkeys(r["ClipID"] for r in rows))
    }
    events = {
        name: at for at, name in enumerate(dict.fromkeys(r["EventID"] for r in rows))
    }
    labels = np.full(len(rows), UNJUDGED, np.int8)
    if reference is not None:
        for row in read_table(reference, ("TrialID", "Targ")):
            number = numbers.get(row["TrialID"])
            answer = _ANSWERS.get(row["Targ"].lower())
            if number is None or answer is None:
                raise DataFormatError(
                    f"{reference}: trial {row['TrialID']!r} with the answer "
                    f"{row['Targ']!r} is not in the index or not y or n"
                )
            labels[number] = answer
    return Trials(
        trial_ids=tuple(numbers),
        clip_ids=tuple(clips),
        event_ids=tuple(events),
        clips=np.array([clips[row["ClipID"]] for row in rows], np.int32),
        events=np.array([events[row["EventID"]] for row in rows], np.int32),
        labels=labels,
    )


def write_med(trials: Trials, trial_index: Path, reference: Path) -> None:
    """Write a task; ``read_med`` is the inverse.

    Args:
        trials: The trials; what is unjudged is left out of the reference.
        trial_index: The file of the index.
        reference: The file of the answers.
    """
    words = {value: word for word, value in _ANSWERS.items()}
    write_table(
        trial_index,
        ("TrialID", "ClipID", "EventID"),
        [
            (name, trials.clip_ids[clip], trials.event_ids[event])
            for name, clip, event in zip(
                trials.trial_ids, trials.clips, trials.events, strict=True
            )
        ],
    )
    write_table(
        reference,
        ("TrialID", "Targ"),
        [
            (name, words[int(label)])
            for name, label in zip(trials.trial_ids, trials.labels, strict=True)
            if label != UNJUDGED
        ],
    )


def read_clips(path: Path) -> tuple[Clip, ...]:
    """Read a clip table: ``ClipID, MEDIA_FILE`` and, if there, ``MD5SUM, DURATION``.

    Args:
        path: The file.

    Returns:
        The clips.

    Raises:
        DataFormatError: If a column is missing or a duration is no number.
    """
    clips = []
    for row in read_table(path, ("ClipID", "MEDIA_FILE")):
        text = row.get("DURATION", "")
        try:
            duration_s = float(text) if text else None
        except ValueError as error:
            raise DataFormatError(
                f"{path}: clip {row['ClipID']} has the duration {text!r}"
            ) from error
        clips.append(
            Clip(row["ClipID"], row["MEDIA_FILE"], row.get("MD5SUM", ""), duration_s)
        )
    return tuple(clips)


def write_submission(
    folder: Path,
    experiment: ExperimentId,
    trials: Trials,
    scores: NDArray[np.floating],
    *,
    description: str,
    detection_s: Mapping[str, float],
    search_s: Mapping[str, float],
) -> Path:
    """Write the archive that is sent to NIST.

    Every trial gets a rank of its own within its event; a clip that could not be
    decoded has the score NaN and comes last, but is never left out.

    Args:
        folder: Where the archive goes.
        experiment: The submission's name.
        trials: The task.
        scores: One per trial.
        description: What the system does, in free text.
        detection_s: Seconds of processing by event, ``DetectionTPT``.
        search_s: Seconds to search the metadata by event, ``SEARCHMDTPT``.

    Returns:
        The archive's path.

    Raises:
        ValueError: If there is not one score per trial, or an event has no times.
    """
    if len(scores) != len(trials):
        raise ValueError(f"{len(trials)} trials, but {len(scores)} scores")
    untimed = [
        event
        for event in trials.event_ids
        if event not in detection_s or event not in search_s
    ]
    if untimed:
        raise ValueError(f"detection_s or search_s lacks {', '.join(untimed)}")
    ranks = np.zeros(len(trials), np.int64)
    for index in range(len(trials.event_ids)):
        mine = np.flatnonzero(trials.events == index)
        # Labels must not decide here: equal scores keep the order of the index.
        order = rank_trials(scores[mine], np.zeros(len(mine), np.int8))
        ranks[mine[order]] = np.arange(1, len(mine) + 1)
    detection = zip(trials.trial_ids, ranks, strict=True)
    thresholds = [
        (event, f"{detection_s[event]:.3f}", f"{search_s[event]:.3f}")
        for event in trials.event_ids
    ]
    name = str(experiment)
    contents = {
        f"{name}.detection.csv": _table(("TrialID", "Rank"), detection),
        f"{name}.threshold.csv": _table(
            ("EventID", "DetectionTPT", "SEARCHMDTPT"), thresholds
        ),
        f"{name}.txt": description.rstrip() + "\n",
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:bz2") as opened:
        for file, text in contents.items():
            info = tarfile.TarInfo(f"output/{name}/{file}")
            content = text.encode()
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    path = folder / experiment.archive_name
    write_atomically(path, archive.getvalue())
    return path


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file with a header.

    Args:
        path: The file.
        columns: The columns that must be there; others are kept as well.

    Returns:
        One dictionary per row.

    Raises:
        DataFormatError: If the file cannot be read, a column is missing or a row has
            another length than the header.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restkey="", strict=True)
            rows = list(reader)
            header = reader.fieldnames or ()
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise DataFormatError(f"{path} is no CSV file: {error}") from error
    if missing := [name for name in columns if name not in header]:
        raise DataFormatError(f"{path} has no column {', '.join(missing)}")
    for number, row in enumerate(rows, start=2):
        if "" in row or None in row.values():
            raise DataFormatError(f"{path}, row {number}: not {len(header)} values")
    return rows


def write_table(
    path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    """Write a CSV file with a header, every value in double quotes.

    Args:
        path: The file.
        columns: The header.
        rows: The values.
    """
    write_atomically(path, _table(columns, rows))


def _table(columns: Sequence[str], rows) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
