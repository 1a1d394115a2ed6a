"""A real Slurm on this machine alone, with two GPUs that are no devices.

Debian's packages ``slurm-wlm`` and ``munge`` and root are all it needs: no systemd, no
control groups, no accounting data base. Slurm finds its configuration at one place
only, so one such Slurm runs at a time, and never where the machine has its own.
"""

import fcntl
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

NUM_GPUS = 2

_ETC = Path("/etc/slurm")
_MUNGE_RUN = Path("/run/munge")
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
_MARK = "# made by benchmarks/local_slurm.py\n"
_START_S = 30.0
_STOP_S = 5.0
_PORTS = {"slurmctld": 16817, "slurmd": 16818}

# ``sched_interval`` and its neighbours start a job within a second, not within three;
# MinJobAge keeps ended jobs visible, as there is no accounting to ask for them.
_SLURM_CONF = """\
ClusterName=local
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={slurmctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ReturnToService=2
KillWait=5
MinJobAge=3600
JobRequeue=1
GresTypes=gpu
NodeName=localhost NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cores} Boards=1 \
SocketsPerBoard=1 CoresPerSocket={cores} ThreadsPerCore=1 RealMemory=2000 \
Gres=gpu:fake:{gpus} State=UNKNOWN
PartitionName=gpu Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""
_GRES_CONF = """\
AutoDetect=off
NodeName=localhost Name=gpu Type=fake File={folder}/dev/nvidia[0-{last}]
"""

Daemon = Literal["slurmctld", "slurmd"]


def why_not_here() -> str | None:
    """Return why a local Slurm cannot run here, ``None`` if it can."""
    if sys.platform != "linux":
        return "Slurm runs on Linux only"
    if os.getuid() != 0:
        return "Slurm's daemons need root"
    missing = [name for name in _PROGRAMS if not shutil.which(name, path=_path())]
    if missing:
        return (
            f"{', '.join(missing)} not found: apt-get install "
            "--no-install-recommends slurm-wlm munge"
        )
    configuration = _ETC / "slurm.conf"
    if configuration.exists() and not configuration.read_text().startswith(_MARK):
        return f"{configuration} belongs to a Slurm of this machine"
    return None


@dataclass(frozen=True)
class LocalSlurm:
    """A running Slurm; ``local_slurm`` makes one.

    Attributes:
        folder: Its state, logs and process numbers.
    """

    folder: Path

    def call(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it prints.

        Args:
            command: Program and arguments.

        Returns:
            Its standard output, stripped.
        """
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        return answer.stdout.strip()

    def job_states(self) -> dict[str, str]:
        """Return the states of all jobs since the start, such as ``RUNNING``."""
        lines = self.call("squeue", "-h", "-t", "all", "-r", "-o", "%i %T").splitlines()
        return dict(line.split() for line in lines)

    def pid(self, daemon: Daemon) -> int:
        """Return a daemon's process number."""
        return int((self.folder / "run" / f"{daemon}.pid").read_text())

    def kill(self, daemon: Daemon) -> None:
        """Kill a daemon with SIGKILL, as a crash of its machine would."""
        os.kill(self.pid(daemon), signal.SIGKILL)

    def start(self, daemon: Daemon) -> None:
        """Start a daemon; it finds the state that the last one left."""
        arguments = {"slurmctld": ["-i"], "slurmd": ["-N", "localhost"]}[daemon]
        # A restarted daemon must not inherit a pipe that somebody reads to its end.
        subprocess.run(
            [shutil.which(daemon, path=_path()) or daemon, *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def recover(self) -> None:
        """Do what an administrator does after a crash: free the node and held jobs."""
        self._wait_for_node(("",))
        for command in (
            ("scontrol", "update", "NodeName=localhost", "State=RESUME"),
            ("scontrol", "release", ",".join(self.job_states())),
        ):
            with suppress(subprocess.CalledProcessError):  # nothing to free
                self.call(*command)
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait until the node takes jobs."""
        self._wait_for_node(("idle", "mixed", "allocated"))

    def _wait_for_node(self, states: tuple[str, ...]) -> None:
        deadline = time.monotonic() + _START_S
        state = None
        while state is None or not state.startswith(states):
            if time.monotonic() > deadline:
                logs = [
                    path.read_text() for path in sorted(self.folder.glob("log/*.log"))
                ]
                raise RuntimeError(f"Slurm's node is {state!r}:\n{''.join(logs)}")
            time.sleep(0.1)
            with suppress(subprocess.CalledProcessError):
                state = self.call("sinfo", "-h", "-o", "%T")


@contextmanager
def local_slurm(folder: Path) -> Iterator[LocalSlurm]:
    """Run Slurm while the block lasts; what its jobs left running is killed.

    Args:
        folder: An empty folder for its state.

    Yields:
        The running Slurm.

    Raises:
        RuntimeError: If ``why_not_here`` has a reason, or its node does not come up.
    """
    reason = why_not_here()
    if reason:
        raise RuntimeError(reason)
    slurm = LocalSlurm(folder)
    with _alone(), _munge(), _configuration(folder):
        slurm.start("slurmctld")
        time.sleep(0.5)  # a node that registers too early waits for a minute
        slurm.start("slurmd")
        try:
            slurm.wait_until_idle()
            yield slurm
            jobs = [job for job, state in slurm.job_states().items() if _lives(state)]
            if jobs:
                slurm.call("scancel", *jobs)
                time.sleep(1)
        finally:
            for daemon in ("slurmd", "slurmctld"):
                _end(slurm.folder / "run" / f"{daemon}.pid")


def _lives(state: str) -> bool:
    return state in {"PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING"}


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other process has a local Slurm; the lock dies with this one."""
    _ETC.mkdir(exist_ok=True)
    with (_ETC / ".local_slurm.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        _end_leftover()
        yield


def _end_leftover() -> None:
    """End the daemons of a process that was killed before it could."""
    configuration = _ETC / "slurm.conf"
    if configuration.exists():
        lines = configuration.read_text().splitlines()
        facts = dict(line.split("=", 1) for line in lines if "=" in line)
        for key in ("SlurmdPidFile", "SlurmctldPidFile"):
            _end(Path(facts[key]))


@contextmanager
def _configuration(folder: Path) -> Iterator[None]:
    _write_configuration(folder)
    try:
        yield
    finally:
        for name in ("slurm.conf", "gres.conf"):
            (_ETC / name).unlink(missing_ok=True)


def _write_configuration(folder: Path) -> None:
    for name in ("state", "spool", "log", "run", "dev"):
        (folder / name).mkdir(parents=True)
    for number in range(NUM_GPUS):
        # Only a device file gets into CUDA_VISIBLE_DEVICES: /dev/null's twins do.
        device = folder / "dev" / f"nvidia{number}"
        os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    facts = {
        "folder": folder,
        "host": socket.gethostname().partition(".")[0],
        "cores": os.cpu_count(),
        "gpus": NUM_GPUS,
        "last": NUM_GPUS - 1,
        **{f"{daemon}_port": port for daemon, port in _PORTS.items()},
    }
    (_ETC / "gres.conf").write_text(_MARK + _GRES_CONF.format(**facts))
    (_ETC / "slurm.conf").write_text(_MARK + _SLURM_CONF.format(**facts))


@contextmanager
def _munge() -> Iterator[None]:
    """Run munge, which signs Slurm's messages, unless it runs already."""
    if (_MUNGE_RUN / "munge.socket.2").exists() and _munge_answers():
        yield
        return
    _MUNGE_RUN.mkdir(mode=0o755, exist_ok=True)
    shutil.chown(_MUNGE_RUN, "munge", "munge")
    subprocess.run(
        ["runuser", "-u", "munge", "--", "/usr/sbin/munged", "--force"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        _end(_MUNGE_RUN / "munged.pid")


def _munge_answers() -> bool:
    answer = subprocess.run(["munge", "-n"], capture_output=True, check=False)
    return answer.returncode == 0


def _end(pid_file: Path) -> None:
    """Stop a daemon by its process number, and wait for its end."""
    with suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int(pid_file.read_text())
        if pid_file.stem not in Path(f"/proc/{pid}/comm").read_text():
            return  # the number is another process's by now
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        while Path(f"/proc/{pid}").exists():
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def _path() -> str:
    """Return the search path with the folders of daemons, which a user's may lack."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
