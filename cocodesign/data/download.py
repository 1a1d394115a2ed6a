"""Reading an address of the web as a stream."""

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from importlib.metadata import version

from cocodesign.errors import DataUnavailableError

_ATTEMPT_S = 4.0  # for one address of a host


class Download:
    """The body of an answer; it raises if the answer ends before its stated length.

    Args:
        response: The answer, read from its beginning.
        on_bytes: Called after each piece with the bytes so far and, if the server
            stated it, the length of the whole.
    """

    def __init__(
        self, response: HTTPResponse, on_bytes: Callable[[int, int | None], None]
    ) -> None:
        self._response = response
        self._on_bytes = on_bytes
        self._done_bytes = 0
        stated = response.headers.get("Content-Length", "")
        self._total_bytes = int(stated) if stated.isdecimal() else None

    def read(self, size: int = -1, /) -> bytes:
        """Return the next piece of the body, nothing at its end.

        Args:
            size: The most bytes to return; everything if negative.

        Returns:
            The piece.

        Raises:
            DataUnavailableError: If the connection broke, or nothing arrived within
                the time limit.
        """
        try:
            piece = self._response.read(size if size >= 0 else None)
        except (OSError, HTTPException) as error:
            raise DataUnavailableError(
                f"broke off after {self._done_bytes} bytes: {error or repr(error)}"
            ) from error
        self._done_bytes += len(piece)
        total = self._total_bytes
        # http.client is silent about a connection that closed too early.
        if not piece and total is not None and self._done_bytes < total:
            raise DataUnavailableError(
                f"broke off after {self._done_bytes} of {total} bytes"
            )
        self._on_bytes(self._done_bytes, total)
        return piece


@contextmanager
def open_url(
    url: str,
    *,
    connect_s: float,
    silence_s: float,
    on_bytes: Callable[[int, int | None], None],
) -> Iterator[Download]:
    """Open an address; proxies are taken from the environment as usual.

    Args:
        url: An ``http`` or ``https`` address.
        connect_s: The longest wait for a connection, over all addresses of the host.
        silence_s: The longest wait for each piece of the answer.
        on_bytes: See ``Download``.

    Yields:
        The body.

    Raises:
        DataUnavailableError: If the server cannot be reached or does not answer
            with the file.
    """
    request = urllib.request.Request(
        url, headers={"User-Agent": f"cocodesign/{version('cocodesign')}"}
    )
    opener = urllib.request.build_opener(_Http(connect_s), _Https(connect_s))
    try:
        response = opener.open(request, timeout=silence_s)
    except urllib.error.HTTPError as error:
        error.close()
        raise DataUnavailableError(f"answered {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DataUnavailableError(f"not reached: {reason or repr(error)}") from error
    with response:
        yield Download(response, on_bytes)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, connect_s: float) -> None:
        super().__init__()
        self._connect_s = connect_s

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_limited(HTTPConnection, self._connect_s), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, connect_s: float) -> None:
        super().__init__()
        self._connect_s = connect_s

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_limited(HTTPSConnection, self._connect_s), req)


def _limited(
    kind: type[HTTPConnection], connect_s: float
) -> Callable[..., HTTPConnection]:
    """Return a maker of connections that do not wait ``connect_s`` per address.

    A firewall that drops packets would otherwise cost the time limit once for each of
    the eight or more addresses that a large host has.
    """

    def connect(
        address: tuple[str, int], timeout: float, source_address: None
    ) -> socket.socket:
        assert source_address is None
        return _connect(address, connect_s=connect_s, silence_s=timeout)

    def make(host: str, *, timeout: float) -> HTTPConnection:
        connection = kind(host, timeout=timeout)
        # The one place where http.client lets a socket be made differently.
        connection._create_connection = connect  # pyright: ignore[reportAttributeAccessIssue]
        return connection

    return make


def _connect(
    address: tuple[str, int], *, connect_s: float, silence_s: float
) -> socket.socket:
    """Connect to the first address of a host that answers in time."""
    deadline = time.monotonic() + connect_s
    failure = TimeoutError("timed out")
    for family, kind, protocol, _, place in socket.getaddrinfo(
        *address, type=socket.SOCK_STREAM
    ):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            break
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(min(left_s, _ATTEMPT_S))
            connected.connect(place)
        except OSError as error:
            connected.close()
            failure = error
        else:
            connected.settimeout(silence_s)
            return connected
    raise failure
