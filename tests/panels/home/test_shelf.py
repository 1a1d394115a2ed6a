from collections.abc import Callable
from pathlib import Path

from cocodesign.files import write_atomically
from cocodesign.panels.home.shelf import RecordShelf
from cocodesign.results import RunRecord


def test_finds_committed_records_and_those_of_runs(
    tmp_path: Path, make_record: Callable[..., RunRecord]
) -> None:
    first, second = make_record(1.0), make_record(2.0, profile="gpu")
    write_atomically(tmp_path / "records/10_example.laptop.json", first.to_json())
    write_atomically(tmp_path / "runs/a/record.json", second.to_json())
    shelf = RecordShelf([tmp_path / "records", tmp_path / "runs", tmp_path / "none"])
    assert shelf.read().records == (first, second)


def test_sees_what_is_added_replaced_and_removed(
    tmp_path: Path, make_record: Callable[..., RunRecord]
) -> None:
    path = tmp_path / "a/record.json"
    shelf = RecordShelf([tmp_path])
    assert shelf.read().records == ()
    for value in (1.0, 2.0):  # of the same length
        record = make_record(value)
        write_atomically(path, record.to_json())
        assert shelf.read().records == (record,)
    path.unlink()
    assert shelf.read().records == ()


def test_a_damaged_record_is_named_and_hides_no_other(
    tmp_path: Path, make_record: Callable[..., RunRecord]
) -> None:
    record = make_record(1.0)
    write_atomically(tmp_path / "good/record.json", record.to_json())
    write_atomically(tmp_path / "bad/record.json", "{")
    contents = RecordShelf([tmp_path]).read()
    assert contents.records == (record,)
    (problem,) = contents.problems
    assert str(tmp_path / "bad/record.json") in problem
