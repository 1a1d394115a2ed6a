import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cocodesign.compression.context_mixing import Layout, decode_mixed, encode_mixed

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 30))


def round_trip(symbols: np.ndarray, layout: Layout) -> tuple[np.ndarray, int]:
    largest = int(np.abs(symbols).max())
    payload = encode_mixed(symbols, layout, largest)
    return np.concatenate(list(decode_mixed(payload, layout, largest))), len(payload)


@settings(deadline=None)  # the first call compiles
@given(st.data())
def test_decodes_what_was_encoded(data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    elements = st.one_of(
        st.just(0), st.integers(-3, 3), st.integers(-(2**23) + 1, 2**23 - 1)
    )
    symbols = data.draw(arrays(np.int32, shape, elements=elements))
    layout = Layout(*shape, num_taps=data.draw(st.integers(1, 9)), tap_width=2)
    decoded, _ = round_trip(symbols, layout)
    assert decoded.tolist() == symbols.tolist()


@pytest.mark.parametrize("largest", [1, 2, 14, 15, 16, 17, 300])
def test_every_magnitude_around_the_switch_of_binarization(largest: int) -> None:
    symbols = np.arange(-largest, largest + 1, dtype=np.int32)[None].repeat(3, 0)
    decoded, _ = round_trip(symbols, Layout(*symbols.shape))
    assert decoded.tolist() == symbols.tolist()


@pytest.mark.slow
def test_many_rows_come_in_slabs() -> None:
    rng = np.random.default_rng(0)
    symbols = ((rng.random((700, 1000)) < 0.01) * 2).astype(np.int32)
    layout = Layout(700, 1000)
    slabs = list(decode_mixed(encode_mixed(symbols, layout, 2), layout, 2))
    assert len(slabs) == 3
    assert (np.concatenate(slabs) == symbols).all()


def test_empty_rows_and_columns_cost_almost_nothing() -> None:
    rng = np.random.default_rng(0)
    dense = rng.integers(-1, 2, (20, 20)).astype(np.int32)
    wide = np.zeros((400, 400), np.int32)
    wide[::20, ::20] = dense
    _, alone = round_trip(dense, Layout(20, 20))
    _, spread = round_trip(wide, Layout(400, 400))
    assert spread < alone + 2 * 400 * 0.4 / 8  # flags of density 0.05: 0.29 bits


def test_structure_beats_the_entropy_of_single_symbols() -> None:
    rng = np.random.default_rng(0)
    chance = rng.gamma(0.3, 1, (200, 1)) * rng.gamma(0.3, 1, (1, 300))
    symbols = (rng.random((200, 300)) < chance / chance.mean() / 20).astype(np.int32)
    p = symbols.mean()
    entropy_bytes = symbols.size * -(p * np.log2(p) + (1 - p) * np.log2(1 - p)) / 8
    _, length = round_trip(symbols, Layout(*symbols.shape))
    assert length < 0.8 * entropy_bytes
