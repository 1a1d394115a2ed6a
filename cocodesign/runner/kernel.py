"""A kernel process behind its guard, and the channels to talk to it."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo

from cocodesign.runner.processes import MARKER, kill_marked, private_folder

_GUARD = Path(__file__).with_name("guard.py")
_SHUTDOWN_S = 3.0
_GUARD_S = 10.0  # it kills for at most 5 s
_INFO_RETRY_S = 0.2


@dataclass(frozen=True)
class KernelEnd:
    """How a kernel's process ended.

    Attributes:
        exit_status: What it passed to ``exit``; ``None`` if a signal ended it.
        signal_number: The signal; ``None`` if it exited.
        out_of_memory: Whether the system's out-of-memory killer struck meanwhile.
        guard_lost: Whether the guard was killed, so that nothing else is known.
    """

    exit_status: int | None = None
    signal_number: int | None = None
    out_of_memory: bool = False
    guard_lost: bool = False

    @property
    def reason(self) -> str:
        """The end in words, to follow "the kernel"."""
        if self.guard_lost:
            return "was killed with its guard process"
        if self.signal_number is None:
            return f"exited with status {self.exit_status}"
        names = {each.value: each.name for each in signal.Signals}
        name = names.get(self.signal_number, f"signal {self.signal_number}")
        if self.signal_number == signal.SIGKILL and self.out_of_memory:
            return "was killed by the system's out-of-memory killer"
        return f"was killed by {name}"


class Kernel:
    """A running kernel; ``start_kernel`` makes one.

    Attributes:
        client: The channels to it.
        ended: Resolves when the process and all its descendants are gone.
        was_killed: Whether ``kill`` ended it.
    """

    def __init__(
        self, guard: asyncio.subprocess.Process, client: AsyncKernelClient, attempt: str
    ) -> None:
        self.client = client
        self.ended: asyncio.Task[KernelEnd] = asyncio.create_task(self._watch_guard())
        self.was_killed = False
        self._guard = guard
        self._attempt = attempt

    def interrupt(self) -> None:
        """Send SIGINT to the kernel's process group, as Ctrl-C does."""
        self._request(b"i")

    async def kill(self) -> KernelEnd:
        """Kill the kernel and all its descendants, and wait until they are gone."""
        if self.ended.done():
            return self.ended.result()
        self.was_killed = True
        self._request(b"k")
        try:
            return await asyncio.wait_for(asyncio.shield(self.ended), _GUARD_S)
        except TimeoutError:  # it was stopped, say by SIGSTOP
            await asyncio.to_thread(kill_marked, self._attempt)
            return await self.ended

    async def greet(self) -> None:
        """Wait until the kernel answers and its outputs arrive.

        A subscription takes effect some time after the connection, and what is sent
        before is lost: without this, so would be the first cell's outputs.
        """
        while True:
            request = self.client.kernel_info()
            await self.client.get_shell_msg()
            with suppress(Empty):
                while True:
                    message = await self.client.get_iopub_msg(timeout=_INFO_RETRY_S)
                    if message["parent_header"].get("msg_id") == request:
                        return

    async def shut_down(self) -> None:
        """Ask the kernel to exit, then kill what is left after 3 s."""
        if not self.ended.done():
            self.client.shutdown()
            await asyncio.wait({self.ended}, timeout=_SHUTDOWN_S)
        if not self.ended.done():
            await self.kill()

    def _request(self, request: bytes) -> None:
        assert self._guard.stdin is not None
        if not self._guard.stdin.is_closing():
            self._guard.stdin.write(request)

    async def _watch_guard(self) -> KernelEnd:
        """Return how the kernel ended, as its guard tells."""
        assert self._guard.stdout is not None
        end = KernelEnd(guard_lost=True)
        async for line in self._guard.stdout:
            _, status, out_of_memory = line.split()
            end = _kernel_end(int(status), out_of_memory=out_of_memory == b"1")
        await self._guard.wait()
        if end.guard_lost:
            await asyncio.to_thread(kill_marked, self._attempt)
        return end


@asynccontextmanager
async def start_kernel(
    cwd: Path, *, attempt: str, log: Path | None
) -> AsyncIterator[Kernel]:
    """Start a kernel of the running interpreter, and leave nothing of it behind.

    It talks over Unix sockets in a private folder, which no other user can open.

    Args:
        cwd: The kernel's working folder.
        attempt: Identifier that marks the kernel's descendants.
        log: File for what is written past the notebook, such as a crash message of
            the interpreter; nothing is kept if ``None``.

    Yields:
        The kernel, maybe not yet ready.
    """
    folder = private_folder(attempt)
    folder.mkdir(mode=0o700)
    try:
        (folder / "ipython").mkdir()
        connection = _write_connection(folder)
        with Path(log or os.devnull).open("ab") as log_stream:
            guard = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_GUARD), str(folder)),
                *(sys.executable, "-m", "ipykernel_launcher"),
                *("-f", str(folder / "kernel.json")),
                "--HistoryManager.hist_file=:memory:",
                f"--ipython-dir={folder / 'ipython'}",  # no user's start-up files
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log_stream,
                cwd=cwd,
                env={**os.environ, MARKER: attempt},
                start_new_session=True,
            )
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.RCVHWM, 0)  # a chatty cell must not lose messages
        context.setsockopt(zmq.RECONNECT_IVL, 20)  # ms; the kernel binds later
        client = AsyncKernelClient(context=context)
        client.load_connection_info(connection)
        client.allow_stdin = False  # input() raises instead of waiting for ever
        client.start_channels(stdin=False, hb=False)
        kernel = Kernel(guard, client, attempt)
        try:
            yield kernel
        finally:
            await kernel.kill()
            client.stop_channels()
            context.destroy(linger=0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # the guard removes it, too
        if log and log.exists() and log.stat().st_size == 0:
            log.unlink()


def _kernel_end(wait_status: int, *, out_of_memory: bool) -> KernelEnd:
    code = os.waitstatus_to_exitcode(wait_status)
    if code < 0:
        return KernelEnd(signal_number=-code, out_of_memory=out_of_memory)
    return KernelEnd(exit_status=code)


def _write_connection(folder: Path) -> KernelConnectionInfo:
    """Write the file that tells the kernel its sockets and the key of its messages."""
    key = secrets.token_hex(16)
    connection: KernelConnectionInfo = {
        "transport": "ipc",
        "ip": str(folder / "k"),
        "shell_port": 1,
        "iopub_port": 2,
        "stdin_port": 3,
        "control_port": 4,
        "hb_port": 5,
        "key": key,
        "signature_scheme": "hmac-sha256",
        "kernel_name": "python3",
    }
    path = folder / "kernel.json"
    path.write_text(json.dumps(connection), encoding="utf-8")
    return connection
