"""Reading a request: its body within bounds, and the parameters it carries."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from durably.wire.api_errors import ApiError
from durably.wire.timestamps import to_millis

from .routes import Route
from .validation import convert, invalid_json

__all__ = ["INVOKE_HEADERS", "MAX_BODY", "ClientGone", "Receive", "invoke_params", "params", "read_body"]

MAX_BODY: Final = 20 * 1024 * 1024
"""Bytes of any request. The longest payload, 6 MiB, can be three times as long once it is escaped inside JSON; what
a payload may hold is the service's decision."""

_MAX_DRAINED: Final = 8 * MAX_BODY

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGone(Exception):
    """The client hung up before it had sent the whole request; nobody is left to answer."""


async def read_body(receive: Receive, action: str) -> bytes:
    """The whole body. Raises ApiError: RequestTooLargeException."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    chunk: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(chunk) <= MAX_BODY:
        return chunk
    chunks, size = [chunk], len(chunk)
    while message.get("more_body", False):
        message = await receive()
        # Read on to the end, within reason: a client that is still sending would not see the answer.
        if message["type"] == "http.disconnect" or size > _MAX_DRAINED:
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY:
            chunks.append(chunk)
        else:
            chunks.clear()
    if size > MAX_BODY:
        raise ApiError(
            "RequestTooLargeException", f"Request must be smaller than {MAX_BODY} bytes for the {action} operation"
        )
    return b"".join(chunks)


def params(route: Route, target: str, query: bytes, body: bytes) -> dict[str, Any]:
    """The parameters of any action but Invoke. Raises ApiError."""
    members = _checked(route, {**_query(query), route.target: target})
    if route.read_body is not None:
        members.update(route.read_body(body))
    if route.action == "ListDurableExecutionsByFunction":
        _read_times(members, "StartedAfter", "StartedBefore")
    return members


def invoke_params(
    route: Route, target: str, query: bytes, headers: Mapping[bytes, bytes], body: bytes
) -> dict[str, Any]:
    """The parameters of Invoke, most of which travel in headers. Raises ApiError."""
    found = {name: headers[header].decode("latin-1") for header, name in INVOKE_HEADERS if header in headers}
    qualifier = {name: value for name, value in _query(query).items() if name == "Qualifier"}
    members = _checked(route, {**found, **qualifier, route.target: target})
    if context := headers.get(b"x-amz-client-context"):
        members["ClientContext"] = _client_context(context)
    if body:
        try:
            members["Payload"] = body.decode()  # whether it is JSON, the service finds out
        except UnicodeDecodeError as problem:
            raise invalid_json(problem) from None
    return members


INVOKE_HEADERS: Final = (
    (b"x-amz-invocation-type", "InvocationType"),
    (b"x-amz-log-type", "LogType"),
    (b"x-amz-durable-execution-name", "DurableExecutionName"),
    (b"x-amz-tenant-id", "TenantId"),
    (b"x-amzn-trace-id", "TraceId"),
)


def _checked(route: Route, members: dict[str, Any]) -> dict[str, Any]:
    return convert(members, route.shape, from_text=True)


def _query(query: bytes) -> dict[str, Any]:
    """The query's pairs; what is no member of the action is dropped when they are checked.

    A plus sign is itself: tokens and time zones contain it, and the SDKs encode a space as %20.
    """
    members: dict[str, Any] = {}
    if not query:
        return members
    for pair in query.split(b"&"):
        raw_name, _, raw_value = pair.partition(b"=")
        name = unquote_to_bytes(raw_name).decode("utf-8", "replace")
        try:
            value = unquote_to_bytes(raw_value).decode()
        except UnicodeDecodeError:
            raise ApiError(
                "InvalidParameterValueException", f"{name} in the query is not UTF-8 once decoded: {raw_value!r}"
            ) from None
        if name == "Statuses":
            members.setdefault(name, []).append(value)
        else:
            members[name] = value
    return members


def _read_times(members: dict[str, Any], *names: str) -> None:
    # ISO 8601, as the SDKs send it, or seconds since the epoch.
    for name in names:
        if name in members:
            text: str = members[name]
            try:
                members[name] = to_millis(float(text) if text.replace(".", "", 1).isdecimal() else text)
            except (ValueError, OverflowError):
                raise ApiError(
                    "InvalidParameterValueException",
                    f"1 validation error detected: Value '{text[:100]}' at '{name}' failed to satisfy constraint: "
                    "Member must be an ISO 8601 time such as 2026-01-02T03:04:05Z",
                ) from None


def _client_context(header: bytes) -> str:
    try:
        msgspec.json.decode(base64.b64decode(header, validate=True), type=dict[str, Any])
        return header.decode()
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ApiError(
            "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."
        ) from None
