"""A cache for every test, a server that misbehaves, programs that pretend."""

import gzip
import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cocodesign.data import DatasetManifest
from cocodesign.data.manifest import DataFile
from cocodesign.data.sources import Source, UrlSource

CONTENTS = {
    "first.bin": bytes(range(256)) * 300,
    "folder/second.txt": b"a second file\n" * 50,
}


@dataclass
class Answer:
    """How the server answers one path: in full, unless told otherwise."""

    body: bytes
    status: int = 200
    stated_bytes: int | None = None  # Content-Length, if it should lie
    sent_bytes: int | None = None  # close the connection after these
    pause_s: float = 0.0  # before every piece of 1 KiB


@dataclass
class Server:
    """A web server on this machine."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)

    def serve(
        self, contents: Mapping[str, bytes], *, zipped: bool = False
    ) -> UrlSource:
        """Serve files, compressed if wished, and return the source that names them."""
        for name, content in contents.items():
            self.answers[f"/{name}"] = Answer(
                gzip.compress(content) if zipped else content
            )
        members = {name: f"{self.url}/{name}" for name in contents}
        return UrlSource(members, "gzip" if zipped else "none")


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache that the test's processes use."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("COCODESIGN_DATA", str(folder))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server without any file."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.requests[self.path] += 1
            answer = running.answers.get(self.path, Answer(b"", status=404))
            size = (
                len(answer.body) if answer.stated_bytes is None else answer.stated_bytes
            )
            self.send_response(answer.status)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            body = answer.body[: answer.sent_bytes]
            try:
                for start in range(0, len(body), 1024):
                    time.sleep(answer.pause_s)
                    self.wfile.write(body[start : start + 1024])
            except ConnectionError:
                pass  # the client was killed, as some tests intend

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        running = Server(f"http://127.0.0.1:{listening.server_port}")
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        yield running
        listening.shutdown()
        thread.join()


@pytest.fixture
def contents() -> dict[str, bytes]:
    """The files of the toy data set."""
    return dict(CONTENTS)


@pytest.fixture
def make_file() -> Callable[[str, bytes], DataFile]:
    """Return a function that describes a file by its content."""
    return _make_file


@pytest.fixture
def make_manifest() -> Callable[..., DatasetManifest]:
    """Return a function that describes a data set by its sources and contents."""

    def make(
        *sources: Source, contents: Mapping[str, bytes] = CONTENTS
    ) -> DatasetManifest:
        return DatasetManifest(
            name="toy",
            title="A toy",
            licence="CC0-1.0",
            homepage="https://example.org/toy",
            files=tuple(_make_file(name, value) for name, value in contents.items()),
            sources=sources,
        )

    return make


@pytest.fixture
def install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """Put a shell script on the path under a program's name, before all others."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name: str, script: str) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return put


def _make_file(name: str, content: bytes) -> DataFile:
    return DataFile(name, len(content), hashlib.sha256(content).hexdigest())
