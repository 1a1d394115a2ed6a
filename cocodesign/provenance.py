"""What ran, where, and on which code."""

import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("cocodesign", "torch", "numpy", "papermill", "plotly", "cupy-cuda13x")


@dataclass(frozen=True)
class Provenance:
    """The circumstances of a run.

    Attributes:
        commit: The clone's commit, ``None`` outside a git work tree.
        dirty: Whether tracked files differed from the commit.
        versions: Installed version by package; absent packages are left out.
        python: The interpreter's version.
        system: Operating system and architecture.
        processor: The CPU's model name.
        num_cores: Cores that this process may use.
        device: The accelerator's name, or ``"cpu"``.
        cuda: The CUDA version that torch was built for, if it sees a device.
        data: SHA-256 by data file.
    """

    commit: str | None
    dirty: bool
    versions: dict[str, str]
    python: str
    system: str
    processor: str
    num_cores: int
    device: str = "cpu"
    cuda: str | None = None
    data: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Provenance":
        """Rebuild what ``to_dict`` gave.

        Args:
            fields: The fields, all of them known.

        Returns:
            An equal value.
        """
        return cls(**fields)


def collect_provenance(
    root: Path,
    *,
    device: str = "cpu",
    data: dict[str, str] | None = None,
) -> Provenance:
    """Describe this process and the code in a folder.

    Args:
        root: A folder of the clone whose commit is meant.
        device: The torch device that computes, such as ``"cpu"`` or ``"cuda:0"``.
        data: SHA-256 by data file, as ``cocodesign.data`` reports it.

    Returns:
        The description; what cannot be found out is ``None`` or left out.
    """
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    name, cuda = _accelerator(device)
    return Provenance(
        commit=commit,
        dirty=bool(changes),
        versions=_versions(),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=processor_name(),
        num_cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        device=name,
        cuda=cuda,
        data=dict(data or {}),
    )


def processor_name() -> str:
    """Return the CPU's model name, or the architecture where none is known."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _accelerator(device: str) -> tuple[str, str | None]:
    if not device.startswith("cuda"):
        return "cpu", None
    import torch

    return torch.cuda.get_device_name(device), torch.version.cuda


def _versions() -> dict[str, str]:
    versions: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _git(root: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
