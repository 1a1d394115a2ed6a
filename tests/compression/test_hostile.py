"""A part of what the benchmark does with ten thousand files."""

import pytest

from benchmarks.compression_hostile import try_hostile_files


@pytest.mark.slow
def test_hostile_files_are_refused_or_decode_in_bounded_memory() -> None:
    found = try_hostile_files(400)
    assert found["hostile_failures"] == 0, found
    assert found["hostile_refused"] > 300
