"""``cocodesign events``: real banks where their weights are in the cache."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cocodesign.cli.events import app
from cocodesign.data.fetching import cached_dataset
from cocodesign.errors import DataFormatError, DataUnavailableError

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def call_events() -> Call:
    """Return a function that calls ``cocodesign events``, its errors let through."""

    def call(*arguments: object, raises: bool = True) -> Result:
        words = [str(each) for each in arguments]
        return CliRunner().invoke(app, words, catch_exceptions=not raises)

    return call


@pytest.fixture(scope="module")
def index(call_events: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an index of a street, a parrot-free cartoon and a broken file."""
    try:
        for name in ("efficientnet_lite0", "imagenet_synsets", "wordnet", "minilm"):
            cached_dataset(name)
        videos = cached_dataset("street_clips")
    except DataUnavailableError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("events")
    broken = folder / "broken.mp4"
    broken.write_bytes(b"no video")
    result = call_events(
        "index", videos, broken, "--out", folder / "index", "--bank", "imagenet"
    )
    assert "clips" in result.output
    assert "broken" in result.stderr
    return folder / "index"


@pytest.mark.slow
def test_finds_a_street_and_says_why(call_events: Call, index: Path) -> None:
    output = call_events(
        "search", index, "cars and taxis in a city street", "--why", "--top", 1
    ).output
    concepts, best, *reasons = output.splitlines()
    assert concepts.startswith("concepts: ")
    assert "bikes" in best
    assert reasons


@pytest.mark.slow
def test_prints_json_and_keeps_what_cannot_be_decoded(
    call_events: Call, index: Path
) -> None:
    lines = call_events(
        "search", index, "a cartoon rabbit", "--like", "bigbuckbunny", "--json"
    ).output.splitlines()
    last = json.loads(lines[-1])
    assert (last["clip"], last["score"], last["probability"]) == ("broken", None, 0)
    assert last["error"]
    result = call_events("search", index, "x", "--like", "nobody", raises=False)
    assert result.exit_code == 2
    assert "nobody" in result.output


@pytest.mark.slow
def test_scores_and_submits_a_med_task(
    call_events: Call, index: Path, tmp_path
) -> None:
    trials, reference = tmp_path / "index.csv", tmp_path / "ref.csv"
    trials.write_text(
        "TrialID,ClipID,EventID\nt1,bikes,E12\nt2,bigbuckbunny,E12\nt3,lost,E12\n"
    )
    reference.write_text("TrialID,Targ\nt1,y\nt2,n\nt3,n\n")
    call_events("kits", "--write", tmp_path / "kits")
    expid = "TT_MED17_MED17EvalFull_PS_10Ex_SML_p-a_1"
    result = call_events(
        *("score", index, trials, "--kits", tmp_path / "kits"),
        *("--reference", reference, "--submit", expid, "--out", tmp_path),
    )
    assert "E12  AP 1.0000" in result.output
    assert "lost" in result.stderr
    with tarfile.open(tmp_path / "MED17_TT_MED17EvalFull_PS_1.tar.bz2") as archive:
        table = archive.extractfile(f"output/{expid}/{expid}.detection.csv")
        assert table is not None
        assert table.read().decode().splitlines()[1:] == [
            '"t1","1"',
            '"t2","2"',
            '"t3","3"',
        ]


def test_lists_and_writes_kits(call_events: Call, tmp_path: Path) -> None:
    assert "Going on a safari" in call_events("kits").output
    call_events("kits", "--write", tmp_path / "kits")
    assert len(list((tmp_path / "kits").glob("*.toml"))) == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-file.mp4"], "does not exist"),
        (["."], "no video here"),
    ],
)
def test_refuses_to_index_nothing(
    arguments, message, call_events: Call, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call_events("index", *arguments, "--out", "i", raises=False)
    assert result.exit_code == 2
    assert message in result.output


def test_refuses_a_bank_or_a_name_that_it_does_not_know(
    call_events: Call, tmp_path: Path
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    result = call_events(
        *("index", tmp_path, "--out", tmp_path / "i", "--bank", "clap"), raises=False
    )
    assert result.exit_code == 2
    assert "imagenet, coco" in result.output
    result = call_events(
        *("score", tmp_path, tmp_path / "t.csv", "--kits", tmp_path),
        *("--submit", "TT"),
        raises=False,
    )
    assert result.exit_code == 2


def test_two_clips_of_one_name_are_an_error(call_events: Call, tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mp4").write_bytes(b"")
    result = call_events(
        *("index", tmp_path / "x", tmp_path / "y", "--out", tmp_path / "i"),
        raises=False,
    )
    assert result.exit_code == 2
    assert "two clips are called a" in result.output


def test_says_how_an_index_is_made(call_events: Call, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="cocodesign events index"):
        call_events("search", tmp_path, "a dog")
