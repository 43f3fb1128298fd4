"""A proxy in front of a service that loses what is said through it, now and then."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import threading
from collections import Counter
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

__all__ = ["FATES", "LossyProxy"]

FATES: Final = ("answer lost", "answer cut", "request lost", "delivered twice", "repeated late")
"""What becomes of a checkpoint that does not simply arrive."""
_HOP: Final = ("connection", "keep-alive", "transfer-encoding", "content-length", "host")


class LossyProxy:
    """Parameters:
    share: of the checkpoints that meet one of ``fates``.
    """

    def __init__(self, port: int, seed: int, share: float, fates: Sequence[str] = FATES) -> None:
        self._port = port
        self._dice = random.Random(seed)
        self._share = share
        self._fates = fates
        self._lock = threading.Lock()
        self.met: Counter[str] = Counter()
        self._late: list[threading.Thread] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                proxy._pass_on(self)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> LossyProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for repetition in self._late:
            repetition.join()

    def _fate(self, path: str) -> str:
        if not path.endswith("/checkpoint"):
            return "arrives"
        with self._lock:
            fate = self._dice.choice(self._fates) if self._dice.random() < self._share else "arrives"
            self.met[fate] += 1
        return fate

    def _pass_on(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        fate = self._fate(request.path.partition("?")[0])
        if fate == "request lost":
            return self._hang_up(request)
        if fate == "delivered twice":
            self._deliver(request, body)
        status, headers, answer = self._deliver(request, body)
        if fate == "answer lost":
            return self._hang_up(request)
        request.send_response_only(status)
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        if fate == "answer cut":
            request.wfile.write(answer[: len(answer) // 2])
            return self._hang_up(request)
        request.wfile.write(answer)
        if fate == "repeated late":
            repetition = threading.Timer(0.3, self._deliver_late, (request, body))
            self._late.append(repetition)
            repetition.start()
        return None

    def _deliver(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
            connection.request(request.command, request.path, body, headers)
            response = connection.getresponse()
            answer = response.read()
            kept = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP]
            return response.status, kept, answer
        finally:
            connection.close()

    def _deliver_late(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # nobody is there any more
            self._deliver(request, body)

    def _hang_up(self, request: BaseHTTPRequestHandler) -> None:
        request.wfile.flush()
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)
