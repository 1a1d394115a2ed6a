"""The record of a run: the only thing that crosses to claims and figures.

A notebook writes one ``RunRecord`` into its run folder. Beside it lies
``run.json``, written by the runner, which says which attempt under which profile
this is; a run by hand has none and counts as profile ``interactive``.
"""

import json
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cocodesign.errors import RecordError
from cocodesign.files import write_atomically
from cocodesign.provenance import Provenance

RECORD_NAME = "record.json"
RUN_CONTEXT_NAME = "run.json"
RECORD_VERSION = 1

PROFILES = ("smoke", "laptop", "gpu", "paper")
"""The profiles that count as reproductions, by rising scale."""

Scalar = bool | int | float | str | None
Column = Sequence[Scalar]


@dataclass(frozen=True)
class Measurement:
    """A number that a run measured, with what it varied over.

    Attributes:
        values: The repetitions, one per seed, in the order of the seeds.
        unit: The unit, ``"x"`` for a ratio, ``"fraction"`` for 0 to 1.
        simulated: Whether a model produced the number instead of a measurement.
        note: What a reader must know beside the number; may be empty.
    """

    values: tuple[float, ...]
    unit: str
    simulated: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a measurement needs at least one value")
        for value in self.values:
            if not math.isfinite(value):
                raise ValueError(
                    f"a measurement must be finite, got {value}: leave out the metric "
                    "and say in the record's notes why it has no value"
                )

    @property
    def median(self) -> float:
        """The median over the repetitions."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The smallest repetition."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest repetition."""
        return max(self.values)


