"""The runner beside papermill, under kill -9, and against wrong parameters.

* ``overhead_vs_papermill``: time over papermill's for a notebook of ten trivial cells;
  the worse of two ratios, command against command (``cli``: imports, kernel, cells)
  and function against function in one warm process (``in_process``).
* ``noop_s``: ``cocodesign reproduce --profile smoke`` with nothing to do.
* ``kill_trials``, ``kill_losses``: kill -9 of runner, kernel, guard or two of them at
  random moments; a loss is an invalid notebook, a line printed more than 1 s before
  that is missing, a process left after 5 s, or a run still shown as running after 10 s.
* ``slurm_kill_trials``, ``slurm_kill_losses``: the same inside a real Slurm, with its
  job step and its daemons as victims; failed jobs are sent again. A loss is a run
  without a record, one that differs from an undisturbed run's, one written twice, or a
  process left after 5 s.
* ``slurm_added_s``: the seconds that Slurm adds to a notebook of ``reproduce``.
* ``param_fuzz_trials``, ``param_fuzz_leaks``: values and texts of all kinds for
  parameters; a leak is one that reaches the notebook with another type, value or name.
  ``papermill_leaks`` counts those that papermill lets through.
"""

import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbformat.v4 import new_code_cell, new_notebook

from benchmarks.kill_trials import run_kill_trials
from benchmarks.measurement import parse_arguments, report, time_interleaved
from benchmarks.parameter_fuzz import fuzz_parameters
from benchmarks.slurm_trials import measure_slurm_overhead, run_slurm_trials
from cocodesign.provenance import collect_provenance
from cocodesign.results import Measurement, RunRecord
from cocodesign.runner import run_notebook

_NOOP_LIMIT_S = 1200.0
_QUICK_NOOP_LIMIT_S = 120.0


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    quick: bool = arguments.quick
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results: dict[str, Any] = {
            "quick": quick,
            **measure_overhead(folder, rounds=5 if quick else 15),
            **run_kill_trials(folder, num_trials=10 if quick else 120),
            **run_slurm_trials(folder, num_trials=2 if quick else 80),
            **measure_slurm_overhead(folder),
            **fuzz_parameters(num_trials=2_000 if quick else 20_000),
            **measure_noop(_QUICK_NOOP_LIMIT_S if quick else _NOOP_LIMIT_S),
        }
    report(results, json_path=arguments.json)


def measure_overhead(folder: Path, *, rounds: int) -> dict[str, Any]:
    """Time ten trivial cells with papermill and with the runner.

    Args:
        folder: Where to work.
        rounds: Rounds that count.

    Returns:
        The ratios and the timings behind them.
    """
    path = write_trivial_notebook(folder / "trivial.ipynb")
    out = folder / "out.ipynb"
    run_dir = folder / "run"
    bin_folder = Path(sys.executable).parent
    papermill_command = [bin_folder / "papermill", path, out, "-p", "run_dir", run_dir]
    our_command = [bin_folder / "cocodesign", "run", path, "--run-dir", run_dir]
    logging.getLogger("papermill").setLevel(logging.ERROR)

    def papermill_in_process() -> float:
        start = time.perf_counter()
        papermill.execute_notebook(
            path, out, {"run_dir": str(run_dir)}, progress_bar=False
        )
        return time.perf_counter() - start

    def runner_in_process() -> float:
        start = time.perf_counter()
        run_notebook(path, run_dir=run_dir)
        return time.perf_counter() - start

    timings = time_interleaved(
        {
            "papermill_cli": lambda: _time_command(papermill_command),
            "cocodesign_cli": lambda: _time_command(our_command),
            "papermill_in_process": papermill_in_process,
            "cocodesign_in_process": runner_in_process,
        },
        rounds=rounds,
    )
    ratios = {
        model: timings[f"cocodesign_{model}"].median_s
        / timings[f"papermill_{model}"].median_s
        for model in ("cli", "in_process")
    }
    return {
        "overhead_vs_papermill": round(max(ratios.values()), 3),
        "overhead_cli": round(ratios["cli"], 3),
        "overhead_in_process": round(ratios["in_process"], 3),
        "overhead_timings": {name: each.to_dict() for name, each in timings.items()},
    }


def write_trivial_notebook(path: Path) -> Path:
    """Write a notebook of ten trivial cells, one of which leaves a record.

    Args:
        path: The file.

    Returns:
        The same path.
    """
    record = RunRecord(
        notebook=path.stem,
        profile="smoke",
        run_id="benchmark",
        finished="2026-01-01T00:00:00+00:00",
        duration_s=0.0,
        parameters={},
        metrics={"one": Measurement((1.0,), "x")},
        tables={},
        provenance=collect_provenance(path.parent),
    )
    cells = [new_code_cell('seed = 0\nrun_dir = "runs/trivial"')]
    cells[0].metadata.tags = ["parameters"]
    cells += [new_code_cell(f"x = {number}\nprint(x)") for number in range(8)]
    cells += [
        new_code_cell(
            "import pathlib\n"
            "pathlib.Path(run_dir).mkdir(exist_ok=True)\n"
            f"_ = pathlib.Path(run_dir, 'record.json').write_text({record.to_json()!r})"
        )
    ]
    notebook = new_notebook(cells=cells)
    notebook.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(notebook, path)
    return path


def measure_noop(limit_s: float) -> dict[str, Any]:
    """Time ``cocodesign reproduce`` when there is nothing to do.

    Args:
        limit_s: Limit for the first call, which does what is not done yet.

    Returns:
        The seconds of the second call, or ``None`` with the reason.
    """
    command = [Path(sys.executable).with_name("cocodesign"), "reproduce"]
    command += ["--profile", "smoke"]
    try:
        first = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        reason = f"the first call did not end within {limit_s:.0f} s"
        return {"noop_s": None, "noop_reason": reason}
    start = time.perf_counter()
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    elapsed_s = time.perf_counter() - start
    if first.returncode or second.returncode:
        last = "".join(second.stderr.strip().splitlines()[-1:])
        reason = f"the calls ended with {first.returncode}, {second.returncode}: {last}"
        return {"noop_s": None, "noop_reason": reason}
    return {"noop_s": round(elapsed_s, 3)}


def _time_command(command: list[Path | str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
