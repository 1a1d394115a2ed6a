import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cocodesign.cli import plan as command
from cocodesign.microbatch import MicroBatchPlan

typer = pytest.importorskip("typer")


@pytest.fixture
def app():
    app = typer.Typer()
    app.command()(command.plan)
    return app


@pytest.mark.slow
def test_plans_a_network_shows_it_and_writes_a_file(
    app, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = tmp_path / "plan.json"
    arguments = ["alexnet", "-n", "1", "--size", "64", "--workspace", "0"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "features.0" in result.output
    plan = MicroBatchPlan.from_json(out.read_text())
    assert plan.workspace_limit_bytes == 0
    assert json.loads(out.read_text())["plan_version"] == 1
    assert list((tmp_path / "cache").rglob("direct-1.json"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no network 'nothing'"),
        (["alexnet", "--policy", "some"], "no policy 'some'"),
        (["alexnet", "--workspace", "1", "--step", "1"], "not both"),
    ],
)
def test_refuses_what_it_does_not_know(app, arguments, message) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
