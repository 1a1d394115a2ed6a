import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.compression.container import (
    GAPS,
    MAGIC,
    MIXED,
    STORED,
    VERSION,
    WEIGHTS_PER_BYTE,
    Entry,
    pack_container,
    unpack_container,
)
from cocodesign.compression.quantized import Codebook, UniformQuantizer
from cocodesign.errors import CorruptBitstreamError

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
STEPS = st.floats(2**-100, 2**100, width=32)
NAMES = st.lists(st.text(max_size=20), max_size=6, unique=True)


def draw_entry(data: st.DataObject, name: str) -> Entry:
    payload = data.draw(st.binary(min_size=2, max_size=40))
    if data.draw(st.booleans()):
        return Entry(name, (len(payload),), "int64", STORED, "uint8", None, 0, payload)
    if data.draw(st.booleans()):
        quantizer = UniformQuantizer(data.draw(STEPS))
    else:
        values = data.draw(st.lists(FLOATS, min_size=1, max_size=9))
        quantizer = Codebook(tuple(values[::2]), tuple(values[1::2]))
    shape = data.draw(st.lists(st.integers(0, 20), max_size=3))
    return Entry(
        name,
        tuple(shape),
        data.draw(st.sampled_from(["float32", "bfloat16"])),
        data.draw(st.sampled_from([GAPS, MIXED])),
        "",
        quantizer,
        data.draw(st.integers(0, 2**23 - 1)),
        payload,
    )


def sealed(body: bytes) -> bytes:
    """Put a correct header before any body."""
    return MAGIC + bytes([VERSION]) + hashlib.sha256(body).digest() + body


@given(NAMES, st.data())
def test_is_read_back_as_written(names: list[str], data: st.DataObject) -> None:
    written = [draw_entry(data, name) for name in names]
    assert list(unpack_container(pack_container(written))) == written


def test_lays_the_bytes_out_as_specified() -> None:
    entry = Entry("a", (3,), "float32", GAPS, "", UniformQuantizer(0.5), 2, b"xy")
    content = pack_container([entry])
    table = b"\x01\x01a\x00\x01\x03\x01\x02\x01" + b"\x00\x00\x00\x3f" + b"\x02"
    body = bytes([len(table), 0]) + table + b"xy"
    assert content == b"\x89CCZ\x01" + hashlib.sha256(body).digest() + body


def test_pads_a_payload_that_is_too_short_for_its_weights() -> None:
    entry = Entry("a", (9999,), "float32", MIXED, "", UniformQuantizer(1.0), 0, b"")
    (again,) = unpack_container(pack_container([entry]))
    assert bytes(again.payload) == b"\0" * -(-9999 // WEIGHTS_PER_BYTE)


def test_one_altered_bit_anywhere_is_noticed() -> None:
    entry = Entry("a", (3,), "float32", GAPS, "", UniformQuantizer(0.5), 2, b"xy")
    content = pack_container([entry])
    for position in range(8 * len(content)):
        altered = bytearray(content)
        altered[position // 8] ^= 1 << position % 8
        with pytest.raises(CorruptBitstreamError):
            unpack_container(bytes(altered))


def test_every_truncation_is_noticed() -> None:
    content = pack_container(
        [Entry("a", (3,), "float32", GAPS, "", UniformQuantizer(0.5), 2, b"xy")]
    )
    for length in range(len(content)):
        with pytest.raises(CorruptBitstreamError):
            unpack_container(content[:length])


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"\x05\x00\x01", "bytes wanted"),
        (b"\x01\x02\x00", "flag"),
        (b"\x02\x01\xff\xff", "inflate"),
        (b"\x0a\x00\x01\x01a\x00\xff\x03\x01\x02\x01\x00", "dimensions"),
        (b"\x06\x00\x01\x01a\x63\x00\x00", "dtype"),
        (b"\x0b\x00" + b"\x01" + b"\xff" * 10, "63 bits"),
        (b"\x01\x00\x00more", "behind"),
        (b"\x06\x00\x01\x01a\x00\x00\x09", "coding"),
        (b"\x06\x00\x01\x01\xff\x00\x00\x00", "UTF-8"),
    ],
)
def test_a_table_without_sense_is_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(CorruptBitstreamError, match=complaint):
        unpack_container(sealed(body))


def test_more_weights_than_a_payload_can_hold_are_refused() -> None:
    entry = Entry("a", (10**9,), "float32", GAPS, "", UniformQuantizer(1.0), 1, b"xy")
    with pytest.raises(CorruptBitstreamError, match="claims 1000000000 weights"):
        unpack_container(pack_container([entry]))


def test_two_tensors_of_one_name_are_refused() -> None:
    entry = Entry("a", (1,), "uint8", STORED, "uint8", None, 0, b"x")
    with pytest.raises(CorruptBitstreamError, match="two tensors"):
        unpack_container(pack_container([entry, entry]))
