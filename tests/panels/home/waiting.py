"""Waiting for what another process does."""

import time
from collections.abc import Callable

_PATIENCE_S = 30.0


def until(condition: Callable[[], object], limit_s: float = _PATIENCE_S) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
