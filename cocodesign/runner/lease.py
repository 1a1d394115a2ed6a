"""One attempt at a time in a run folder, and a sign of life while it goes on.

The lease is the file ``lease.json`` of the run folder. Whoever makes it owns the
folder; a thread renews its heartbeat every second. It stays after the end, as the
account of how the last attempt ended.

Every look-and-change happens under a lock of the system on ``.lease.lock``, which a
dead process cannot hold, so of many attempts that start at once exactly one wins.
An owner that was taken for dead (a suspended machine) finds another attempt in the
file at its next heartbeat, leaves it alone and is told to stop.
"""

import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from cocodesign.errors import RecordError, RunInProgressError
from cocodesign.files import sync_folder, write_atomically
from cocodesign.runner.processes import (
    machine_identity,
    process_start,
    remove_traces,
)

LEASE_NAME = "lease.json"
_LOCK_NAME = ".lease.lock"
_HEARTBEAT_S = 1.0
_STALE_AFTER_S = 8.0


@dataclass(frozen=True)
class LeaseState:
    """What ``lease.json`` says.

    Attributes:
        attempt: Identifier of the attempt.
        notebook: The notebook's name without folder and suffix.
        profile: The profile of the run.
        machine: Host, boot and container, from ``machine_identity``.
        pid: The owner's process.
        process_start: When that process started, in clock ticks since boot.
        started: Start of the attempt, seconds since the epoch.
        heartbeat: Last sign of life, seconds since the epoch.
        outcome: How the attempt ended; ``None`` while it goes on.
        message: The error that ended it, else empty.
        origin: Digest of what the run's result comes from; empty if nobody said.
    """

    attempt: str
    notebook: str
    profile: str
    machine: str
    pid: int
    process_start: int
    started: float
    heartbeat: float
    outcome: Literal["finished", "failed"] | None = None
    message: str = ""
    origin: str = ""

    @property
    def host(self) -> str:
        """The owner's host."""
        return self.machine.partition("/")[0]

    def is_alive(self) -> bool:
        """Return whether the attempt still goes on.

        On the same machine the owner's process decides, since a busy one may miss
        heartbeats; from elsewhere only the heartbeat can be seen, and is taken for
        stopped after 8 s (the hosts' clocks must agree to a second or two).
        """
        if self.outcome is not None:
            return False
        if self.machine == machine_identity():
            return process_start(self.pid) == self.process_start
        return time.time() - self.heartbeat <= _STALE_AFTER_S


class Lease:
    """The ownership of a run folder; ``acquire_lease`` makes one.

    As a context manager it ends the attempt: ``finished`` if the block does,
    ``failed`` with the exception's message otherwise.

    Attributes:
        attempt: Identifier of the attempt.
        continues: Whether the last attempt had the same origin and did not finish, so
            that its checkpoints are of use.
    """

    def __init__(
        self,
        run_dir: Path,
        state: LeaseState,
        on_loss: Callable[[str], None],
        *,
        continues: bool,
    ) -> None:
        self.attempt = state.attempt
        self.continues = continues
        self._run_dir = run_dir
        self._state = state
        self._on_loss = on_loss
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        message = "" if error is None else str(error) or type(error).__name__
        outcome = "finished" if error is None else "failed"
        self._renew(
            replace(
                self._state, heartbeat=time.time(), outcome=outcome, message=message
            )
        )

    def write(self, path: Path, content: str) -> None:
        """Write a file of the run folder, unless the lease is lost.

        Args:
            path: The file.
            content: Its whole new content.

        Raises:
            RunInProgressError: If another attempt has taken over.
        """
        with _locked(self._run_dir):
            if not self._is_ours():
                raise RunInProgressError(self._loss)
            write_atomically(path, content)

    def _beat(self) -> None:
        while not self._ended.wait(_HEARTBEAT_S):
            # A full disk or a network file system out of reach may recover; until
            # then the heartbeat gets old, and that is what others should see.
            with suppress(OSError):
                if not self._renew(replace(self._state, heartbeat=time.time())):
                    self._on_loss(self._loss)
                    return

    def _renew(self, state: LeaseState) -> bool:
        """Write the state unless the lease is lost; return whether it is still ours."""
        with _locked(self._run_dir):
            if not self._is_ours():
                return False
            write_atomically(self._run_dir / LEASE_NAME, _to_json(state))
        return True

    def _is_ours(self) -> bool:
        current = _read_damaged_as_none(self._run_dir)
        return current is not None and current.attempt == self.attempt

    @property
    def _loss(self) -> str:
        return f"another attempt took over {self._run_dir}"


def acquire_lease(
    run_dir: Path,
    *,
    notebook: str,
    profile: str,
    on_loss: Callable[[str], None],
    origin: str = "",
) -> Lease:
    """Become the owner of a run folder.

    What a dead attempt left running is killed, as far as it is on this machine.

    Args:
        run_dir: The folder; it is made if missing.
        notebook: The notebook's name without folder and suffix.
        profile: The profile of the run.
        on_loss: Called in another thread if the lease is lost, with the reason.
        origin: Digest of what the run's result comes from, if the lease shall tell
            whether the run continues an earlier attempt.

    Returns:
        The lease, whose heartbeat starts when its ``with`` block is entered.

    Raises:
        RunInProgressError: If another attempt owns the folder and is alive.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    now = time.time()
    state = LeaseState(
        attempt=secrets.token_hex(8),
        notebook=notebook,
        profile=profile,
        machine=machine_identity(),
        pid=os.getpid(),
        process_start=process_start(os.getpid()) or 0,
        started=now,
        heartbeat=now,
        origin=origin,
    )
    with _locked(run_dir):
        previous = _read_damaged_as_none(run_dir)
        if previous is not None and previous.is_alive():
            raise RunInProgressError(
                f"{run_dir} is in use: process {previous.pid} on {previous.host} runs "
                f"{previous.notebook} since {now - previous.started:.0f} s, last sign "
                f"of life {now - previous.heartbeat:.0f} s ago; "
                "wait for it or choose another run folder"
            )
        (run_dir / LEASE_NAME).unlink(missing_ok=True)
        _create(run_dir / LEASE_NAME, _to_json(state))
    if previous is not None and previous.outcome is None:
        remove_traces(previous.attempt)
    continues = (
        previous is not None
        and previous.outcome != "finished"
        and previous.origin == origin != ""
    )
    return Lease(run_dir, state, on_loss, continues=continues)


def read_lease(run_dir: Path) -> LeaseState | None:
    """Read what a run folder's lease says.

    Args:
        run_dir: The folder.

    Returns:
        The lease, ``None`` if there is none.

    Raises:
        RecordError: If the file is damaged.
    """
    path = run_dir / LEASE_NAME
    try:
        return LeaseState(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError) as error:
        raise RecordError(f"{path} is damaged: {error}") from error


def _read_damaged_as_none(run_dir: Path) -> LeaseState | None:
    """A file that nobody can have written whole belongs to nobody."""
    try:
        return read_lease(run_dir)
    except RecordError:
        return None


def _create(path: Path, text: str) -> None:
    """Make a file that must not exist, for file systems that ignore the lock."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    sync_folder(path.parent)


@contextmanager
def _locked(run_dir: Path) -> Iterator[None]:
    descriptor = os.open(run_dir / _LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _to_json(state: LeaseState) -> str:
    return json.dumps(asdict(state), indent=1) + "\n"
