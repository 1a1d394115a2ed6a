"""What ``cocodesign reproduce`` would run, asked of a fresh copy of the clone."""

import subprocess
import sys
from pathlib import Path

import pytest


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


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--only", "kfca"), ("--profile", "paper")])
def test_a_call_that_no_notebook_fits_is_an_error(
    clone: Path, options: tuple[str, ...]
) -> None:
    answer = dry_run(clone, *options)
    assert answer.returncode != 0
    assert "no notebook of" in answer.stderr + answer.stdout
