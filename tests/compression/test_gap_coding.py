import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cocodesign.compression import gap_coding
from cocodesign.compression.gap_coding import BLOCK_SIZE, decode_gaps, encode_gaps
from cocodesign.errors import CorruptBitstreamError
from tests.references.big_int_coder import big_state, classes_of_state

SYMBOLS = arrays(
    np.int32,
    st.integers(0, 200),
    elements=st.one_of(st.just(0), st.integers(-(2**23) + 1, 2**23 - 1)),
)


def sparse(size: int, density: float, scale: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kept = rng.random(size) < density
    return (kept * np.rint(scale * rng.laplace(size=size))).astype(np.int32)


@settings(deadline=None)  # the first call compiles
@given(SYMBOLS)
def test_decodes_what_was_encoded(symbols: np.ndarray) -> None:
    payload = encode_gaps(symbols)
    assert decode_gaps(payload, symbols.size).tolist() == symbols.tolist()


@pytest.mark.parametrize("size", [BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1])
@pytest.mark.parametrize("density", [0.0, 0.001, 0.2])
def test_blocks_join_without_seam(size: int, density: float) -> None:
    symbols = sparse(size, density, 3)
    symbols[-1] = 7
    assert (decode_gaps(encode_gaps(symbols), size) == symbols).all()


@pytest.mark.parametrize("density", [0.02, 0.09, 0.3])
def test_comes_within_a_third_of_a_per_cent_of_the_entropy(density: float) -> None:
    symbols = sparse(1 << 20, density, 3)
    _, counts = np.unique(symbols, return_counts=True)
    p = counts / counts.sum()
    entropy_bytes = -(counts * np.log2(p)).sum() / 8
    tables_and_header = 250
    assert len(encode_gaps(symbols)) < 1.003 * entropy_bytes + tables_and_header


def test_two_lanes_hold_the_exact_state_of_a_numeral_system() -> None:
    # Few symbols of one value: no word is spilled, so a lane is one exact integer.
    symbols = np.array([0, 3, 0, 0, 3, 3, 0, 3], np.int32)
    payload = encode_gaps(symbols)
    (block,) = gap_coding.read_blocks(payload, symbols.size)
    frequencies = [int(each) for each in block.gaps.frequency]
    gaps = [1, 2, 0, 1]
    for lane, mine in ((0, gaps[0::2]), (2, gaps[1::2])):
        start = int(block.states[lane])
        assert classes_of_state(start, len(mine), frequencies) == mine
        # The library's state starts at 2³¹ where the oracle's starts at 1.
        assert start > big_state(mine, frequencies)


def test_a_damaged_payload_is_refused_or_gives_symbols_in_bounds() -> None:
    symbols = sparse(3000, 0.1, 2)
    payload = encode_gaps(symbols)
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(300):
        damaged = bytearray(payload)
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        try:
            assert decode_gaps(bytes(damaged), symbols.size).size == symbols.size
        except CorruptBitstreamError:
            refused += 1
    assert refused > 290  # the final states are a check of their own


@pytest.mark.parametrize("cut", [0, 1, 10, 60, -1])
def test_a_truncated_payload_is_refused(cut: int) -> None:
    payload = encode_gaps(sparse(3000, 0.1, 2))
    with pytest.raises(CorruptBitstreamError):
        decode_gaps(payload[:cut], 3000)
