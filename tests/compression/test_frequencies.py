import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cocodesign.compression.frequencies import (
    TOTAL,
    class_of,
    class_start,
    normalise,
    num_classes,
    pack_frequencies,
    unpack_frequencies,
)
from cocodesign.errors import CorruptBitstreamError

COUNTS = arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 10**6))


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**31 - 1), st.integers(2, 8))
def test_an_integer_lies_between_its_class_and_the_next(u: int, split: int) -> None:
    number, num_extra = class_of(u, split)
    start, same_extra = class_start(number, split)
    assert 0 <= number < num_classes(split)
    assert num_extra == same_extra
    assert start <= u < start + 2**num_extra


@settings(deadline=None)
@given(COUNTS)
def test_frequencies_sum_up_and_keep_every_class(counts: np.ndarray) -> None:
    frequencies = normalise(counts)
    assert frequencies.sum() == (TOTAL if counts.any() else 0)
    assert ((frequencies > 0) == (counts > 0)).all()


@settings(deadline=None)
@given(COUNTS)
def test_a_table_is_read_back(counts: np.ndarray) -> None:
    frequencies = normalise(counts)
    packed = pack_frequencies(frequencies) + b"rest"
    again, position = unpack_frequencies(packed, 0, 4)
    assert again[: len(frequencies)].tolist() == frequencies.tolist()
    assert not again[len(frequencies) :].any()
    assert packed[position:] == b"rest"


@pytest.mark.parametrize(
    "table", [b"", b"\x01", b"\xff\xff", b"\x00\x05\x00", b"\x00\x01\xff"]
)
def test_refuses_a_damaged_table(table: bytes) -> None:
    with pytest.raises(CorruptBitstreamError, match="table"):
        unpack_frequencies(table, 0, 4)
