"""The server's side of the Lambda Runtime API: just enough HTTP for the runtime clients of all languages.

Each worker process has a listening port of its own: the clients accept no path prefix, so the port is the only
thing that tells one process from another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final, Protocol, cast

import httptools

from durably.wire.limits import MAX_LAMBDA_RESPONSE

__all__ = ["MAX_RESPONSE_BYTES", "Connection", "Endpoint"]

MAX_RESPONSE_BYTES: Final = MAX_LAMBDA_RESPONSE

_log: Final = logging.getLogger("durably.workers")
_ROOT: Final = "/2018-06-01/runtime/"


class Endpoint(Protocol):
    """What one process's Runtime API does. ``False`` from an answer: the request id is not the running one's."""

    def next(self, connection: Connection) -> None:
        """The runtime is ready; answer with :meth:`Connection.send` once there is an invocation."""
        ...

    def gone(self, connection: Connection) -> None: ...

    def response(self, request_id: str, body: bytes, too_long: bool) -> bool: ...

    def error(self, request_id: str, body: bytes, error_type: str) -> bool: ...

    def init_error(self, body: bytes, error_type: str) -> None: ...


class Connection(asyncio.Protocol):
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._path = ""
        self._body: list[bytes] = []
        self._length = 0
        self._error_type = ""
        self._keep_alive = True

    # ---- asyncio -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._endpoint.gone(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            _log.exception("the Runtime API failed")
            self.abort()
        except httptools.HttpParserError:
            self._json(HTTPStatus.BAD_REQUEST, "InvalidRequest", "not an HTTP/1.1 request")
            self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # ---- httptools ---------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._path, self._error_type = "", ""
        self._body, self._length = [], 0

    def on_url(self, url: bytes) -> None:
        self._path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        lowered = name.lower()
        if lowered == b"lambda-runtime-function-error-type":
            self._error_type = value.decode("latin-1")
        elif lowered == b"expect" and value.lower() == b"100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._length += len(body)
        if self._length <= MAX_RESPONSE_BYTES:
            self._body.append(body)

    def on_message_complete(self) -> None:
        self._keep_alive = self._parser.should_keep_alive()
        body, self._body = b"".join(self._body), []
        path = self._path.partition("?")[0]
        action = path[len(_ROOT) :] if path.startswith(_ROOT) else ""
        if self._parser.get_method() == b"GET":
            if action == "invocation/next":
                self._endpoint.next(self)
            else:
                self._json(HTTPStatus.NOT_FOUND, "NotFound", f"no GET {path}")
        elif action == "init/error":
            self._endpoint.init_error(body, self._error_type)
            self._accepted()
        else:
            self._invocation(action, body)

    def _invocation(self, action: str, body: bytes) -> None:
        kind, _, rest = action.partition("/")
        request_id, _, what = rest.partition("/")
        if kind != "invocation" or what not in ("response", "error"):
            self._json(HTTPStatus.NOT_FOUND, "NotFound", f"no POST {self._path}")
            return
        too_long = self._length > MAX_RESPONSE_BYTES
        if what == "response":
            known = self._endpoint.response(request_id, body, too_long)
        else:
            known = self._endpoint.error(request_id, b"" if too_long else body, self._error_type)
        if not known:
            self._json(HTTPStatus.BAD_REQUEST, "InvalidRequestID", f"{request_id} is not the running invocation")
        elif too_long:
            self._json(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", "the response is too long")
        else:
            self._accepted()

    # ---- answers -----------------------------------------------------------------------------------

    def send(self, status: HTTPStatus, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        if self._transport is None:
            return
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self._transport.write("\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body)
        if not self._keep_alive:
            self._transport.close()

    def _accepted(self) -> None:
        self.send(HTTPStatus.ACCEPTED, [("Content-Type", "application/json")], b'{"status":"OK"}\n')

    def _json(self, status: HTTPStatus, error_type: str, message: str) -> None:
        quoted = message.replace("\\", "/").replace('"', "'")
        body = f'{{"errorType":"{error_type}","errorMessage":"{quoted}"}}\n'.encode()
        self.send(status, [("Content-Type", "application/json")], body)
