"""Packing runs and checking the package."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cocodesign.claims import load_claims
from cocodesign.cli.crate import crate as crate_command
from cocodesign.crates import check_crate, write_crate
from cocodesign.errors import CocodesignError, CrateError, RecordError
from cocodesign.results import RunContext, RunRecord
from cocodesign.runner.lease import acquire_lease

CLAIM = next(claim for claim in load_claims() if claim.judgements)
JUDGEMENT = CLAIM.judgements[0]


@pytest.fixture
def run(tmp_path: Path, make_record: Callable[..., RunRecord]) -> Path:
    """Return the folder of a run whose record meets a claim."""
    folder = tmp_path / "runs" / "a-run"
    record = make_record(
        JUDGEMENT.expected, notebook=JUDGEMENT.notebook, profile=JUDGEMENT.profile
    )
    with acquire_lease(
        folder,
        notebook=JUDGEMENT.notebook,
        profile=JUDGEMENT.profile,
        on_loss=lambda _: None,
    ):
        RunContext("a-run", JUDGEMENT.notebook, JUDGEMENT.profile, {"seed": 0}).write(
            folder
        )
        (folder / "notebook.ipynb").write_text('{"cells": []}')
        text = record.to_json().replace('"ratio"', f'"{JUDGEMENT.metric}"')
        (folder / "record.json").write_text(text)
    return folder


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def entities(crate: Path) -> dict[str, dict]:
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    return {entity["@id"]: entity for entity in graph}


def test_a_crate_gives_its_verdicts_again_without_the_project(
    run: Path, tmp_path: Path
) -> None:
    stated = write_crate([run], tmp_path / "crate")
    assert [(each.claim.id, each.status) for each in stated] == [(CLAIM.id, "PASS")]
    shutil.rmtree(run)
    moved = tmp_path / "elsewhere"
    (tmp_path / "crate").rename(moved)
    assert check_crate(moved) == stated


def test_a_run_is_an_action_with_program_parameters_and_results(
    run: Path, tmp_path: Path
) -> None:
    write_crate([run], tmp_path / "crate")
    found = entities(tmp_path / "crate")
    action = found["#a-run"]
    assert action["@type"] == "CreateAction"
    assert found["./"]["mentions"] == [{"@id": "#a-run"}]
    assert found[action["instrument"]["@id"]]["version"] == "0123456789abcdef"
    values = {
        found[each["@id"]]["name"]: found[each["@id"]]["value"]
        for each in action["object"]
    }
    assert values == {"seed": "0", "target_accuracy": "0.8"}
    results = {each["@id"].rpartition("/")[2] for each in action["result"]}
    assert results == {"record.json", "run.json", "notebook.ipynb"}
    assert action["endTime"] == "2026-01-01T00:00:00+00:00"


def test_the_same_runs_give_the_same_bytes(run: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_crate([run], tmp_path / name)
    files = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) == 6
    for path in files:
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes()


@pytest.mark.parametrize("name", ["record.json", "notebook.ipynb"])
def test_an_altered_or_missing_file_is_found(
    run: Path, tmp_path: Path, name: str
) -> None:
    crate = tmp_path / "crate"
    write_crate([run], crate)
    path = crate / "runs" / "a-run" / name
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    with pytest.raises(CrateError, match=rf"{name} was altered"):
        check_crate(crate)
    path.unlink()
    with pytest.raises(CrateError, match=rf"{name} is missing"):
        check_crate(crate)


def test_a_verdict_that_does_not_follow_is_found(run: Path, tmp_path: Path) -> None:
    from cocodesign.files import sha256_of

    crate = tmp_path / "crate"
    write_crate([run], crate)
    verdicts, metadata = crate / "verdicts.json", crate / "ro-crate-metadata.json"
    before = sha256_of(verdicts)
    rewrite(verdicts, '"PASS"', '"DRIFT"')
    rewrite(metadata, before, sha256_of(verdicts))  # by somebody who knows digests
    with pytest.raises(CrateError, match=f"{CLAIM.id} is PASS, not DRIFT"):
        check_crate(crate)


def test_a_crate_cannot_point_outside_itself(run: Path, tmp_path: Path) -> None:
    crate = tmp_path / "crate"
    write_crate([run], crate)
    rewrite(crate / "ro-crate-metadata.json", '"claims.toml"', '"../claims.toml"')
    (tmp_path / "claims.toml").write_text("x")
    with pytest.raises(
        CrateError, match=r"is no crate of runs: it has no claims\.toml"
    ):
        check_crate(crate)
    write_crate([run], tmp_path / "other")
    record = '"runs/a-run/record.json"'
    rewrite(tmp_path / "other" / "ro-crate-metadata.json", record, '"../claims.toml"')
    with pytest.raises(CrateError, match="lies outside it"):
        check_crate(tmp_path / "other")


def test_what_cannot_be_packed_or_read_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(CrateError, match="at least one run"):
        write_crate([], tmp_path / "crate")
    with pytest.raises(CrateError, match="two of the runs are called a-run"):
        write_crate([run, run], tmp_path / "crate")
    with pytest.raises(CrateError, match="exists"):
        write_crate([run], run)
    with pytest.raises(RecordError, match="empty"):
        write_crate([tmp_path / "empty"], tmp_path / "crate")
    assert not (tmp_path / "crate").exists()
    with pytest.raises(CrateError, match="is no crate of runs"):
        check_crate(run)


def test_the_command_packs_by_name_and_checks(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "cocodesign"\n')
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(crate_command)
    call = CliRunner().invoke
    packed = call(app, ["a-run", "--out", "crate"])
    assert packed.exit_code == 0, packed.output
    assert "1 PASS" in packed.output
    checked = call(app, ["--check", "crate"])
    assert checked.exit_code == 0
    assert "all verdicts follow" in checked.output
    assert isinstance(call(app, ["b-run"]).exception, CocodesignError)
    assert call(app, ["--check", "crate", "crate"]).exit_code == 2
    rewrite(run / "record.json", str(JUDGEMENT.expected), str(JUDGEMENT.expected / 9))
    assert call(app, ["a-run", "--out", "bad"]).exit_code == 0
    assert call(app, ["--check", "bad"]).exit_code == 1


@pytest.mark.slow
def test_an_independent_validator_accepts_a_crate_offline(
    run: Path, tmp_path: Path
) -> None:
    validator = find_validator()
    if validator is None:
        pytest.skip(
            "rocrate-validator is not installed; it wants a folder of its own: "
            "python -m venv .venv/validator, .venv/validator/bin/pip install "
            "roc-validator"
        )
    write_crate([run], tmp_path / "crate")
    command = [validator, "-y", "--disable-color", "validate", tmp_path / "crate"]
    command += ["--offline", "--no-paging", "-p", "process-run-crate", "-l", "required"]
    # Two checks want the JSON-LD context from the network.
    command += ["-s", "ro-crate-1.1_3.1", "-s", "ro-crate-1.1_3.2"]
    answer = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def find_validator() -> str | None:
    """Its requirements clash with ours, so it may have an environment of its own."""
    own = Path(sys.prefix) / "validator" / "bin" / "rocrate-validator"
    return str(own) if own.exists() else shutil.which("rocrate-validator")
