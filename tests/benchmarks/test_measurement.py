import json
from pathlib import Path

import pytest

from benchmarks.measurement import report, time_interleaved


def test_sides_alternate_and_the_warm_up_does_not_count():
    calls: list[str] = []
    seconds = {"a": iter([9.0, 1.0, 3.0, 2.0]), "b": iter([9.0, 5.0, 5.0, 5.0])}

    def side(name: str) -> float:
        calls.append(name)
        return next(seconds[name])

    timings = time_interleaved(
        {"a": lambda: side("a"), "b": lambda: side("b")}, rounds=3
    )
    assert "".join(calls) == "abbaabba"
    assert timings["a"].to_dict() == {
        "median_s": 2.0,
        "low_s": 1.0,
        "high_s": 3.0,
        "rounds": 3,
    }


def test_the_report_s_last_line_is_one_json_object(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    report({"ratio": 0.5, "peer": None}, json_path=tmp_path / "report.json")
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed == json.loads((tmp_path / "report.json").read_text())
    assert (printed["ratio"], printed["peer"]) == (0.5, None)
    assert "python" in printed["environment"]
