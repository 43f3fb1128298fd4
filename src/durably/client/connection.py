"""One HTTP/1.1 connection on a bare socket.

A checkpoint is a POST of some hundred bytes answered by as many; ``http.client`` spends more processor time on its
header objects and file wrappers than the whole rest of the call takes. What a client needs of HTTP/1.1 is small:
status line, headers, and a body that is counted, chunked, or ends with the connection.
"""

from __future__ import annotations

import os
import select
import socket
from typing import Any, Final, NamedTuple

from .proxy import Proxy
from .urls import Endpoint

__all__ = ["Connection", "ConnectionLost", "Response"]

_MAX_HEAD: Final = 64 * 1024
_CHUNK: Final = 64 * 1024


class Response(NamedTuple):
    """Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class ConnectionLost(OSError):
    """The connection ended or broke before a whole response. ``untouched``: not one byte of it had arrived."""

    def __init__(self, reason: str, *, untouched: bool) -> None:
        super().__init__(reason)
        self.untouched = untouched


class Connection:
    """Connects when made. Not thread-safe: a pool hands it to one thread at a time.

    Parameters:
        connect_timeout, read_timeout: seconds, as botocore's: the latter holds for each receive.
    """

    __slots__ = ("_buffer", "_poll", "_sock", "exchanges", "idle_since", "reusable")

    def __init__(
        self,
        endpoint: Endpoint,
        connect_timeout: float | None,
        read_timeout: float | None,
        proxy: Proxy | None = None,
    ) -> None:
        first = endpoint if proxy is None else proxy
        sock = socket.create_connection((first.host, first.port), timeout=connect_timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if proxy is not None:
                _pass_through(sock, proxy, endpoint)
            if endpoint.secure:
                sock = _tls_context().wrap_socket(sock, server_hostname=endpoint.host)
            sock.settimeout(read_timeout)
        except BaseException:
            sock.close()
            raise
        self._sock: socket.socket = sock
        self._buffer = b""
        self._poll: Any = None
        self.exchanges: int = 0
        self.reusable: bool = True
        self.idle_since: float = 0.0

    def is_quiet(self) -> bool:
        """False when the server has closed (or said something unasked) while nobody looked."""
        if self._poll is None:
            if hasattr(select, "poll"):
                self._poll = select.poll()
                self._poll.register(self._sock, select.POLLIN | select.POLLHUP | select.POLLERR)
            else:
                return not select.select([self._sock], [], [], 0)[0]
        return not self._poll.poll(0)

    def exchange(self, request: bytes, *, read_timeout: float | None = None) -> Response:
        """Send ``request`` and read the response to it. After an exception the connection is of no more use."""
        self.reusable = False
        self.exchanges += 1
        if read_timeout is not None:
            self._sock.settimeout(read_timeout)
        try:
            self._sock.sendall(request)
        except TimeoutError:
            raise
        except OSError as exc:
            raise ConnectionLost(f"connection lost while sending: {exc}", untouched=True) from exc
        while True:
            head = self._read_head()
            status, version, headers = _parse_head(head)
            if status >= 200:
                break
        body, delimited = self._read_body(status, headers)
        connection = headers.get("connection", "").lower()
        self.reusable = (
            delimited
            and not self._buffer
            and "close" not in connection
            and (version != "HTTP/1.0" or "keep-alive" in connection)
        )
        return Response(status, headers, body)

    def close(self) -> None:
        self.reusable = False
        self._sock.close()

    def __del__(self) -> None:
        # A forgotten client is nobody's mistake: no ResourceWarning for what was idle in it.
        sock = getattr(self, "_sock", None)
        if sock is not None:
            sock.close()

    # ---- reading ----------------------------------------------------------------------------------------

    def _receive(self, *, untouched: bool = False) -> bytes:
        """More bytes; raises when there are none."""
        try:
            data = self._sock.recv(_CHUNK)
        except TimeoutError:
            raise
        except OSError as exc:
            raise ConnectionLost(f"connection lost: {exc}", untouched=untouched) from exc
        if not data:
            raise ConnectionLost("the server closed the connection before answering", untouched=untouched)
        return data

    def _read_head(self) -> str:
        buffer = self._buffer
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            if len(buffer) > _MAX_HEAD:
                raise ConnectionLost("the response's header is longer than 64 KiB", untouched=False)
            buffer += self._receive(untouched=not buffer)
        self._buffer = buffer[end + 4 :]
        return buffer[:end].decode("latin-1")

    def _read_body(self, status: int, headers: dict[str, str]) -> tuple[bytes, bool]:
        """The body, and whether its end was marked (else the connection's end was its end)."""
        if status in (204, 304):
            return b"", True
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._read_chunks(), True
        length = headers.get("content-length")
        if length is not None:
            if not (length.isascii() and length.isdigit()):
                raise ConnectionLost(f"malformed Content-Length {length!r}", untouched=False)
            return self._take(int(length)), True
        parts = [self._buffer]
        self._buffer = b""
        while True:
            try:
                parts.append(self._receive())
            except ConnectionLost as exc:
                if exc.__cause__ is not None:
                    raise
                return b"".join(parts), False

    def _read_chunks(self) -> bytes:
        parts: list[bytes] = []
        while True:
            line = self._read_line().split(b";", 1)[0].strip()
            try:
                size = int(line, 16)
                if size < 0:
                    raise ValueError(size)
            except ValueError:
                raise ConnectionLost(f"malformed chunk size {line[:40]!r}", untouched=False) from None
            if size == 0:
                while self._read_line():
                    pass  # trailers
                return b"".join(parts)
            parts.append(self._take(size))
            if self._take(2) != b"\r\n":
                raise ConnectionLost("malformed chunk", untouched=False)

    def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _MAX_HEAD:
                raise ConnectionLost("a line of the response is longer than 64 KiB", untouched=False)
            self._buffer += self._receive()
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _take(self, size: int) -> bytes:
        have = self._buffer
        if len(have) >= size:
            self._buffer = have[size:]
            return have[:size]
        parts = [have]
        missing = size - len(have)
        while missing > 0:
            data = self._receive()
            parts.append(data)
            missing -= len(data)
        whole = b"".join(parts)
        self._buffer = whole[size:]
        return whole[:size]


def _parse_head(head: str) -> tuple[int, str, dict[str, str]]:
    lines = head.split("\r\n")
    version, _, rest = lines[0].partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not code.isdigit():
        raise ConnectionLost(f"not an HTTP response: {lines[0][:80]!r}", untouched=False)
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(code), version, headers


def _pass_through(sock: socket.socket, proxy: Proxy, endpoint: Endpoint) -> None:
    """Have the proxy connect on. It says nothing more than a header before the other side speaks."""
    sock.sendall(proxy.connect_request(endpoint))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = sock.recv(1)
        if not data or len(head) > _MAX_HEAD:
            raise ConnectionLost(f"the proxy {proxy.shown} closed the connection", untouched=False)
        head += data
    status, _, _ = _parse_head(head[:-4].decode("latin-1"))
    if status != 200:
        raise ConnectionLost(f"the proxy {proxy.shown} refused with HTTP {status}", untouched=False)


_context: Any = None


def _tls_context() -> Any:
    """One context for the process, made when first needed: loading the authorities takes milliseconds."""
    global _context
    if _context is None:
        import ssl

        bundle = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or None
        if bundle is None:
            known = ssl.get_default_verify_paths()
            if known.cafile is None and known.capath is None:
                bundle = _bundled_authorities()
        _context = ssl.create_default_context(cafile=bundle)
        _context.set_alpn_protocols(["http/1.1"])
    return _context


def _bundled_authorities() -> str | None:
    """For Pythons built to look for authorities where this machine has none."""
    from importlib import import_module

    try:
        return str(import_module("certifi").where())
    except ImportError:
        return None
