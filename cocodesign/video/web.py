"""The watch as a local web page: live frames with boxes, alarms, latency."""

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import urlsplit

from cocodesign.video.alarms import Alarm
from cocodesign.video.drawing import draw_frame
from cocodesign.video.streams import Notice
from cocodesign.video.watching import WatchedFrame

_KEPT_MESSAGES = 100
_PICTURE_INTERVAL_S = 0.1
_STATUS_INTERVAL_S = 1.0
_LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


class WebView:
    """Serves one page to browsers while the watch goes on.

    Frames are drawn only while a browser looks at them, in the browser's own thread,
    and only the newest one: a slow browser slows nothing down.

    Args:
        sources: The streams that will be shown.
        host: The address to listen on; others than ``127.0.0.1`` show the cameras to
            everybody who can reach it.
        port: The port; 0 takes a free one.

    Raises:
        OSError: If the address is taken or is none of this machine.
    """

    def __init__(
        self, sources: Sequence[str], *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._board = _Board(tuple(sources), is_local=host in _LOCAL_NAMES)
        self._server = _Server((host, port), self._board)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="web page", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/"

    def show(self, event: WatchedFrame | Notice) -> None:
        """Show what the watch yields.

        Args:
            event: A frame or a notice.
        """
        self._board.put(event)

    def close(self) -> None:
        """Stop serving; open pages say so."""
        self._board.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "WebView":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Board:
    """What all browsers look at: the newest frames and messages."""

    def __init__(self, sources: tuple[str, ...], *, is_local: bool) -> None:
        self.sources = sources
        self.is_local = is_local
        self.is_closed = False
        self.changed = threading.Condition()
        self.newest: dict[str, WatchedFrame] = {}
        self._messages: deque[tuple[int, str]] = deque(maxlen=_KEPT_MESSAGES)
        self._num_messages = 0

    def put(self, event: WatchedFrame | Notice) -> None:
        with self.changed:
            if isinstance(event, Notice):
                self._add("notice", json.dumps(vars(event)))
            else:
                self.newest[event.source] = event
                for alarm in event.alarms:
                    self._add("alarm", _alarm_message(alarm))
            self.changed.notify_all()

    def close(self) -> None:
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()

    def messages_after(self, number: int) -> list[tuple[int, str]]:
        with self.changed:
            return [each for each in self._messages if each[0] > number]

    def status(self) -> str:
        with self.changed:
            return json.dumps(
                [
                    {"index": index, "source": source, "caption": self._caption(source)}
                    for index, source in enumerate(self.sources)
                ]
            )

    def _caption(self, source: str) -> str:
        newest = self.newest.get(source)
        if newest is None:
            return f"{source}: no frame yet"
        judgement = newest.judgement
        score = "learning" if judgement is None else f"score {judgement.score:.2f}"
        return (
            f"{source} · {newest.moment.time_s:.1f} s · "
            f"{len(newest.moment.tracks)} objects · {score} · "
            f"{newest.latency_ms:.0f} ms · {newest.num_dropped} dropped"
        )

    def _add(self, kind: str, data: str) -> None:
        self._num_messages += 1
        self._messages.append((self._num_messages, f"event: {kind}\ndata: {data}\n\n"))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], board: _Board) -> None:
        self.board = board
        super().__init__(address, _Page)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: browsers leave in the middle of a picture all the time."""


class _Page(BaseHTTPRequestHandler):
    @property
    def board(self) -> _Board:
        assert isinstance(self.server, _Server)
        return self.server.board

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if not self._is_allowed():
            self.send_error(403, "this page is for the machine it runs on")
        elif path == "/":
            page = files("cocodesign.video").joinpath("page.html").read_bytes()
            self._head("text/html; charset=utf-8", length=len(page))
            self.wfile.write(page)
        elif path == "/events":
            self._head("text/event-stream")
            self._send_events()
        elif path.startswith("/frames/"):
            self._send_frames(path.removeprefix("/frames/"))
        else:
            self.send_error(404)

    def log_message(self, format: str, *_: object) -> None:
        """Keep requests off the terminal."""

    def _is_allowed(self) -> bool:
        """Refuse a foreign site that made its own name point to this machine."""
        if not self.board.is_local:
            return True
        return urlsplit(f"//{self.headers.get('Host', '')}").hostname in _LOCAL_NAMES

    def _head(self, content_type: str, *, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send_events(self) -> None:
        board, last = self.board, 0
        while not board.is_closed:
            for number, message in board.messages_after(last):
                self.wfile.write(message.encode())
                last = number
            self.wfile.write(f"event: status\ndata: {board.status()}\n\n".encode())
            self.wfile.flush()
            time.sleep(_STATUS_INTERVAL_S)

    def _send_frames(self, index: str) -> None:
        board = self.board
        if not index.isdecimal() or int(index) >= len(board.sources):
            self.send_error(404)
            return
        source = board.sources[int(index)]
        self._head("multipart/x-mixed-replace; boundary=frame")
        shown: WatchedFrame | None = None
        while not board.is_closed:
            newest = board.newest.get(source)
            if newest is None or newest is shown:
                with board.changed:
                    board.changed.wait(1.0)
                continue
            shown = newest
            picture = draw_frame(newest.frame, newest.moment.tracks, _strange(newest))
            self.wfile.write(
                b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "
                + str(len(picture)).encode()
                + b"\r\n\r\n"
                + picture
                + b"\r\n"
            )
            time.sleep(_PICTURE_INTERVAL_S)


def _strange(watched: WatchedFrame) -> tuple:
    judgement = watched.judgement
    if judgement is None:
        return ()
    return tuple(each for each in judgement.findings if each.score > 1)


def _alarm_message(alarm: Alarm) -> str:
    picture = base64.b64encode(alarm.thumbnail).decode()
    content = json.loads(alarm.to_json())
    return json.dumps({**content, "picture": f"data:image/jpeg;base64,{picture}"})
