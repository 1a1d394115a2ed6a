"""The outputs of one cell, kept small while they arrive.

Streams are merged as a notebook's reader sees them: each of stdout and stderr is one
text between two displays, a carriage return overwrites its line (so a progress bar is
its last state), and what passes the cap of a cell is counted but not stored.
"""

import re
from dataclasses import dataclass, field

from nbformat import NotebookNode
from nbformat.v4 import new_output

MAX_CELL_BYTES = 10_000_000
_KEPT_END_BYTES = 20_000
_OVERHEAD_BYTES = 200  # of an output's JSON around its data
_LINE_BREAK = re.compile(r"[\r\n]+")


@dataclass
class _Stream:
    """A stream output under construction; ``pieces`` are not yet in ``node``."""

    node: NotebookNode
    pieces: list[str] = field(default_factory=list)


class CellOutputs:
    """Adds the outputs of a cell to its list, merged and capped.

    Attributes:
        last_line: The last line of text that was printed, for progress reports.
    """

    def __init__(self, cell: NotebookNode, max_bytes: int = MAX_CELL_BYTES) -> None:
        self.last_line = ""
        self._cell = cell
        self._max_bytes = max_bytes
        self._stored_bytes = 0
        self._dropped_bytes = 0
        self._dropped_end = ""
        self._streams: dict[str, _Stream] = {}
        self._notice: NotebookNode | None = None

    def added(self, output: NotebookNode) -> None:
        """Take in the output that was just appended to the cell's list.

        Args:
            output: The last element of ``cell.outputs``; it is removed again if it
                continues a stream or passes the cap. An error is always kept.
        """
        if output.output_type == "stream":
            self._add_text(output)
            return
        self._merge()
        self._streams.clear()
        size = _size(output)
        if output.output_type != "error" and not self._take(size):
            self._cell.outputs.pop()
            self._drop("", size)

    def flush(self) -> None:
        """Bring the texts in the cell's outputs up to date."""
        self._merge()
        if self._dropped_bytes:
            self._show_notice()

    def cleared(self) -> None:
        """Forget everything: the cell has cleared its outputs."""
        self._streams.clear()
        self._stored_bytes = self._dropped_bytes = 0
        self._dropped_end = ""
        self._notice = None

    def _merge(self) -> None:
        for stream in self._streams.values():
            if stream.pieces:
                before = len(stream.node.text)
                stream.node.text = collapse(stream.node.text + "".join(stream.pieces))
                pieces = sum(map(len, stream.pieces))
                # A progress bar gives back what it has overwritten.
                self._stored_bytes += len(stream.node.text) - before - pieces
                stream.pieces.clear()

    def _add_text(self, output: NotebookNode) -> None:
        text: str = output.text
        lines = [line for line in _LINE_BREAK.split(text[-1000:]) if line.strip()]
        if lines:
            self.last_line = lines[-1].strip()
        self._cell.outputs.pop()
        if not self._take(len(text)):
            self._drop(text, len(text))
            return
        stream = self._streams.get(output.name)
        if stream is None:
            output.text = ""
            stream = self._streams[output.name] = _Stream(output)
            self._cell.outputs.append(output)
        stream.pieces.append(text)

    def _take(self, size: int) -> bool:
        if self._stored_bytes + size > self._max_bytes:
            self._merge()  # a progress bar's old states need no room
        fits = self._stored_bytes + size <= self._max_bytes
        if fits:
            self._stored_bytes += size
        return fits

    def _drop(self, text: str, size: int) -> None:
        self._dropped_bytes += size
        self._dropped_end = (self._dropped_end + text)[-_KEPT_END_BYTES:]

    def _show_notice(self) -> None:
        if self._notice is None:
            self._notice = new_output("stream", name="stderr", text="")
            self._cell.outputs.append(self._notice)
        end = collapse(self._dropped_end)
        self._notice.text = (
            f"\n[cocodesign: this cell's output passed {self._max_bytes:,} bytes; "
            f"{self._dropped_bytes:,} more were dropped"
            + (f", the text ended with:]\n{end}" if end else "]\n")
        )


def collapse(text: str) -> str:
    r"""Return what a terminal shows of a text with carriage returns.

    Only whole overwriting is meant, as progress bars do it: of each line, what follows
    the last carriage return stays.

    Args:
        text: Any text.

    Returns:
        The text without overwritten states; ``\r\n`` and a final return stay.

    Example:
        >>> collapse("10%\r50%\r100%\ndone")
        '100%\ndone'
    """
    if "\r" not in text:
        return text
    return "\n".join(map(_last_state, text.split("\n")))


def _last_state(line: str) -> str:
    body = line.rstrip("\r")
    pending = "\r" if len(body) < len(line) else ""
    return body.rpartition("\r")[2] + pending


def _size(output: NotebookNode) -> int:
    data = output.get("data", {})
    return _OVERHEAD_BYTES + sum(len(str(value)) for value in data.values())
