"""``cocodesign doctor``: what is there, what is missing, which command adds it."""

import importlib.util
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

import typer

State = Literal["ok", "optional", "missing"]

_MARKS = {
    "ok": "[green]ok[/]",
    "optional": "[yellow]absent[/]",
    "missing": "[red]missing[/]",
}


@dataclass(frozen=True)
class Finding:
    """What was found out about one thing.

    Attributes:
        subject: The thing.
        state: ``ok``; ``optional`` if it is absent but not needed; ``missing`` if it
            is needed.
        detail: Its version, or what does not work without it.
        remedy: The command that adds it; empty if it is there.
    """

    subject: str
    state: State
    detail: str
    remedy: str = ""


def doctor() -> None:
    """Look for everything that the project can use; status 1 if it cannot run."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    findings = examine()
    table = Table(title="cocodesign doctor", title_justify="left")
    for heading in ("what", "state", "detail", "to add it"):
        table.add_column(heading, overflow="fold")
    for found in findings:
        mark = Text.from_markup(_MARKS[found.state])
        texts = (found.subject, found.detail, found.remedy)
        subject, detail, remedy = map(Text, texts)  # as they are: '.[gpu]' is no markup
        table.add_row(subject, mark, detail, remedy)
    Console().print(table)
    if any(found.state == "missing" for found in findings):
        raise typer.Exit(1)


def examine() -> list[Finding]:
    """Examine this machine; nothing is changed or fetched."""
    return [
        _python(),
        *_packages(),
        *_torch(),
        _cupy(),
        _clone(),
        *_data(),
        _chrome(),
        _slurm(),
    ]


def _python() -> Finding:
    return Finding("Python", "ok", f"{platform.python_version()}, {sys.executable}")


def _packages() -> list[Finding]:
    findings = []
    for name in ("jupyterlab", "papermill", "plotly", "snakemake"):
        try:
            findings.append(Finding(name, "ok", metadata.version(name)))
        except metadata.PackageNotFoundError:
            findings.append(Finding(name, "missing", "not installed", "make venv"))
    return findings


def _torch() -> list[Finding]:
    try:
        import torch
    except ImportError as error:
        return [Finding("PyTorch", "missing", str(error), "make venv")]
    built_for = torch.version.cuda
    found = [
        Finding(
            "PyTorch", "ok", f"{torch.__version__}, {torch.get_num_threads()} threads"
        )
    ]
    if torch.cuda.is_available():
        names = [
            torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())
        ]
        return [*found, Finding("CUDA", "ok", f"{built_for}: {', '.join(names)}")]
    detail = "no device seen, everything runs on the CPU"
    remedy = (
        "install NVIDIA's driver" if built_for else "pip install torch (CUDA build)"
    )
    return [*found, Finding("CUDA", "optional", detail, remedy)]


def _cupy() -> Finding:
    for name in ("cupy-cuda13x", "cupy-cuda12x", "cupy"):
        try:
            return Finding("CuPy", "ok", f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return Finding(
        "CuPy", "optional", "no custom GPU kernels", "pip install -e '.[gpu]'"
    )


def _clone() -> Finding:
    from cocodesign.errors import ProjectNotFoundError
    from cocodesign.project import find_project

    try:
        return Finding("clone", "ok", str(find_project().root))
    except ProjectNotFoundError as error:
        return Finding("clone", "missing", str(error), "change into the clone")


def _data() -> list[Finding]:
    from cocodesign.data import data_home, dataset_names, is_available

    found = [Finding("data folder", "ok", str(data_home()))]
    for name in dataset_names():
        if is_available(name):
            found.append(Finding(f"data: {name}", "ok", "complete"))
        else:
            detail, remedy = (
                "fetched when first needed",
                f"cocodesign data fetch {name}",
            )
            found.append(Finding(f"data: {name}", "optional", detail, remedy))
    return found


def _chrome() -> Finding:
    from cocodesign.figures.export import find_chrome

    path = find_chrome()
    if path:
        return Finding("Chrome", "ok", path)
    return Finding(
        "Chrome",
        "optional",
        "figures are HTML only: no SVG, PDF, PNG",
        "apt-get install chromium",
    )


def _slurm() -> Finding:
    if not shutil.which("sbatch"):
        return Finding(
            "Slurm", "optional", "no sbatch here", "run on a cluster's login node"
        )
    if importlib.util.find_spec("snakemake_executor_plugin_cluster_generic") is None:
        return Finding(
            "Slurm", "optional", "sbatch, but no plugin", "pip install -e '.[cluster]'"
        )
    return Finding("Slurm", "ok", str(shutil.which("sbatch")))
