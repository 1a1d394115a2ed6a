"""``cocodesign data``, as a user calls it."""

import json
import os

import pytest
from typer.testing import CliRunner

from cocodesign.cli.data import app
from cocodesign.data import dataset_names
from cocodesign.data.manifest import read_manifest
from cocodesign.errors import DataMismatchError, DataUnavailableError

NAME = "fashion_mnist"


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Return a function that calls the command on an empty cache."""
    monkeypatch.setenv("COCODESIGN_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PATH", "/nowhere")  # no package manager helps out
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture
def put_by_hand(tmp_path):
    """Write a file of the right size and another content into the cache."""

    def put(name):
        folder = tmp_path / "cache" / NAME
        folder.mkdir(parents=True)
        (folder / name).write_bytes(b"")
        size_bytes = {f.name: f.size_bytes for f in read_manifest(NAME).files}[name]
        os.truncate(folder / name, size_bytes)

    return put


def test_lists_every_data_set_with_its_state(call, put_by_hand):
    listed = call("list").output
    assert all(name in listed for name in dataset_names())
    assert "absent" in listed
    assert "55.0 MB" in listed
    put_by_hand("t10k-labels-idx1-ubyte")
    assert "incomplete" in call("list").output


def test_says_where_the_data_sets_are(call, tmp_path):
    assert call("where").output == f"{tmp_path / 'cache'}\n"


@pytest.mark.parametrize("command", ["fetch", "verify"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "names of data sets, or --all"),
        ([NAME, "--all"], "names of data sets, or --all"),
        (["fashion-mnist"], "did you mean fashion_mnist?"),
    ],
)
def test_refuses_a_call_that_means_no_data_set(command, words, message, call):
    result = call(command, *words)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def test_a_fetch_in_vain_prints_a_line_for_each_source(call):
    result = call("fetch", NAME)
    assert isinstance(result.exception, DataUnavailableError)
    lines = result.stderr.splitlines()
    assert len(lines) == 2 * len(read_manifest(NAME).sources)
    assert all(line.startswith(f"{NAME}: ") for line in lines)


def test_verifying_names_what_is_wrong(call, put_by_hand):
    assert isinstance(call("verify", NAME).exception, DataUnavailableError)
    put_by_hand("t10k-labels-idx1-ubyte")
    error = call("verify", NAME).exception
    assert isinstance(error, DataMismatchError)
    assert "t10k-labels-idx1-ubyte has sha256" in str(error)
    assert "train-images-idx3-ubyte is missing" in str(error)


@pytest.mark.slow
def test_fetches_stamps_and_verifies_a_real_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("COCODESIGN_DATA", str(tmp_path / "cache"))
    stamp = tmp_path / "stamps" / "data.json"
    words = ["fetch", NAME, "--stamp", str(stamp)]
    result = CliRunner().invoke(app, words)
    if isinstance(result.exception, DataUnavailableError):
        pytest.skip(f"Fashion-MNIST cannot be fetched here: {result.exception}")
    assert result.exit_code == 0
    assert f"{NAME}: ready in {tmp_path / 'cache' / NAME}" in result.output
    expected = {f"{NAME}/{f.name}": f.sha256 for f in read_manifest(NAME).files}
    assert json.loads(stamp.read_text()) == expected
    os.utime(stamp, (1, 1))
    assert CliRunner().invoke(app, words).exit_code == 0
    assert stamp.stat().st_mtime == 1  # the workflow sees nothing new
    verified = CliRunner().invoke(app, ["verify", "--all"])
    assert verified.exit_code == 0
    assert f"{NAME}: all files" in verified.output
    assert "vtest: not here" in verified.output
