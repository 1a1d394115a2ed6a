import numpy as np
import pytest

from cocodesign.microbatch.algorithms.toom_cook import minimal_filter

SIZES = [(2, 3), (4, 3), (6, 3), (2, 5), (4, 5), (1, 1), (1, 4), (4, 1), (3, 2)]


@pytest.mark.parametrize(("num_outputs", "num_taps"), SIZES)
def test_equals_the_correlation_it_replaces(num_outputs, num_taps):
    rng = np.random.default_rng(0)
    f = minimal_filter(num_outputs, num_taps)
    d, g = rng.normal(size=f.tile_size), rng.normal(size=num_taps)
    y = f.output_matrix.T @ ((f.filter_matrix @ g) * (f.input_matrix @ d))
    expected = [float(d[i : i + num_taps] @ g) for i in range(num_outputs)]
    assert y == pytest.approx(expected, abs=1e-10)


def test_larger_tiles_amplify_errors_more():
    small, large = minimal_filter(2, 3), minimal_filter(4, 3)
    for less, more in zip(small.amplification(), large.amplification(), strict=True):
        assert 1 < less < more
    assert minimal_filter(1, 1).amplification() == (1, 1, 1)


def test_refuses_tiles_without_enough_points():
    with pytest.raises(ValueError, match="sum is at most 9"):
        minimal_filter(6, 4)
