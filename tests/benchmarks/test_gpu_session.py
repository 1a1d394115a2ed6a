import json
from pathlib import Path

import pytest

from benchmarks.gpu_session import Section, main, run_section
from cocodesign.data import fetch_dataset


def section(code: str, *, limit_s: float = 20) -> Section:
    return Section("example", ("-c", code), (), limit_s, prints_json=True)


def test_the_last_line_is_the_result() -> None:
    report = run_section(section("print('hello'); print('{\"ratio\": 2}')"), tiny=False)
    assert report["status"] == "ok"
    assert report["result"] == {"ratio": 2}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(3)", "exit status 3"),
        ("import absent_package", "exit status 1"),
        ("print('no result')", "no JSON as last line"),
        ("pass", "no JSON as last line"),
    ],
)
def test_a_section_that_fails_says_how_and_keeps_its_output(
    code: str, status: str
) -> None:
    report = run_section(section(code), tiny=False)
    assert report["status"] == status
    assert "output" in report


@pytest.mark.slow
def test_a_section_that_hangs_is_stopped_with_its_children() -> None:
    code = "import subprocess; subprocess.run(['sleep', '60'])"
    report = run_section(section(code, limit_s=1), tiny=False)
    assert report["status"] == "stopped after 1 s"
    assert report["seconds"] < 10


@pytest.mark.slow
def test_the_tiny_session_runs_anywhere_and_writes_its_results(tmp_path: Path) -> None:
    fetch_dataset("fashion_mnist")
    assert main(["--out", str(tmp_path), "--tiny", "--only", "kfac"]) == 0
    (path,) = tmp_path.glob("*/kfac.json")
    content = json.loads(path.read_text())
    assert content["tiny"] is True
    assert content["result"]["step_time_ratio_batch_256"]["median"] > 0
    assert content["provenance"]["commit"]
