"""A copy of the project's notebooks, and servers that show it to a browser."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cocodesign.project import Project

_START_S = 120.0
_STOP_S = 15.0
_TOKEN = "a-test"
_NOT_FOR_VOILA = "nbdime-jupyterlab"  # wants parts that only JupyterLab has
# Lab draws a cell when it scrolls into view, unless told so; news need a network.
_SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}


@dataclass(frozen=True)
class Server:
    """A server that runs while its fixture lasts.

    Attributes:
        url: Its address, without a token.
        log: What it and its kernels print.
        pid: Its process.
    """

    url: str
    log: Path
    pid: int

    def address(self, path: str) -> str:
        """Return the address of a page, with the token."""
        return f"{self.url}/{path}{'&' if '?' in path else '?'}token={_TOKEN}"

    def kernels(self) -> list[int]:
        """Return the processes of its kernels."""
        mark = f"JPY_PARENT_PID={self.pid}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended, or belongs to somebody else
                if mark in (folder / "environ").read_bytes().split(b"\0") and (
                    b"ipykernel_launcher" in (folder / "cmdline").read_bytes()
                ):
                    found.append(int(folder.name))
        return found


def copy_project(source: Project, folder: Path) -> Project:
    """Copy what the notebooks need; the package stays where it is installed.

    Args:
        source: The clone.
        folder: A folder that is not there yet.

    Returns:
        The copy; its ``runs`` is empty.
    """
    folder.mkdir()
    shutil.copy(source.root / "pyproject.toml", folder)
    shutil.copytree(
        source.notebooks,
        folder / "notebooks",
        ignore=shutil.ignore_patterns(".ipynb_checkpoints"),
    )
    shutil.copytree(
        source.figure_scripts,
        folder / "paper_figures",
        ignore=shutil.ignore_patterns("out", "__pycache__"),
    )
    data = source.root.parent / "shared"
    if data.is_dir():  # looked for beside the clone
        with suppress(FileExistsError):
            (folder.parent / "shared").symlink_to(data)
    return Project(folder)


@contextmanager
def lab(project: Project, home: Path) -> Iterator[Server]:
    """Run JupyterLab on a clone, as ``make lab`` does.

    Args:
        project: The clone.
        home: An empty folder for settings and the log.

    Yields:
        The running server.
    """
    settings = home / "settings"
    for name, content in _SETTINGS.items():
        path = settings / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    port = _free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        f"--IdentityProvider.token={_TOKEN}",
        "--LabApp.news_url=None",
        "--LabApp.expose_app_in_browser=True",
    ]
    variables = {"JUPYTERLAB_SETTINGS_DIR": str(settings)}
    with _running(command, project, home, port, variables) as server:
        yield server


@contextmanager
def dashboard(
    project: Project, home: Path, options: Sequence[str] = ()
) -> Iterator[Server]:
    """Run Voilà on the home page, as ``make dashboard`` does.

    Args:
        project: The clone.
        home: An empty folder for settings and the log.
        options: Further options of Voilà.

    Yields:
        The running server.
    """
    port = _free_port()
    command = [sys.executable, "-m", "voila", "notebooks/00_overview.ipynb"]
    command += ["--no-browser", "--Voila.ip=127.0.0.1", f"--port={port}"]
    command.append(f"--VoilaConfiguration.extension_denylist={_NOT_FOR_VOILA}")
    command += [f"--token={_TOKEN}", *options]
    with _running(command, project, home, port, {}) as server:
        yield server


@contextmanager
def _running(
    command: Sequence[str],
    project: Project,
    home: Path,
    port: int,
    variables: dict[str, str],
) -> Iterator[Server]:
    """Run a server in a session of its own, and end all of it."""
    log = home / "server.log"
    environment = os.environ | variables
    for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):  # not the developer's own
        environment[f"JUPYTER_{name}"] = str(home / name.lower())
    environment["IPYTHONDIR"] = str(home / "ipython")
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=project.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", log, process.pid)
    try:
        _wait_for(server, process)
        yield server
    finally:
        process.terminate()  # Jupyter ends its kernels
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(server: Server, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(server.address("api"), timeout=10).close()
            return
        except urllib.error.HTTPError:  # Voilà refuses, so it is there
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.1)
    raise RuntimeError(f"no answer from the server:\n{server.log.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