@dataclass(frozen=True)
class RunRecord:
    """What one run of a notebook found.

    Attributes:
        notebook: The notebook's name without folder and suffix.
        profile: ``smoke``, ``laptop``, ``gpu`` or ``paper``; ``custom`` if values of
            a profile were changed; ``interactive`` for a run by hand.
        run_id: Name of the run, unique on this machine.
        finished: When the record was written, ISO 8601 in UTC.
        duration_s: Seconds that the measured part took.
        parameters: The notebook's parameters.
        metrics: Measurements by name; what a claim refers to.
        tables: Columns of equal length by table name; what a figure draws.
        notes: Sentences on what is missing, synthetic or smaller than in the paper.
        provenance: Commit, versions, machine, data digests.
    """

    notebook: str
    profile: str
    run_id: str
    finished: str
    duration_s: float
    parameters: Mapping[str, Scalar | list[Any]]
    metrics: Mapping[str, Measurement]
    tables: Mapping[str, Mapping[str, Column]]
    provenance: Provenance
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for name, table in self.tables.items():
            lengths = {column: len(values) for column, values in table.items()}
            if len(set(lengths.values())) > 1:
                raise ValueError(
                    f"table {name!r} has columns of unequal length: {lengths}"
                )

    def to_json(self) -> str:
        """Return the record as JSON text; ``from_json`` is its inverse."""
        fields = {
            "record_version": RECORD_VERSION,
            "notebook": self.notebook,
            "profile": self.profile,
            "run_id": self.run_id,
            "finished": self.finished,
            "duration_s": self.duration_s,
            "parameters": dict(self.parameters),
            "metrics": {
                name: {
                    "values": list(metric.values),
                    "unit": metric.unit,
                    "simulated": metric.simulated,
                    "note": metric.note,
                }
                for name, metric in self.metrics.items()
            },
            "tables": {
                name: {column: list(values) for column, values in table.items()}
                for name, table in self.tables.items()
            },
            "notes": list(self.notes),
            "provenance": self.provenance.to_dict(),
        }
        return json.dumps(fields, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "RunRecord":
        """Rebuild a record from its JSON text.

        Args:
            text: What ``to_json`` gave.

        Returns:
            An equal record.

        Raises:
            RecordError: If the text is no record of a known version.
        """
        try:
            fields = json.loads(text)
            version = fields.pop("record_version")
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise RecordError(f"not a run record: {error!r}") from error
        if version != RECORD_VERSION:
            raise RecordError(
                f"record version {version!r}, but this code reads {RECORD_VERSION}"
            )
        try:
            fields["metrics"] = {
                name: Measurement(**{**metric, "values": tuple(metric["values"])})
                for name, metric in fields["metrics"].items()
            }
            fields["provenance"] = Provenance.from_dict(fields["provenance"])
            fields["notes"] = tuple(fields["notes"])
            return cls(**fields)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordError(f"malformed run record: {error!r}") from error


@dataclass(frozen=True)
class RunContext:
    """Which attempt a run folder belongs to, as the runner wrote it.

    Attributes:
        run_id: Name of the run.
        notebook: The notebook's name without folder and suffix.
        profile: The profile whose values were taken, ``custom`` if some were changed.
        parameters: All parameters with their final values.
    """

    run_id: str
    notebook: str
    profile: str
    parameters: Mapping[str, Scalar | list[Any]]

    def write(self, run_dir: Path) -> None:
        """Write ``run.json`` into the run folder."""
        text = json.dumps(self.__dict__, indent=1, ensure_ascii=False)
        write_atomically(run_dir / RUN_CONTEXT_NAME, text + "\n")

    @classmethod
    def read(cls, run_dir: Path) -> "RunContext | None":
        """Read ``run.json`` from the run folder.

        Args:
            run_dir: The run folder.

        Returns:
            The context, or ``None`` for a run by hand.

        Raises:
            RecordError: If the file is there but malformed.
        """
        path = run_dir / RUN_CONTEXT_NAME
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise RecordError(f"{path}: malformed run context: {error}") from error


def write_record(
    run_dir: Path | str,
    *,
    notebook: str,
    parameters: Mapping[str, Scalar | list[Any]],
    metrics: Mapping[str, Measurement],
    tables: Mapping[str, Mapping[str, Column]],
    provenance: Provenance,
    duration_s: float,
    notes: Iterable[str] = (),
) -> RunRecord:
    """Write the record of a run, the last thing that a notebook does.

    Args:
        run_dir: The run folder; it is made if missing.
        notebook: The notebook's name without folder and suffix.
        parameters: The notebook's parameters.
        metrics: Measurements by name.
        tables: Columns of equal length by table name.
        provenance: From ``collect_provenance``.
        duration_s: Seconds that the measured part took.
        notes: What is missing, synthetic or smaller than in the paper.

    Returns:
        The record as written to ``run_dir/record.json``.

    Raises:
        ValueError: If the runner started another notebook in this folder.
    """
    folder = Path(run_dir)
    context = RunContext.read(folder)
    if context and context.notebook != notebook:
        raise ValueError(
            f"{folder} belongs to notebook {context.notebook!r}, not to {notebook!r}"
        )
    finished = datetime.now(UTC)
    record = RunRecord(
        notebook=notebook,
        profile=context.profile if context else "interactive",
        run_id=context.run_id if context else f"{notebook}-{finished:%Y%m%dT%H%M%SZ}",
        finished=finished.isoformat(timespec="seconds"),
        duration_s=duration_s,
        parameters=dict(parameters),
        metrics=dict(metrics),
        tables=dict(tables),
        provenance=provenance,
        notes=tuple(notes),
    )
    write_atomically(folder / RECORD_NAME, record.to_json())
    return record


def read_record(path: Path) -> RunRecord:
    """Read one record file.

    Args:
        path: A ``record.json``.

    Returns:
        The record.

    Raises:
        RecordError: If the file is missing or malformed; the message names it.
    """
    try:
        return RunRecord.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: {error}") from error
    except RecordError as error:
        raise RecordError(
            f"{path}: {error}; run its notebook again, or remove the file"
        ) from error


def find_records(*folders: Path) -> Iterator[tuple[Path, RunRecord]]:
    """Read all records in some folders, ``<name>.json`` or ``<run>/record.json``.

    Args:
        folders: Folders to look in, one level deep; missing ones are empty.

    Yields:
        Path and record, folder by folder, in the order of their names.
    """
    for folder in folders:
        for path in sorted([*folder.glob("*.json"), *folder.glob(f"*/{RECORD_NAME}")]):
            yield path, read_record(path)


def newest_record(
    records: Iterable[RunRecord], *, notebook: str, profile: str | None = None
) -> RunRecord | None:
    """Choose a notebook's newest record at the largest profile.

    Args:
        records: Where to choose from.
        notebook: The notebook's name.
        profile: Only this profile; any of ``PROFILES`` if ``None``, so that runs by
            hand and with changed values never stand for a reproduction.

    Returns:
        The record, or ``None`` if none fits.
    """
    profiles = PROFILES if profile is None else (profile,)
    fitting = [
        record
        for record in records
        if record.notebook == notebook and record.profile in profiles
    ]
    return max(
        fitting,
        key=lambda record: (profiles.index(record.profile), record.finished),
        default=None,
    )
