"""The executed notebook on disk, never much older than the one in memory."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from nbformat import NotebookNode

from cocodesign.runner.notebook import compact_notebook_text

_INTERVAL_S = 0.5


class NotebookSaver:
    """Writes a notebook, each time whole, at most twice a second.

    Attributes:
        path: The executed notebook's file.
    """

    def __init__(
        self, notebook: NotebookNode, path: Path, write: Callable[[Path, str], None]
    ) -> None:
        self.path = path
        self._notebook = notebook
        self._write = write
        self._changed = asyncio.Event()
        self._writing: asyncio.Future[None] | None = None

    def changed(self) -> None:
        """Note that the file is out of date."""
        self._changed.set()

    async def keep_saving(self, flush: Callable[[], None]) -> None:
        """Write the notebook after each change, until cancelled.

        The text is compact: with megabytes of outputs, laying it out would take most
        of the interval. The last writing, after the run, does that.

        Args:
            flush: Called before each writing, to complete the notebook in memory.
        """
        while True:
            await self._changed.wait()
            self._changed.clear()
            flush()
            text = compact_notebook_text(self._notebook)
            # Flushing to the disk must not hold up the kernel's messages. A cancelled
            # write goes on; ``settle`` waits for it.
            self._writing = asyncio.ensure_future(
                asyncio.to_thread(self._write, self.path, text)
            )
            await asyncio.shield(self._writing)
            await asyncio.sleep(_INTERVAL_S)

    async def settle(self) -> None:
        """Wait for a writing under way, which would else overtake a later one."""
        if self._writing:
            await asyncio.wait({self._writing})
