"""All cells of a notebook in one kernel, under watch.

Four things end a session before its last cell: a cell raises, the kernel dies, a time
limit passes, somebody asks to stop. In the last two the cell is interrupted, has two
seconds to end, and is killed.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from nbformat import NotebookNode
from papermill.engines import NotebookExecutionManager

from cocodesign.errors import (
    CellFailedError,
    KernelDiedError,
    RunStoppedError,
    RunTimeoutError,
)
from cocodesign.files import write_atomically
from cocodesign.runner.cells import CellClient, allows_errors
from cocodesign.runner.kernel import Kernel, start_kernel
from cocodesign.runner.notebook import cell_title
from cocodesign.runner.progress import Progress, ProgressState, Report, ignore_progress
from cocodesign.runner.saving import NotebookSaver
from cocodesign.runner.stopping import StopRequests

_START_S = 60.0
_GRACE_S = 2.0
_SIGNAL_LAG_S = 0.3  # a signal to all processes may reach the kernel first

Result = TypeVar("Result")


@dataclass(frozen=True)
class SessionPlan:
    """What a session needs to know besides the notebook.

    Attributes:
        attempt: Identifier that marks the kernel's descendants.
        cwd: The kernel's working folder.
        executed: Where the notebook is saved; ``None`` if the caller saves it.
        write: Writes a text to a file in one step.
        kernel_log: Where the kernel's own messages go, if anywhere.
        start_timeout_s: Limit for the start of the kernel.
        cell_timeout_s: Limit for each cell, ``None`` for none.
        total_timeout_s: Limit for the session, ``None`` for none.
        report: Told about each cell's progress.
        stops: Requests to stop.
    """

    attempt: str
    cwd: Path
    executed: Path | None = None
    write: Callable[[Path, str], None] = write_atomically
    kernel_log: Path | None = None
    start_timeout_s: float = _START_S
    cell_timeout_s: float | None = None
    total_timeout_s: float | None = None
    report: Report = ignore_progress
    stops: StopRequests = field(default_factory=StopRequests)


async def execute_cells(manager: NotebookExecutionManager, plan: SessionPlan) -> None:
    """Execute a notebook's cells in a new kernel.

    Args:
        manager: Papermill's holder of the notebook; outputs are added in place.
        plan: The circumstances.

    Raises:
        CellFailedError: If a cell raises.
        KernelDiedError: If the kernel ends by itself or does not start.
        RunStoppedError: If the plan's stop requests say so.
        RunTimeoutError: If a limit passes.
    """
    async with start_kernel(
        plan.cwd, attempt=plan.attempt, log=plan.kernel_log
    ) as kernel:
        await _Session(manager, plan, kernel).run()


class _Session:
    def __init__(
        self, manager: NotebookExecutionManager, plan: SessionPlan, kernel: Kernel
    ) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._manager = manager
        self._notebook: NotebookNode = manager.nb
        self._plan = plan
        self._kernel = kernel
        self._client = CellClient(
            self._notebook, kernel.client, on_output=self._on_output
        )
        self._saver = (
            NotebookSaver(self._notebook, plan.executed, plan.write)
            if plan.executed
            else None
        )
        self._saving = asyncio.ensure_future(
            self._saver.keep_saving(self._client.flush)
            if self._saver
            else asyncio.Event().wait()
        )
        self._stop: asyncio.Future[None] = loop.create_future()
        self._stop_at_once: asyncio.Future[None] = loop.create_future()
        self._end_s = time.monotonic() + (plan.total_timeout_s or float("inf"))
        self._title = ""
        self._where = "the start of the kernel"
        self._cell_number = 0
        self._cell_start_s = time.monotonic()

    async def run(self) -> None:
        self._plan.stops.notify = self._notify_of_stops
        self._check_stops()
        try:
            await self._start_kernel()
            for index, cell in enumerate(self._notebook.cells):
                if cell.cell_type == "code" and cell.source.strip():
                    await self._run_cell(cell, index)
            await self._kernel.shut_down()
        finally:
            self._plan.stops.notify = None
            self._client.set_widgets_metadata()
            await _cancel(self._saving)
            if self._saver:
                await self._saver.settle()

    async def _start_kernel(self) -> None:
        try:
            await self._supervise(self._kernel.greet(), self._plan.start_timeout_s)
        except BaseException as error:
            # Papermill takes every cell for completed that follows no failed one.
            for cell in self._notebook.cells[:1]:
                self._manager.cell_exception(cell, cell_index=0, exception=error)
            raise

    async def _run_cell(self, cell: NotebookNode, index: int) -> None:
        self._cell_number = index + 1
        self._title = cell_title(cell)
        self._where = f"cell {index + 1} ({self._title})"
        self._cell_start_s = time.monotonic()
        self._manager.cell_start(cell, index)
        self._report("started")
        try:
            reply = await self._supervise(
                self._client.run_cell(cell, index), self._plan.cell_timeout_s
            )
            if reply["status"] != "ok" and not allows_errors(cell):
                name = reply.get("ename", reply["status"])
                text = str(reply.get("evalue", "")).strip().partition("\n")[0]
                raise CellFailedError(f"{self._where} raised {name}: {text}{self._see}")
        except BaseException as error:
            self._manager.cell_exception(cell, cell_index=index, exception=error)
            self._report("failed")
            raise
        else:
            self._report("finished")
        finally:
            self._manager.cell_complete(cell, cell_index=index)
            self._changed()

    async def _supervise(
        self, work: Coroutine[None, None, Result], limit_s: float | None
    ) -> Result:
        """Await some work of the kernel, unless something ends the session before."""
        task = asyncio.ensure_future(work)
        now = time.monotonic()
        end_s = min(self._end_s, now + (limit_s or float("inf")))
        try:
            await asyncio.wait(
                {task, self._kernel.ended, self._stop, self._saving},
                timeout=None if end_s == float("inf") else max(0.0, end_s - now),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if task.done() and not self._stop.done():
                return task.result()
            if self._kernel.ended.done():
                await asyncio.wait({self._stop}, timeout=_SIGNAL_LAG_S)
            else:
                await self._wind_down(task)
            await self._client.drain()
            if self._saving.done():
                self._saving.result()
            raise self._reason(limit_s, total_passed=end_s == self._end_s)
        finally:
            await _cancel(task)

    async def _wind_down(self, task: "asyncio.Future[Result]") -> None:
        """Interrupt the running cell; kill the kernel if that does not end it."""
        self._kernel.interrupt()
        await asyncio.wait(
            {task, self._kernel.ended, self._stop_at_once},
            timeout=_GRACE_S,
            return_when=asyncio.FIRST_COMPLETED,
        )
        await self._kernel.kill()

    def _reason(
        self, limit_s: float | None, *, total_passed: bool
    ) -> KernelDiedError | RunStoppedError | RunTimeoutError:
        """Return the error that says why the session ended in the middle."""
        see = self._see
        if self._stop.done():
            reason = self._plan.stops.reasons[0]
            if isinstance(reason, signal.Signals):
                text = f"{reason.name} stopped {self._where}{see}"
                return RunStoppedError(text, reason)
            return RunStoppedError(f"{self._where} was stopped: {reason}{see}")
        if not self._kernel.was_killed:
            reason = self._kernel.ended.result().reason
            log = self._plan.kernel_log
            hint = f"\nits last words: {log}" if _has_content(log) else ""
            return KernelDiedError(
                f"the kernel {reason} during {self._where}{see}{hint}"
            )
        if total_passed:
            text = f"the notebook passed its limit of {self._plan.total_timeout_s:g} s"
            return RunTimeoutError(f"{text} during {self._where}{see}")
        return RunTimeoutError(f"{self._where} passed its limit of {limit_s:g} s{see}")

    @property
    def _see(self) -> str:
        path = self._plan.executed
        return f"\nexecuted notebook: {path}" if path else ""

    def _notify_of_stops(self) -> None:
        self._loop.call_soon_threadsafe(self._check_stops)

    def _check_stops(self) -> None:
        count = len(self._plan.stops.reasons)
        for future, enough in ((self._stop, 1), (self._stop_at_once, 2)):
            if count >= enough and not future.done():
                future.set_result(None)

    def _on_output(self, last_line: str) -> None:
        self._changed()
        self._report("printed", last_line)

    def _changed(self) -> None:
        if self._saver:
            self._saver.changed()

    def _report(self, state: ProgressState, last_line: str = "") -> None:
        self._plan.report(
            Progress(
                state=state,
                cell=self._cell_number,
                num_cells=len(self._notebook.cells),
                title=self._title,
                elapsed_s=time.monotonic() - self._cell_start_s,
                last_line=last_line,
            )
        )


async def _cancel(task: "asyncio.Future[Result]") -> None:
    """End a task whose result is of no interest any more."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # else asyncio reports that nobody looked


def _has_content(path: Path | None) -> bool:
    return path is not None and path.exists() and Path(path).stat().st_size > 0
