"""One attempt to run a notebook, from its parameters to its record."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nbformat import NotebookNode
from papermill.iorw import load_notebook_node

from cocodesign.errors import (
    InvalidParameterError,
    RecordMissingError,
    RunError,
    RunInProgressError,
)
from cocodesign.results import RECORD_NAME, RunContext, RunRecord, read_record
from cocodesign.runner.engine import CocodesignEngine
from cocodesign.runner.joining import wait_for_record
from cocodesign.runner.lease import Lease, acquire_lease
from cocodesign.runner.notebook import (
    SMOKE,
    declared_parameters,
    inject_parameters,
    load_notebook,
    notebook_text,
    read_profile,
)
from cocodesign.runner.origin import origin_digest
from cocodesign.runner.parameters import Value, resolve_parameters
from cocodesign.runner.progress import Report, ignore_progress
from cocodesign.runner.session import SessionPlan
from cocodesign.runner.stopping import StopRequests

EXECUTED_NAME = "notebook.ipynb"
KERNEL_LOG_NAME = "kernel.log"
CHECKPOINTS_NAME = "checkpoints"
CUSTOM = "custom"


def run_notebook(
    notebook: Path,
    *,
    run_dir: Path,
    profile: str = SMOKE,
    parameters: Mapping[str, object] | None = None,
    cell_timeout_s: float | None = None,
    total_timeout_s: float | None = None,
    report: Report = ignore_progress,
    join: bool = False,
) -> RunRecord:
    """Execute a notebook and return the record that it wrote.

    The run folder gets ``notebook.ipynb``, the executed copy, saved while it runs and
    kept however the run ends; ``run.json``, the parameters; ``lease.json``, the sign of
    life; and what the notebook writes. Cells run in the notebook's own folder.

    Whatever happens to this process, the kernel or both, the copy is a valid notebook
    that lacks at most the last second, and no process stays behind. SIGINT and SIGTERM
    (in the main thread) interrupt the kernel, save and raise; a second one is not
    patient.

    A notebook may keep checkpoints in the folder ``checkpoints`` of the run folder. It
    finds them again when the same run is tried once more after an attempt that did not
    finish; the runner removes them when the run finishes, or when notebook, values,
    package or libraries have changed.

    Args:
        notebook: The notebook; it is never written to.
        run_dir: The run folder, made if missing. One attempt at a time may use it; an
            older record in it is removed.
        profile: Whose values to take: ``smoke`` for the notebook's defaults, else the
            file ``parameters/<notebook>.<profile>.yaml`` beside it.
        parameters: Values by name that differ from the profile's, except ``run_dir``.
            If one really differs, the run's profile is ``custom``.
        cell_timeout_s: Limit for each cell in seconds, ``None`` for none.
        total_timeout_s: Limit for all cells in seconds, ``None`` for none.
        report: Told about each cell's progress.
        join: If another attempt uses the run folder, wait for its end, and return its
            record if it is of the same run; try again if it is not, or has failed.

    Returns:
        The record.

    Raises:
        ValueError: If a limit is not positive.
        NotebookError: If the notebook lacks what the runner needs.
        ParameterError: If a parameter or the profile is refused.
        RunInProgressError: If another attempt uses the run folder, unless ``join``.
        RunError: If the run ended without a record; its subclass says why, or its
            message, if the system failed us.
        RecordMissingError: Such a subclass, if all cells ran.
        RecordError: If the notebook wrote a malformed record.
    """
    for limit_s in (cell_timeout_s, total_timeout_s):
        if limit_s is not None and not limit_s > 0:
            raise ValueError(f"a time limit must be positive, got {limit_s} s")
    notebook, run_dir = notebook.resolve(), run_dir.resolve()
    values, profile = _values(notebook, run_dir, profile, parameters or {})
    context = RunContext(run_dir.name, notebook.stem, profile, values)
    document = load_notebook_node(str(notebook))
    origin = origin_digest(document, values)
    stops = StopRequests()
    with _system_errors_explained(run_dir), stops.listen():
        lease = _lease_or_record(run_dir, context, origin, stops, join=join)
        if isinstance(lease, RunRecord):
            return lease
        with lease:
            _clear(run_dir, keep_checkpoints=lease.continues)
            context.write(run_dir)
            inject_parameters(document, values)
            document.metadata.papermill["parameters"] = dict(values)
            plan = SessionPlan(
                attempt=lease.attempt,
                cwd=notebook.parent,
                executed=run_dir / EXECUTED_NAME,
                write=lease.write,
                kernel_log=run_dir / KERNEL_LOG_NAME,
                cell_timeout_s=cell_timeout_s,
                total_timeout_s=total_timeout_s,
                report=report,
                stops=stops,
            )
            _execute(document, plan)
            record = _read_record(run_dir, notebook)
            shutil.rmtree(run_dir / CHECKPOINTS_NAME, ignore_errors=True)
            return record


def _values(
    notebook: Path, run_dir: Path, profile: str, parameters: Mapping[str, object]
) -> tuple[dict[str, Value], str]:
    """Return all parameters, and the profile that they belong to."""
    if "run_dir" in parameters:
        raise InvalidParameterError(
            "run_dir is set by the runner: choose the run folder instead"
        )
    declared = declared_parameters(load_notebook(notebook), notebook)
    location = {"run_dir": str(run_dir)}
    of_profile = read_profile(notebook, profile)
    plain = resolve_parameters(declared, of_profile, location)
    values = resolve_parameters(declared, of_profile, {**parameters, **location})
    return values, profile if values == plain else CUSTOM


def _lease_or_record(
    run_dir: Path, context: RunContext, origin: str, stops: StopRequests, *, join: bool
) -> Lease | RunRecord:
    """Own the run folder, or return the record of an attempt that was joined."""
    while True:
        try:
            return acquire_lease(
                run_dir,
                notebook=context.notebook,
                profile=context.profile,
                on_loss=stops.request,
                origin=origin,
            )
        except RunInProgressError:
            if not join:
                raise
        record = wait_for_record(run_dir, context, stops)
        if record is not None:
            return record


@contextmanager
def _system_errors_explained(run_dir: Path) -> Iterator[None]:
    """Turn a full disk, a read-only folder and the like into one clear error."""
    try:
        yield
    except OSError as error:
        raise RunError(f"the run in {run_dir} cannot go on: {error}") from error


def _clear(run_dir: Path, *, keep_checkpoints: bool) -> None:
    """Remove what an earlier attempt left: its record, log, half-written files."""
    if not keep_checkpoints:
        shutil.rmtree(run_dir / CHECKPOINTS_NAME, ignore_errors=True)
    for name in (RECORD_NAME, KERNEL_LOG_NAME):
        (run_dir / name).unlink(missing_ok=True)
    for leftover in run_dir.glob(f".{EXECUTED_NAME}.*"):
        leftover.unlink(missing_ok=True)


def _read_record(run_dir: Path, notebook: Path) -> RunRecord:
    path = run_dir / RECORD_NAME
    if not path.exists():
        raise RecordMissingError(
            f"all cells of {notebook.name} ran, but none wrote {path}: "
            "call cocodesign.results.write_record"
        )
    return read_record(path)


def _execute(document: NotebookNode, plan: SessionPlan) -> None:
    """Execute the cells; save the notebook with its status before and after."""
    _save(document, plan, "running")
    try:
        CocodesignEngine.execute_notebook(
            document, "python3", progress_bar=False, plan=plan
        )
    except BaseException:
        _save(document, plan, "failed")
        raise
    _save(document, plan, "finished")


def _save(document: NotebookNode, plan: SessionPlan, status: str) -> None:
    assert plan.executed is not None
    document.metadata["cocodesign"] = {"attempt": plan.attempt, "status": status}
    plan.write(plan.executed, notebook_text(document))
