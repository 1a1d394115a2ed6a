"""One attempt to run a notebook, from its parameters to its record."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nbformat import NotebookNode
from papermill.iorw import load_notebook_node

from cocodesign.errors import InvalidParameterError, RecordMissingError, RunError
from cocodesign.results import RECORD_NAME, RunContext, RunRecord, read_record
from cocodesign.runner.engine import CocodesignEngine
from cocodesign.runner.lease import acquire_lease
from cocodesign.runner.notebook import (
    SMOKE,
    declared_parameters,
    inject_parameters,
    load_notebook,
    notebook_text,
    read_profile,
)
from cocodesign.runner.parameters import Value, resolve_parameters
from cocodesign.runner.progress import Report, ignore_progress
from cocodesign.runner.session import SessionPlan
from cocodesign.runner.stopping import StopRequests

EXECUTED_NAME = "notebook.ipynb"
KERNEL_LOG_NAME = "kernel.log"
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
) -> RunRecord:
    """Execute a notebook and return the record that it wrote.

    The run folder gets ``notebook.ipynb``, the executed copy, saved while it runs and
    kept however the run ends; ``run.json``, the parameters; ``lease.json``, the sign of
    life; and what the notebook writes. Cells run in the notebook's own folder.

    Whatever happens to this process, the kernel or both, the copy is a valid notebook
    that lacks at most the last second, and no process stays behind. SIGINT and SIGTERM
    (in the main thread) interrupt the kernel, save and raise; a second one is not
    patient.

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

    Returns:
        The record.

    Raises:
        ValueError: If a limit is not positive.
        NotebookError: If the notebook lacks what the runner needs.
        ParameterError: If a parameter or the profile is refused.
        RunInProgressError: If another attempt uses the run folder.
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
    executed = run_dir / EXECUTED_NAME
    stops = StopRequests()
    with (
        _system_errors_explained(run_dir),
        stops.listen(),
        acquire_lease(
            run_dir, notebook=notebook.stem, profile=profile, on_loss=stops.request
        ) as lease,
    ):
        _clear(run_dir)
        RunContext(run_dir.name, notebook.stem, profile, values).write(run_dir)
        document = _prepare(notebook, values)
        plan = SessionPlan(
            attempt=lease.attempt,
            cwd=notebook.parent,
            executed=executed,
            write=lease.write,
            kernel_log=run_dir / KERNEL_LOG_NAME,
            cell_timeout_s=cell_timeout_s,
            total_timeout_s=total_timeout_s,
            report=report,
            stops=stops,
        )
        _execute(document, plan)
        if not (run_dir / RECORD_NAME).exists():
            raise RecordMissingError(
                f"all cells of {notebook.name} ran, but none wrote "
                f"{run_dir / RECORD_NAME}: call cocodesign.results.write_record"
            )
        return read_record(run_dir / RECORD_NAME)


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


@contextmanager
def _system_errors_explained(run_dir: Path) -> Iterator[None]:
    """Turn a full disk, a read-only folder and the like into one clear error."""
    try:
        yield
    except OSError as error:
        raise RunError(f"the run in {run_dir} cannot go on: {error}") from error


def _clear(run_dir: Path) -> None:
    """Remove what an earlier attempt left: its record, log, half-written files."""
    for name in (RECORD_NAME, KERNEL_LOG_NAME):
        (run_dir / name).unlink(missing_ok=True)
    for leftover in run_dir.glob(f".{EXECUTED_NAME}.*"):
        leftover.unlink(missing_ok=True)


def _prepare(notebook: Path, values: Mapping[str, Value]) -> NotebookNode:
    document = load_notebook_node(str(notebook))
    inject_parameters(document, values)
    document.metadata.papermill["parameters"] = dict(values)
    return document


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
