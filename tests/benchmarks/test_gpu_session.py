import pytest

from benchmarks.gpu_session import Section, run_section


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


def test_a_section_that_hangs_is_stopped_with_its_children() -> None:
    code = "import subprocess; subprocess.run(['sleep', '60'])"
    report = run_section(section(code, limit_s=1), tiny=False)
    assert report["status"] == "stopped after 1 s"
    assert report["seconds"] < 10
