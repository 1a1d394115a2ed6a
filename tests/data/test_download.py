"""A server that misbehaves, seen from the reading side."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from cocodesign.data.download import open_url
from cocodesign.errors import DataUnavailableError


def read_all(url, connect_s=5.0, silence_s=5.0):
    seen = []
    with open_url(
        url,
        connect_s=connect_s,
        silence_s=silence_s,
        on_bytes=lambda *report: seen.append(report),
    ) as stream:
        pieces = b""
        while piece := stream.read(4096):
            pieces += piece
    return pieces, seen


def test_returns_the_body_and_reports_its_growth(server):
    body = bytes(range(256)) * 40
    server.serve({"a": body})
    pieces, seen = read_all(f"{server.url}/a")
    assert pieces == body
    assert seen[0] == (4096, len(body))
    assert seen[-1] == (len(body), len(body))


def test_half_a_body_is_an_error(server):
    server.serve({"a": bytes(10_000)})
    server.answers["/a"].sent_bytes = 5_000
    with pytest.raises(DataUnavailableError, match="5000 of 10000 bytes"):
        read_all(f"{server.url}/a")


def test_a_missing_page_is_an_error(server):
    with pytest.raises(DataUnavailableError, match="answered 404"):
        read_all(f"{server.url}/nothing")


def test_a_server_that_falls_silent_is_given_up(server):
    server.serve({"a": bytes(10_000)})
    server.answers["/a"].pause_s = 0.6
    with pytest.raises(
        DataUnavailableError, match="broke off after 0 bytes: timed out"
    ):
        read_all(f"{server.url}/a", silence_s=0.1)


def test_a_closed_port_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(DataUnavailableError, match="not reached"):
        read_all(f"http://127.0.0.1:{port}/a")


def test_a_host_behind_a_wall_is_given_up_soon_however_many_addresses_it_has(
    monkeypatch,
):
    # A listener that accepts nobody drops what does not fit into its queue.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as wall:
        place = wall.getsockname()
        entry = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [entry] * 8)
        waiting = [socket.create_connection(place)]
        started = time.monotonic()
        with pytest.raises(DataUnavailableError, match="not reached: timed out"):
            read_all(f"http://many.example:{place[1]}/a", connect_s=0.3)
        assert 0.25 < time.monotonic() - started < 2
        for connection in waiting:
            connection.close()


def test_a_certificate_counts_only_if_the_system_trusts_it(tmp_path, monkeypatch):
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=here"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", "key.pem", "-out", "certificate.pem"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    certificate = str(tmp_path / "certificate.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, tmp_path / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            connection, _ = listening.accept()
            with (
                contextlib.suppress(ssl.SSLError),  # the client hung up
                context.wrap_socket(connection, server_side=True) as secured,
            ):
                secured.recv(4096)
                secured.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")

        url = f"https://127.0.0.1:{listening.getsockname()[1]}/a"
        for trusted in (None, certificate):
            thread = threading.Thread(target=answer)
            thread.start()
            if trusted is None:
                with pytest.raises(DataUnavailableError, match="self-signed"):
                    read_all(url)
            else:
                monkeypatch.setenv("SSL_CERT_FILE", trusted)
                assert read_all(url)[0] == b"hello"
            thread.join()


def test_something_else_than_a_web_server_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet():
            connection, _ = listening.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"220 mail ready\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(DataUnavailableError, match="220 mail"):
            read_all(f"http://127.0.0.1:{listening.getsockname()[1]}/a")
        thread.join()
