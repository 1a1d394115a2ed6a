"""A notebook's run in the background, which ends with the process that started it."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from cocodesign.panels.home import keeper
from cocodesign.project import Project

LOG_NAME = "runner.log"
_LAST_BYTES = 4096
_STOP_S = 25.0  # the keeper kills what has not ended by then


class BackgroundRun:
    """A ``cocodesign run`` under a keeper, in a session of its own.

    An interrupt of the kernel does not reach it. It ends when ``stop`` is called, when
    this process ends, or by itself.

    Args:
        project: The clone.
        notebook: The notebook's name without folder and suffix.
        profile: Whose values to take.

    Attributes:
        notebook: The same.
        profile: The same.
        run_dir: The run folder; what the runner says goes to ``runner.log`` in it.
    """

    def __init__(self, project: Project, notebook: str, profile: str) -> None:
        self.notebook = notebook
        self.profile = profile
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        self.run_dir = project.runs / f"{notebook}-{profile}-{moment}"
        self.run_dir.mkdir(parents=True)
        self._was_stopped = False
        runner = [sys.executable, "-m", "cocodesign.cli.main", "run"]
        runner += [str(project.notebooks / f"{notebook}.ipynb"), "--profile", profile]
        runner += ["--run-dir", str(self.run_dir)]
        with (self.run_dir / LOG_NAME).open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__, *runner],
                cwd=project.root,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Jupyter interrupts the kernel's whole group
            )

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def was_stopped(self) -> bool:
        """Whether ``stop`` was called."""
        return self._was_stopped

    @property
    def status(self) -> int | None:
        """Its exit status as a shell reports it, ``None`` while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask it to save what it has and to end; it is killed if it does not."""
        self._was_stopped = True
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait(self, timeout_s: float = _STOP_S) -> bool:
        """Wait for its end.

        Args:
            timeout_s: The longest wait.

        Returns:
            Whether it has ended.
        """
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self) -> str:
        """Return the end of what the runner printed."""
        return _tail(self.run_dir / LOG_NAME)


def _tail(path: Path) -> str:
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _LAST_BYTES))
        return stream.read().decode(errors="replace").strip()
