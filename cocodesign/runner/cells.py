"""One cell at a time: its request to the kernel, its outputs, its reply."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat import NotebookNode

from cocodesign.runner.outputs import CellOutputs

_SILENCE_S = 5.0  # after the reply, this long without outputs means that none is left
_DRAIN_SILENCE_S = 0.15
_DRAIN_S = 1.0
_BREATHER_INTERVAL = 50  # messages


class CellClient(NotebookClient):
    """nbclient's reading of kernel messages (displays, widgets) under our own loop.

    Its own loop stops a run when outputs come late, keeps every print as one output
    and looks after the kernel only once a second.
    """

    def __init__(
        self,
        notebook: NotebookNode,
        client: AsyncKernelClient,
        *,
        on_output: Callable[[str], None],
    ) -> None:
        """Talk to a kernel that is ready.

        Args:
            notebook: The notebook whose cells are executed; outputs are added to it.
            client: The channels to the kernel.
            on_output: Called when a cell's outputs changed, with its last line.
        """
        super().__init__(notebook, record_timing=False)
        self.kc = client  # nbclient's name; its widgets use it
        self._client = client
        self._on_output = on_output
        self._outputs: CellOutputs | None = None
        self._last_arrival = time.monotonic()

    async def run_cell(self, cell: NotebookNode, index: int) -> dict[str, Any]:
        """Execute a code cell and wait for its last output.

        Args:
            cell: The cell; its outputs are replaced.
            index: Its position in the notebook.

        Returns:
            The content of the kernel's reply, with ``status`` and maybe ``ename``.
        """
        cell.outputs = []
        self.clear_before_next_output = False
        self._outputs = CellOutputs(cell)
        request = self._client.execute(
            cell.source, store_history=True, stop_on_error=not allows_errors(cell)
        )
        reading = asyncio.create_task(self._read_outputs(request, cell, index))
        try:
            reply = await self._client.get_shell_msg()
            while reply["parent_header"].get("msg_id") != request:
                reply = await self._client.get_shell_msg()
            await self._until_silent({reading}, _SILENCE_S)
            return reply["content"]
        finally:
            reading.cancel()
            self.flush()

    async def drain(self) -> None:
        """Read what a dead kernel has left, for at most a second."""
        deadline = time.monotonic() + _DRAIN_S
        while time.monotonic() < min(deadline, self._last_arrival + _DRAIN_SILENCE_S):
            await asyncio.sleep(_DRAIN_SILENCE_S / 5)

    def flush(self) -> None:
        """Bring the cell's stored outputs up to date."""
        if self._outputs:
            self._outputs.flush()

    def output(
        self,
        outs: list[NotebookNode],
        msg: dict[str, Any],
        display_id: str | None,
        cell_index: int,
    ) -> NotebookNode | None:
        """Add an output to the cell as nbclient does, then merge and cap it."""
        assert self._outputs is not None
        clears = self.clear_before_next_output
        is_plain_text = (
            msg["msg_type"] == "stream"
            and not clears
            and not self.output_hook_stack[msg["parent_header"].get("msg_id")]
        )
        if is_plain_text:  # the common case, without nbformat's slow validation
            output = NotebookNode(output_type="stream", **msg["content"])
            outs.append(output)
        else:
            output = super().output(outs, msg, display_id, cell_index)
        if clears and not self.clear_before_next_output:
            self._outputs.cleared()
        if output is not None:
            self._outputs.added(output)
            self._on_output(self._outputs.last_line)
        return output

    def clear_output(
        self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int
    ) -> None:
        """Clear the cell's outputs as nbclient does, with what is being merged."""
        assert self._outputs is not None
        had_outputs = bool(outs)
        super().clear_output(outs, msg, cell_index)
        if had_outputs and not outs:
            self._outputs.cleared()

    async def _read_outputs(self, request: str, cell: NotebookNode, index: int) -> None:
        count = 0
        while True:
            message = await self._client.get_iopub_msg()
            self._last_arrival = time.monotonic()
            if message["parent_header"].get("msg_id") == request:
                try:
                    self.process_message(message, cell, index)
                except CellExecutionComplete:
                    return
            count += 1
            if count % _BREATHER_INTERVAL == 0:
                # While messages wait, reading them never yields to other tasks.
                await asyncio.sleep(0)

    async def _until_silent(
        self, tasks: set[asyncio.Task[None]], silence_s: float
    ) -> None:
        """Wait for the end of the outputs, or until none has come for a time."""
        while True:
            quiet_s = time.monotonic() - self._last_arrival
            done, _ = await asyncio.wait(tasks, timeout=max(0.0, silence_s - quiet_s))
            if done:
                return done.pop().result()
            if time.monotonic() - self._last_arrival >= silence_s:
                return None


def allows_errors(cell: NotebookNode) -> bool:
    """Return whether a cell may raise, by Jupyter's tag ``raises-exception``."""
    return "raises-exception" in cell.metadata.get("tags", [])
