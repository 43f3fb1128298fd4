"""The fake service behind HTTP (or HTTPS) in a process of its own, so that its work is not counted as a client's.

It speaks enough of the API for the two calls of a running function, wants them signed, and is kept small so that
it is never the slower end. As a program it serves one execution after another: a call with the first token of the
chain begins a new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

CREDENTIALS = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "session-token-as-lambda-has-one",
}


class Loopback:
    """A running server. ``environment`` is what a client's process needs to reach it, credentials included."""

    def __init__(self, url: str, authority: str | None) -> None:
        self.url = url
        self.environment = CREDENTIALS | {"AWS_ENDPOINT_URL_LAMBDA": url}
        if authority:
            self.environment["AWS_CA_BUNDLE"] = authority


@contextlib.contextmanager
def serve(*, tls: bool = False) -> Iterator[Loopback | None]:
    """Run the server for the duration of the block. None: TLS was asked for and there is no ``openssl`` here."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        authority = _certificate(Path(directory)) if tls else None
        if tls and authority is None:
            yield None
            return
        arguments = [sys.executable, __file__, *([str(authority)] if authority else [])]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        assert process.stdout is not None
        stack.callback(process.stdout.close)
        port = int(process.stdout.readline())
        yield Loopback(f"{'https' if tls else 'http'}://localhost:{port}", str(authority) if authority else None)


def _certificate(directory: Path) -> Path | None:
    if shutil.which("openssl") is None:
        return None
    both = directory / "localhost.pem"
    key = directory / "key.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext {names}".split()
    subprocess.run([*command, "-keyout", str(key), "-out", str(both)], check=True, capture_output=True)
    both.write_text(both.read_text() + key.read_text())
    return both


# ---- the server's process -------------------------------------------------------------------------------


class Server:
    def __init__(self, certificate: str | None) -> None:
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        from support.fake_service import FakeService

        self._new = lambda: FakeService({"steps": 1}, time.time)
        self._service = self._new()
        self._context: ssl.SSLContext | None = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)

    def run(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context:
            connection = self._context.wrap_socket(connection, server_side=True)
        with connection:
            buffer = b""
            while True:
                while b"\r\n\r\n" not in buffer:
                    data = connection.recv(65536)
                    if not data:
                        return
                    buffer += data
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                request, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                length = int(headers.get("content-length", 0))
                while len(buffer) < length:
                    buffer += connection.recv(65536)
                body, buffer = buffer[:length], buffer[length:]
                status, answer = self._answer(request, headers, body)
                content = json.dumps(answer, separators=(",", ":")).encode()
                connection.sendall(
                    (
                        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
                        "x-amzn-RequestId: 5f0c0b4e-0000-4000-8000-000000000002\r\n\r\n"
                    ).encode()
                    + content
                )

    def _answer(self, request: str, headers: dict[str, str], body: bytes) -> tuple[str, dict[str, Any]]:
        method, target, _ = request.split(" ")
        parts = target.partition("?")[0].split("/")
        signed = headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        if not signed or "x-amz-security-token" not in headers:
            return "403 Forbidden", {"Type": "User", "Message": "the request is not signed"}
        if method != "POST" or parts[-1] != "checkpoint":
            return "404 Not Found", {"Type": "User", "Message": f"no such call: {request}"}
        parameters = json.loads(body)
        if parameters["CheckpointToken"] == "token+00000000":
            self._service = self._new()
        try:
            changed = self._service.checkpoint(unquote(parts[-2]), parameters["CheckpointToken"], parameters["Updates"])
        except AssertionError as error:
            return "400 Bad Request", {"Type": "User", "Message": str(error)}
        return "200 OK", {"CheckpointToken": self._service.token, "NewExecutionState": {"Operations": changed}}


if __name__ == "__main__":
    try:
        Server(sys.argv[1] if len(sys.argv) > 1 else None).run()
    except KeyboardInterrupt:
        os._exit(0)
