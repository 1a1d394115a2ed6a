"""Requests that a run should stop: signals, or the loss of its lease."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class StopRequests:
    """What asked a run to stop, since it began.

    Attributes:
        reasons: The requests in the order of their arrival, signals by their number.
        notify: Called after each, in any thread; set by whoever waits for them.
    """

    def __init__(self) -> None:
        self.reasons: list[signal.Signals | str] = []
        self.notify: Callable[[], None] | None = None

    def request(self, reason: signal.Signals | str) -> None:
        """Ask the run to stop; a second time, to stop at once.

        Args:
            reason: A signal, or a sentence to follow "stopped:".
        """
        self.reasons.append(reason)
        if self.notify:
            self.notify()

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM for requests instead of their usual effect.

        Python hands signals to the main thread only; in another one nothing changes.
        A signal that is ignored, as a shell does for background jobs, stays ignored.

        Yields:
            Nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _NUMBERS}
        for number in (n for n in _NUMBERS if before[n] is not signal.SIG_IGN):
            signal.signal(number, self._arrived)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.request(signal.Signals(number))
