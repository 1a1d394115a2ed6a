"""The project's engine for papermill, named ``cocodesign``.

``cocodesign run`` uses it; so can papermill itself::

    papermill --engine cocodesign in.ipynb out.ipynb

Then the guard, the time limits, the merged outputs and the atomic saves during the run
are the same. What papermill does itself stays as it is: it does not check parameters,
holds no lease, wants no record, and its own first and last writing of the output file
is not atomic.
"""

import asyncio
import secrets
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from papermill.engines import Engine, NotebookExecutionManager
from papermill.iorw import LocalHandler, papermill_io

from cocodesign.errors import CellFailedError
from cocodesign.runner.session import SessionPlan, execute_cells
from cocodesign.runner.stopping import StopRequests


class CocodesignEngine(Engine):
    """Executes a notebook in a guarded kernel of the running interpreter."""

    @classmethod
    def execute_managed_notebook(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        *,
        plan: SessionPlan | None = None,
        log_output: bool = False,
        input_path: str | None = None,
        stdout_file: TextIO | None = None,
        stderr_file: TextIO | None = None,
        start_timeout: float = 60,
        execution_timeout: float | None = None,
    ) -> None:
        """Execute the cells of a notebook; papermill calls this.

        Args:
            nb_man: Papermill's holder of the notebook; outputs are added in place.
            kernel_name: The kernel that the notebook names; any Python kernel means
                the running interpreter.
            plan: The circumstances of a ``cocodesign run``; ``None`` if papermill was
                called by itself.
            log_output: Not supported.
            input_path: Where the notebook comes from; not used.
            stdout_file: Not supported.
            stderr_file: Not supported.
            start_timeout: Limit for the start of the kernel in seconds.
            execution_timeout: Limit for each cell in seconds, ``None`` for none.

        Raises:
            ValueError: If an option is given that is not supported.
            CellFailedError: If a cell raises in a ``cocodesign run``; papermill itself
                finds and reports the cell.
        """
        del kernel_name, input_path
        if log_output or stdout_file or stderr_file:
            raise ValueError(
                "the engine cocodesign does not copy outputs to logs or files: drop "
                "--log-output, --stdout-file and --stderr-file"
            )
        if plan is not None:
            _run_to_end(execute_cells(nb_man, plan))
            return
        stops = StopRequests()
        plan = SessionPlan(
            attempt=secrets.token_hex(8),
            cwd=Path.cwd(),
            executed=_local_path(nb_man.output_path),
            start_timeout_s=start_timeout,
            cell_timeout_s=execution_timeout,
            stops=stops,
        )
        output_path = nb_man.output_path
        if plan.executed:
            nb_man.output_path = None  # keeps papermill from writing while cells run
        with stops.listen():
            try:
                _run_to_end(execute_cells(nb_man, plan))
            except CellFailedError:
                # Papermill raises its own error, after it has marked the cell.
                return
            finally:
                nb_man.output_path = output_path


def _local_path(path: str | None) -> Path | None:
    """Return the file that papermill means by an output path, if it is a file."""
    handler = papermill_io.get_handler(path)
    if not isinstance(handler, LocalHandler) or path is None:
        return None
    # Papermill has changed the working folder; its handler remembers the old one, and
    # tells it only to who sets it.
    folder = handler.cwd(None)
    handler.cwd(folder)
    return Path(folder or "", path)


def _run_to_end(work: Coroutine[None, None, None]) -> None:
    """Run a coroutine, in another thread if this one already has an event loop."""
    if _has_running_loop():
        with ThreadPoolExecutor(max_workers=1) as executor:
            executor.submit(asyncio.run, work).result()
    else:
        asyncio.run(work)


def _has_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
