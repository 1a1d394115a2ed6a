"""Everything that wants a GPU, in one command: checks and benchmarks of all parts.

``python -m benchmarks.gpu_session --out DIR`` runs the sections one after the other,
each in its own process and time limit, and writes one JSON file each into
``DIR/<device>/``. A section that fails, hangs or lacks a package is reported and the
rest goes on. Nothing is fetched: the data must lie in ``COCODESIGN_DATA`` or the
default data folder. ``--tiny`` tries the whole thing in a minute, also on a CPU.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cocodesign.files import write_atomically
from cocodesign.provenance import collect_provenance

ROOT = Path(__file__).resolve().parent.parent
KEPT_CHARACTERS = 4_000  # of a failed section's output


@dataclass(frozen=True)
class Section:
    """A part of the session.

    Attributes:
        name: The name of its result file.
        arguments: What Python runs.
        tiny_arguments: What is added with ``--tiny``.
        limit_s: Seconds after which it is stopped.
        prints_json: Whether its last line is its result as JSON; else only its exit
            status counts.
    """

    name: str
    arguments: tuple[str, ...]
    tiny_arguments: tuple[str, ...]
    limit_s: float
    prints_json: bool


SECTIONS = (
    Section("tests", ("-m", "pytest", "-q", "-m", "gpu"), (), 60, prints_json=False),
    Section("kfac", ("-m", "benchmarks.kfac_gpu"), ("--quick",), 210, prints_json=True),
    Section(
        "microbatch",
        ("-m", "benchmarks.microbatch_gpu"),
        ("--quick",),
        80,
        prints_json=True,
    ),
    Section(
        "collectives",
        ("-m", "benchmarks.collectives_gpu"),
        ("--quick",),
        30,
        prints_json=True,
    ),
    Section(
        "compression",
        ("-m", "benchmarks.compression_gpu"),
        ("--quick",),
        50,
        prints_json=True,
    ),
    Section(
        "events",
        ("-m", "benchmarks.events_gpu"),
        ("--quick",),
        45,
        prints_json=True,
    ),
    Section(
        "skeleton",
        ("-m", "benchmarks.skeleton_gpu"),
        ("--quick",),
        20,
        prints_json=True,
    ),
    Section(
        "video",
        ("-m", "benchmarks.video_gpu"),
        ("--quick",),
        45,
        prints_json=True,
    ),
)


def run_section(section: Section, *, tiny: bool) -> dict[str, object]:
    """Run one section and return its status, seconds, and result or output."""
    added = section.tiny_arguments if tiny else ()
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *section.arguments, *added],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # so that a hanging section goes with its children
    )
    try:
        output, _ = process.communicate(timeout=section.limit_s)
        status = (
            "ok" if process.returncode == 0 else f"exit status {process.returncode}"
        )
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        status = f"stopped after {section.limit_s:.0f} s"
    report: dict[str, object] = {
        "section": section.name,
        "status": status,
        "seconds": round(time.monotonic() - started, 1),
    }
    if status == "ok" and section.prints_json:
        return report | _last_line(output)
    return report | {"output": output[-KEPT_CHARACTERS:]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the session; the exit status is the number of sections that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the results"
    )
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, also on a CPU")
    parser.add_argument(
        "--only", nargs="+", choices=[section.name for section in SECTIONS]
    )
    options = parser.parse_args(arguments)

    import torch

    if not torch.cuda.is_available() and not options.tiny:
        parser.error("no CUDA device here: --tiny tries the session on a CPU")
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    provenance = collect_provenance(ROOT, device=device)
    folder = options.out / _slug(provenance.device + ("-tiny" if options.tiny else ""))
    chosen = [
        each for each in SECTIONS if not options.only or each.name in options.only
    ]
    reports = []
    for section in chosen:
        report = run_section(section, tiny=options.tiny)
        content = {**report, "tiny": options.tiny, "provenance": provenance.to_dict()}
        write_atomically(
            folder / f"{section.name}.json", json.dumps(content, indent=1) + "\n"
        )
        print(f"{section.name}: {report['status']}, {report['seconds']} s", flush=True)
        reports.append(report)
    failed = [report["section"] for report in reports if report["status"] != "ok"]
    summary = {"folder": str(folder), "sections": len(reports), "failed": failed}
    print(json.dumps(summary))
    return len(failed)


def _last_line(output: str) -> dict[str, object]:
    lines = output.strip().splitlines()
    try:
        return {"result": json.loads(lines[-1])}
    except (IndexError, ValueError):
        return {"status": "no JSON as last line", "output": output[-KEPT_CHARACTERS:]}


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


if __name__ == "__main__":
    sys.exit(main())
