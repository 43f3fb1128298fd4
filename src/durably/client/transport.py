"""Requests to the Lambda API: signed, retried, over connections kept open. Thread-safe.

What may be sent again: a connection that had been kept open and is found closed before one byte of the answer came
is replaced at once (servers close idle connections whenever they like); everything else that another try may mend
(:attr:`ApiError.retry_request`) is tried again after a growing, random pause, at most ``max_attempts`` times in all.
The caller vouches that its request may be repeated: a checkpoint carries an idempotency token for that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

from durably._version import __version__
from durably.wire.api_errors import CONNECTION_ERROR, ApiError

from .clock import Clock
from .connection import Connection, ConnectionLost, Response
from .credentials import credential_source
from .proxy import proxy_for
from .sigv4 import Signer
from .urls import Endpoint, encode_query, lambda_endpoint, region_of

__all__ = ["Transport"]

_BASE_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 20.0
_MAX_IDLE: Final = 16
_IDLE_SECONDS: Final = 50.0
_UNSIGNED: Final = frozenset({"x-amzn-trace-id"})  # proxies rewrite it
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException"})


class Transport:
    """Parameters as :class:`~durably.client.lambda_client.LambdaClient`'s."""

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        credentials: Any = None,
        connect_timeout: float = 5,
        read_timeout: float = 50,
        max_attempts: int = 4,
        user_agent_extra: str = "",
        clock: Clock | None = None,
    ) -> None:
        if max_attempts < 1:
            raise ValueError(f"max_attempts must be at least 1, not {max_attempts!r}")
        for name, value in (("connect_timeout", connect_timeout), ("read_timeout", read_timeout)):
            if not value > 0:
                raise ValueError(f"{name} must be a positive number of seconds, not {value!r}")
        if not user_agent_extra.isprintable() or not user_agent_extra.isascii():
            raise ValueError(f"user_agent_extra must be printable ASCII, not {user_agent_extra!r}")
        region = region_of(os.environ, region)
        self.endpoint: Endpoint = lambda_endpoint(os.environ, region, endpoint_url)
        if region is None:
            if self.endpoint.secure:
                raise ValueError(f"no AWS region to sign for {self.endpoint.url}: set AWS_REGION or pass region=")
            region = "us-east-1"
        self._proxy = proxy_for(os.environ, self.endpoint)
        self.region = region
        self.clock: Clock = clock or Clock()
        self._signer = Signer(region)
        self._credentials = credential_source(credentials, optional=not self.endpoint.secure)
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._max_attempts = max_attempts
        self._idle: list[Connection] = []
        self._pid = os.getpid()
        agent = f"durably/{__version__} {user_agent_extra}".strip()
        self._fixed_head = f"Host: {self.endpoint.host_header}\r\nUser-Agent: {agent}\r\n"

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        read_timeout: float | None = None,
        repeatable: bool = True,
    ) -> Response:
        """The response to a request, whatever below 300 its status. Raises ApiError for all others.

        Parameters:
            path: percent-encoded, from the root.
            headers: further ones, names in lower case; they are signed.
            read_timeout: seconds, in place of the transport's own.
            repeatable: False: what may have reached the service is not sent again.
        """
        for name, value in (headers or {}).items():
            if not (value.isascii() and value.isprintable()):
                raise ValueError(f"{value!r} cannot be sent as header {name}: only printable ASCII can")
        path = self.endpoint.base_path + path
        pairs = encode_query(query) if query else []
        attempt = 1
        renewed = False
        while True:
            pause: float | None = None
            try:
                request, signed_with = self._request(method, path, pairs, body, headers)
                response = self._exchange(request, read_timeout, repeatable)
            except OSError as exc:
                error = ApiError(CONNECTION_ERROR, _explain(exc, self.endpoint.url, read_timeout or self._read_timeout))
                error.__cause__ = exc
                # A certificate that does not verify (a ValueError too) will not verify next time either.
                again = (repeatable or _never_sent(exc)) and not isinstance(exc, ValueError)
            else:
                if response.status < 300:
                    return response
                error = _error(response)
                if error.code in _EXPIRED and not renewed and self._credentials() != signed_with:
                    renewed = True
                    continue
                again = error.retry_request and (repeatable or error.status == 429)
                pause = _retry_after(response)
            if not again or attempt >= self._max_attempts:
                raise error
            if pause is None:
                pause = self.clock.jitter() * min(_LONGEST_PAUSE, _BASE_PAUSE * 3.0**attempt)
            self.clock.sleep(pause)
            attempt += 1

    def parse(self, response: Response) -> Any:
        """The JSON of a successful response, null members dropped. Raises ApiError when it is not JSON."""
        from msgspec import DecodeError
        from msgspec.json import decode

        body = response.body
        try:
            shape = decode(body) if body else {}
        except (DecodeError, UnicodeDecodeError):
            start = body[:80].decode("utf-8", "replace")
            raise ApiError(CONNECTION_ERROR, f"{self.endpoint.url} does not answer as Lambda does: {start!r}") from None
        return _without_nulls(shape) if b"null" in body else shape

    def close(self) -> None:
        """Close the idle connections. The transport stays usable."""
        while self._idle:
            self._idle.pop().close()

    # ---- one attempt ------------------------------------------------------------------------------------

    def _request(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]],
        body: bytes,
        headers: Mapping[str, str] | None,
    ) -> tuple[bytes, Any]:
        credentials = self._credentials()
        target = path
        if query:
            target += "?" + "&".join([f"{name}={value}" for name, value in query])
        parts = [f"{method} {target} HTTP/1.1\r\n", self._fixed_head]
        signed = {"host": self.endpoint.host_header}
        if headers:
            signed.update({name: value for name, value in headers.items() if name not in _UNSIGNED})
            parts += [f"{name}: {value}\r\n" for name, value in headers.items()]
        if body or method != "GET":
            parts.append(f"Content-Length: {len(body)}\r\n")
        if credentials is not None:
            timestamp = _amz_date(self.clock.now())
            signed["x-amz-date"] = timestamp
            parts.append(f"X-Amz-Date: {timestamp}\r\n")
            if credentials.token:
                signed["x-amz-security-token"] = credentials.token
                parts.append(f"X-Amz-Security-Token: {credentials.token}\r\n")
            value = self._signer.authorization(method, path, query, signed, body, credentials, timestamp)
            parts.append(f"Authorization: {value}\r\n")
        parts.append("\r\n")
        return "".join(parts).encode("latin-1") + body, credentials

    def _exchange(self, request: bytes, read_timeout: float | None, repeatable: bool) -> Response:
        while (connection := self._take_idle()) is not None:
            try:
                response = connection.exchange(request, read_timeout=read_timeout or self._read_timeout)
            except ConnectionLost as exc:
                connection.close()
                if not (exc.untouched and repeatable):
                    raise
                continue
            except BaseException:
                connection.close()
                raise
            self._release(connection)
            return response
        connection = Connection(self.endpoint, self._connect_timeout, self._read_timeout, self._proxy)
        try:
            response = connection.exchange(request, read_timeout=read_timeout)
        except BaseException:
            connection.close()
            raise
        self._release(connection)
        return response

    def _take_idle(self) -> Connection | None:
        if self._pid != os.getpid():
            # A fork: the parent goes on using these. Forget them without closing the TLS sessions they share.
            self._idle = []
            self._pid = os.getpid()
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if self.clock.monotonic() - connection.idle_since < _IDLE_SECONDS and connection.is_quiet():
                return connection
            connection.close()

    def _release(self, connection: Connection) -> None:
        if connection.reusable and len(self._idle) < _MAX_IDLE:
            connection.idle_since = self.clock.monotonic()
            self._idle.append(connection)
        else:
            connection.close()


