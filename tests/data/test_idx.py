"""The IDX format, written here by hand."""

import struct

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cocodesign.data.idx import read_idx
from cocodesign.errors import DataFormatError

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx_bytes(array, code):
    header = bytes([0, 0, code, array.ndim]) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return header + array.tobytes()


@given(
    data=st.data(),
    kind=st.sampled_from(sorted(CODES)),
    shape=arrays.array_shapes(max_dims=3, min_side=0, max_side=5),
)
def test_reads_every_type_and_shape(tmp_path_factory, data, kind, shape):
    array = data.draw(
        arrays.arrays(
            f">{kind}", shape, elements={"allow_nan": False} if kind[0] == "f" else None
        )
    )
    path = tmp_path_factory.mktemp("idx") / "a"
    path.write_bytes(idx_bytes(array, CODES[kind]))
    expected = torch.tensor(array.astype(kind))
    assert torch.equal(read_idx(path), expected)
    assert read_idx(path).dtype == expected.dtype


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (b"\0\0\x08", "no IDX file"),
        (b"\x89PNG\r\n\x1a\n", "no IDX file: it begins with 89 50 4e 47"),
        (b"\0\0\x0a\x01\0\0\0\0", "no IDX file"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gunzip"),
        (b"\0\0\x08\x02\0\0\0\x01\0", "within its IDX header"),
        (b"\0\0\x08\x01\0\0\0\x04abc", "has 11 bytes, .* announces 12"),
        (b"\0\0\x08\x01\0\0\0\x02abc", "has 11 bytes, .* announces 10"),
        (b"\0\0\x0e\x03" + b"\xff" * 12, r"float64 of shape \[4294967295"),
    ],
)
def test_refuses_damaged_and_foreign_files(content, message, tmp_path):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataFormatError, match=message):
        read_idx(tmp_path / "a")


def test_elements_are_in_the_machine_s_byte_order(tmp_path):
    (tmp_path / "a").write_bytes(b"\0\0\x0b\x01\0\0\0\x02\x01\x02\xff\xff")
    assert read_idx(tmp_path / "a").tolist() == [0x0102, -1]
    assert np.asarray(read_idx(tmp_path / "a")).dtype.isnative
