import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-m", "cocodesign.cli.main"]


def test_help_names_every_command(call) -> None:
    result = call(["--help"])
    for command in ("run", "reproduce", "figures", "verdict", "data", "doctor"):
        assert command in result.stdout


def test_a_foreseen_error_is_one_line_and_status_1(tmp_path) -> None:
    run = tmp_path / "runs" / "broken"
    run.mkdir(parents=True)
    (run / "record.json").write_text("{")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "cocodesign"\n')
    answer = subprocess.run(
        [*COMMAND, "verdict"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert "record.json" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.slow
def test_help_is_there_in_half_a_second() -> None:
    times = []
    for _ in range(5):
        start = time.monotonic()
        subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)
        times.append(time.monotonic() - start)
    assert min(times) < 0.5
