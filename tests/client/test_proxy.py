"""HTTPS through a proxy that is really there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from durably.client import LambdaClient
from durably.client.proxy import proxy_for
from durably.client.urls import Endpoint
from durably.wire.api_errors import ApiError

from .conftest import ARN, FakeClock, ScriptedServer
from .test_tls import CERTIFICATE, secure

__all__ = ["secure"]


class ConnectProxy:
    """Passes bytes on after CONNECT, or answers with ``refusal``."""

    def __init__(self, refusal: bytes = b"") -> None:
        self.refusal = refusal
        self.heads: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(1)
            self.heads.append(head.decode())
            if self.refusal:
                sock.sendall(self.refusal)
                return
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as target:
                sock.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
                back = threading.Thread(target=_pump, args=(target, sock))
                back.start()
                _pump(sock, target)
                back.join()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(60)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for sock in (source, sink):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectProxy]:
    proxy = ConnectProxy()
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:p%40ss@127.0.0.1:{proxy.port}")
    yield proxy
    proxy.stop()


@pytest.mark.usefixtures("credentials")
def test_calls_go_through_the_proxy(
    secure: ScriptedServer, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(CERTIFICATE))
    client = LambdaClient(endpoint_url=secure.url)
    for _ in range(3):
        client.checkpoint(ARN, "t", [], None)
    client.close()
    assert len(secure.requests) == 3
    assert proxy.heads == [
        f"CONNECT localhost:{secure.port} HTTP/1.1\r\nHost: localhost:{secure.port}\r\n"
        "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n"
    ]


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("refusal", "complaint"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "refused with HTTP 407"),
        (b"SSH-2.0-x\r\n\r\n", "not an HTTP response"),
    ],
)
def test_a_proxy_that_refuses_is_named_without_its_password(
    secure: ScriptedServer, proxy: ConnectProxy, clock: FakeClock, refusal: bytes, complaint: str
) -> None:
    proxy.refusal = refusal
    client = LambdaClient(endpoint_url=secure.url, clock=clock, max_attempts=2)
    with pytest.raises(ApiError, match=complaint) as raised:
        client.checkpoint(ARN, "t", [], None)
    assert "p%40ss" not in str(raised.value)
    assert len(proxy.heads) == 2
    assert secure.connections == 0


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://p:3128"}, ("p", 3128)),
        ({"https_proxy": "p:3128", "HTTPS_PROXY": "http://other"}, ("p", 3128)),
        ({"HTTPS_PROXY": "http://p"}, ("p", 80)),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.com, amazonaws.com"}, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": ".us-east-1.amazonaws.com"}, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "lambda.us-east-1.amazonaws.com:443"}, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "azonaws.com,,lambda"}, ("p", 1)),
    ],
)
def test_the_environment_decides(environment: dict[str, str], expected: tuple[str, int] | None) -> None:
    found = proxy_for(environment, Endpoint.parse("https://lambda.us-east-1.amazonaws.com"))
    assert (found and (found.host, found.port)) == expected


def test_plain_http_is_never_proxied() -> None:
    environment = {"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://p:1", "http_proxy": "http://p:1"}
    assert proxy_for(environment, Endpoint.parse("http://127.0.0.1:9014")) is None


@pytest.mark.parametrize("url", ["socks5://user:secret@p:1", "https://user:secret@p:1", "http://user:secret@:x"])
def test_an_unusable_proxy_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="HTTPS_PROXY must be") as raised:
        proxy_for({"HTTPS_PROXY": url}, Endpoint.parse("https://e.com"))
    assert "secret" not in str(raised.value)


def test_credentials_with_stray_percent_signs_are_taken_literally() -> None:
    found = proxy_for({"HTTPS_PROXY": "http://u%:50%zz%C3%BC@p:1"}, Endpoint.parse("https://e.com"))
    assert found is not None
    assert found.authorization == "dSU6NTAlenrDvA=="
