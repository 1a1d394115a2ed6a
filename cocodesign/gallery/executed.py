"""The executed notebooks of a clone, and which of them a gallery shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cocodesign.results import PROFILES, RECORD_NAME, RunRecord, read_record

EXECUTED_NAME = "notebook.ipynb"


@dataclass(frozen=True)
class ExecutedNotebook:
    """A run that finished.

    Attributes:
        path: The executed copy.
        record: What it found.
    """

    path: Path
    record: RunRecord


def choose_executed(runs: Path, *, without: Iterable[str]) -> list[ExecutedNotebook]:
    """Choose each notebook's newest finished run at the largest profile.

    Runs by hand and with changed values are passed over: they reproduce nothing.

    Args:
        runs: The folder of the run folders; it may be missing.
        without: Notebooks that are left out.

    Returns:
        The choice, by the notebooks' names.
    """
    chosen: dict[str, ExecutedNotebook] = {}
    left_out = set(without)
    for path in sorted(runs.glob(f"*/{RECORD_NAME}")):
        executed = path.with_name(EXECUTED_NAME)
        record = read_record(path)
        if record.notebook in left_out or record.profile not in PROFILES:
            continue
        former = chosen.get(record.notebook)
        if executed.is_file() and (
            former is None or _rank(record) > _rank(former.record)
        ):
            chosen[record.notebook] = ExecutedNotebook(executed, record)
    return [chosen[name] for name in sorted(chosen)]


def _rank(record: RunRecord) -> tuple[int, str]:
    return PROFILES.index(record.profile), record.finished
