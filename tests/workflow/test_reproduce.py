"""What ``cocodesign reproduce`` would run, asked of a fresh copy of the clone."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cocodesign.cli.main import app


def dry_run(clone: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cocodesign.cli.main", "reproduce", "-n", *options],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["smoke", "laptop", "gpu"])
@pytest.mark.parametrize("options", [(), ("--only", "kfac")], ids=["all", "kfac"])
def test_a_fresh_clone_fetches_runs_and_draws(
    clone: Path, profile: str, options: tuple[str, ...]
) -> None:
    answer = dry_run(clone, "--profile", profile, *options)
    assert answer.returncode == 0, answer.stderr
    for step in (
        "fetch_data fashion_mnist",
        "run_notebook 10_kfac_convergence",
        "draw_figures",
    ):
        assert f"would run {step}" in answer.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--only", "kfca"), "no notebook is of the part 'kfca'; there are .*kfac"),
        (("--profile", "paper"), "no notebook of any part has parameters .* paper"),
        (("--cluster", "slurn"), "'slurn' is none of .*slurm"),
    ],
)
def test_a_call_that_nothing_fits_is_refused_with_what_there_is(
    clone: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    words: str,
) -> None:
    for path in clone.glob("notebooks/parameters/*.paper.yaml"):
        path.unlink()
    monkeypatch.chdir(clone)
    monkeypatch.setenv("COLUMNS", "500")
    result = CliRunner().invoke(app, ["reproduce", *options])
    assert result.exit_code == 2
    assert re.search(words, result.output)
