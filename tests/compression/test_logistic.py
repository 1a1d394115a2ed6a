import math

import numpy as np

from cocodesign.compression.logistic import (
    PRECISION_BITS,
    STRETCH_LIMIT,
    squash_table,
    stretch_table,
)


def test_squash_is_the_logistic_curve() -> None:
    table = squash_table()
    for stretch in range(-STRETCH_LIMIT, STRETCH_LIMIT + 1, 37):
        exact = 65536 / (1 + math.exp(-stretch / 256))
        assert abs(table[stretch + STRETCH_LIMIT] - exact) <= 1


def test_squash_is_symmetric_and_never_certain() -> None:
    table = squash_table()
    assert (table + table[::-1] == 1 << PRECISION_BITS).all()
    assert table.min() == 1
    assert (np.diff(table) >= 0).all()


def test_stretch_undoes_squash() -> None:
    stretched, squashed = stretch_table(), squash_table()
    assert (np.diff(stretched.astype(int)) >= 0).all()
    probabilities = np.arange(1, 1 << PRECISION_BITS)
    again = squashed[stretched[probabilities].astype(int) + STRETCH_LIMIT]
    # Where the curve is steep the stretch's step is coarser than the probability's.
    slope = probabilities * (65536.0 - probabilities) / 65536 / 256
    assert (np.abs(again - probabilities) <= 1 + slope).all()
