"""A loopback HTTP server that answers as it is told, byte for byte, and remembers what it was asked."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from durably.client.clock import Clock

ARN = "arn:aws:lambda:us-west-2:123456789012:function:f:$LATEST/durable-execution/my-name/8f3c-1"


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        return self.target.split("?", 1)[0]

    @property
    def query(self) -> list[str]:
        return sorted(self.target.split("?", 1)[1].split("&")) if "?" in self.target else []


Scene = Callable[[socket.socket], bool]
"""Answers one request on a connection; False: the connection has ended."""


def raw(data: bytes, *, then_close: bool = False) -> Scene:
    def play(sock: socket.socket) -> bool:
        sock.sendall(data)
        return not then_close

    return play


def answer(status: int = 200, body: bytes = b"{}", *, headers: str = "", then_close: bool = False) -> Scene:
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nContent-Type: application/json\r\n{headers}\r\n"
    return raw(head.encode() + body, then_close=then_close)


def hang_up(sock: socket.socket) -> bool:
    return False


def reset(sock: socket.socket) -> bool:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


class SilentScene:
    """Never answers; ends when the server does."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, sock: socket.socket) -> bool:
        self.over.wait(60)
        return False


@dataclass
class ScriptedServer:
    """Plays one scene per request, in order, over however many connections the client makes."""

    scenes: list[Scene] = field(default_factory=list[Scene])
    default: Scene | None = None
    requests: list[Request] = field(default_factory=list[Request])
    connections: int = 0
    tls: ssl.SSLContext | None = None
    closed: threading.Event = field(default_factory=threading.Event)
    """Set whenever the server has closed a connection."""

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for scene in self.scenes:
            if isinstance(scene, SilentScene):
                scene.over.set()
        if isinstance(self.default, SilentScene):
            self.default.over.set()
        for sock in list(self._open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(60)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                number = self.connections
                self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock, number))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        buffer = b""
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            while True:
                request, buffer = _read(sock, buffer, number)
                if request is None:
                    return
                with self._lock:
                    turn = len(self.requests)
                    self.requests.append(request)
                    scene = self.scenes[turn] if turn < len(self.scenes) else self.default
                assert scene is not None, f"request {turn + 1} was not expected"
                if not scene(sock):
                    return
        except OSError:
            return
        finally:
            sock.close()
            self.closed.set()


def _read(sock: socket.socket, buffer: bytes, number: int) -> tuple[Request | None, bytes]:
    while b"\r\n\r\n" not in buffer:
        data = sock.recv(65536)
        if not data:
            return None, b""
        buffer += data
    head, _, rest = buffer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, target, version = lines[0].split(" ")
    assert version == "HTTP/1.1"
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        assert name.lower() not in headers, f"{name} was sent twice"
        headers[name.lower()] = value.strip()
    if headers.get("expect") == "100-continue":
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = int(headers.get("content-length", "0"))
    while len(rest) < length:
        rest += sock.recv(65536)
    return Request(method, target, headers, rest[:length], number), rest[length:]


class FakeClock(Clock):
    """Sleeps take no time and are remembered; the dice always fall on one half."""

    def __init__(self) -> None:
        self.seconds = 1_795_232_706.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.seconds += seconds

    def jitter(self) -> float:
        return 0.5

    def token(self) -> str:
        return "client-token-1"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No credentials, region, endpoint or proxy of the person who runs the tests."""
    import os

    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower() in ("https_proxy", "no_proxy", "requests_ca_bundle"):
            monkeypatch.delenv(name)
    nowhere = str(tmp_path_factory.getbasetemp() / "no-such-file")
    monkeypatch.setenv("AWS_CONFIG_FILE", nowhere)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-session/token==")