def _amz_date(now: float) -> str:
    from time import gmtime, strftime

    return strftime("%Y%m%dT%H%M%SZ", gmtime(now))


def _without_nulls(shape: Any) -> Any:
    """A member that is null is absent, as every AWS SDK has it. Most bodies do not hold the word at all."""
    if isinstance(shape, dict):
        return {key: _without_nulls(value) for key, value in shape.items() if value is not None}
    if isinstance(shape, list):
        return [_without_nulls(value) for value in shape]
    return shape


def _never_sent(exc: OSError) -> bool:
    """True when not even a connection was made."""
    return not isinstance(exc, (ConnectionLost, TimeoutError))


def _explain(exc: OSError, url: str, read_timeout: float) -> str:
    if isinstance(exc, TimeoutError):
        return f"{url} did not answer in time ({exc}; read timeout {read_timeout:g} s)"
    return f"cannot reach {url}: {exc}"


def _retry_after(response: Response) -> float | None:
    text = response.headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        return None
    return min(_LONGEST_PAUSE, seconds) if seconds >= 0 else None


def _error(response: Response) -> ApiError:
    """The error of a response: code from the header or the body, message from the body."""
    from msgspec import DecodeError
    from msgspec.json import decode

    code = response.headers.get("x-amzn-errortype", "")
    message = ""
    try:
        body: Any = decode(response.body)
    except (DecodeError, UnicodeDecodeError):
        body = None
    if isinstance(body, dict):
        code = code or body.get("__type") or body.get("code") or ""
        message = body.get("message") or body.get("Message") or body.get("errorMessage") or ""
    # "com.amazonaws.lambda#TooManyRequestsException:http://..." in the widest form.
    code = str(code).split(":", 1)[0].rsplit("#", 1)[-1].strip()
    if not message:
        message = response.body[:300].decode("utf-8", "replace").strip() or f"HTTP {response.status}"
    return ApiError(code or f"HTTP{response.status}", str(message), response.status)
