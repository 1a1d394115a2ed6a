import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocodesign.compression.binary_coder import (
    NUM_FIELDS,
    code_bit,
    finish_encoder,
    start_decoder,
    start_encoder,
)
from tests.references.big_int_coder import BigIntEncoder

DECISIONS = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 65535)), max_size=300)


def encode(bits: list[int], probabilities: list[int]) -> bytes:
    state = np.zeros(NUM_FIELDS, np.int64)
    buffer = np.zeros(2 * len(bits) + 16, np.uint8)
    start_encoder(state)
    for bit, probability in zip(bits, probabilities, strict=True):
        code_bit(state, buffer, bit, probability)
    return buffer[: finish_encoder(state, buffer)].tobytes()


def decode(stream: bytes, probabilities: list[int]) -> list[int]:
    state = np.zeros(NUM_FIELDS, np.int64)
    buffer = np.frombuffer(stream, np.uint8).copy()
    start_decoder(state, buffer)
    return [code_bit(state, buffer, 0, each) for each in probabilities]


@settings(deadline=None)  # the first call compiles
@given(DECISIONS)
def test_the_stream_is_a_number_in_the_exact_interval_and_decodes(decisions) -> None:
    bits, probabilities = [b for b, _ in decisions], [p for _, p in decisions]
    stream = encode(bits, probabilities)
    oracle = BigIntEncoder()
    for bit, probability in decisions:
        oracle.encode(bit, probability)
    assert oracle.contains(stream)
    assert decode(stream, probabilities) == bits


@pytest.mark.parametrize("probability", [1, 65535])
def test_carries_run_through_long_chains(probability: int) -> None:
    rng = np.random.default_rng(0)
    for num_bits in range(1, 200, 7):
        bits = rng.integers(0, 2, num_bits).tolist()
        probabilities = [probability] * num_bits
        assert decode(encode(bits, probabilities), probabilities) == bits


def test_costs_what_the_probabilities_say() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.integers(1, 65536, 20_000)
    bits = (rng.integers(0, 65536, 20_000) < probabilities).astype(int)
    chances = np.where(bits, probabilities, 65536 - probabilities) / 65536
    ideal_bytes = -np.log2(chances).sum() / 8
    assert len(encode(bits.tolist(), probabilities.tolist())) <= math.ceil(
        1.0005 * ideal_bytes + 2
    )


def test_ends_without_bytes_that_the_decoder_supplies() -> None:
    assert encode([], []) == b""
    assert len(encode([0], [32768])) <= 1
