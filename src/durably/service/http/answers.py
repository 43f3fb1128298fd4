"""HTTP answers: results with timestamps in seconds, and errors as the AWS SDKs decode them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from durably.wire.api_errors import INVALID_TOKEN_MESSAGE, ApiError
from durably.wire.timestamps import millis_to_seconds

__all__ = ["Answer", "error_answer", "in_the_callers_words", "invoke_answer", "json_answer"]

_JSON: Final = (b"content-type", b"application/json")

# Shapes whose message member is lower-case; clients read either, but the model is the model.
_LOWER_CASE: Final = frozenset(
    {
        "InvalidParameterValueException",
        "InvalidRequestContentException",
        "RequestTooLargeException",
        "ResourceConflictException",
        "TooManyRequestsException",
        "UnsupportedMediaTypeException",
    }
)

_encode: Final = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def json_answer(status: int, result: Mapping[str, Any]) -> Answer:
    """``result`` (times in milliseconds) as the body."""
    return Answer(status, [_JSON], _encode(millis_to_seconds(result)) if result else b"{}")


def invoke_answer(result: Mapping[str, Any]) -> Answer:
    """The result of Invoke: its payload is the body as it is, the rest travels in headers."""
    headers = [(header, str(result[name]).encode("latin-1")) for header, name in _INVOKE_HEADERS if result.get(name)]
    payload: str = result.get("Payload") or ""
    if payload:
        headers.append(_JSON)
    return Answer(result["StatusCode"], headers, payload.encode())


_INVOKE_HEADERS: Final = (
    (b"x-amz-executed-version", "ExecutedVersion"),
    (b"x-amz-durable-execution-arn", "DurableExecutionArn"),
    (b"x-amz-function-error", "FunctionError"),
    (b"x-amz-log-result", "LogResult"),
)


def error_answer(error: ApiError) -> Answer:
    """``error`` with its code in ``x-amzn-ErrorType``, the one place every AWS SDK reads it from."""
    status = error.status or 500
    message = "message" if error.code in _LOWER_CASE else "Message"
    body = {"Type": "Service" if status >= 500 else "User", message: error.message}
    return Answer(status, [_JSON, (b"x-amzn-errortype", error.code.encode("latin-1", "replace"))], _encode(body))


_SDK: Final = re.compile(rb"aws-durable-execution-sdk-(js|python)/(\d+)\.(\d+)\.(\d+)")
_OTHER_WORDS: Final = "Invalid Checkpoint Token"


def in_the_callers_words(error: ApiError, user_agent: bytes) -> ApiError:
    """A stale token's message as the calling SDK expects it.

    The SDKs tell a stale token (invoke again) from a bad request (fail the execution) by how its message begins, in
    exact case, and differ: the Python SDK from 2.0.1 on looks for ``Invalid checkpoint token``, earlier ones and
    the JavaScript SDK for ``Invalid Checkpoint Token``. Each puts its name and version into the User-Agent.
    """
    sdk = _SDK.search(user_agent) if error.is_stale_token else None
    if sdk is None or (sdk[1] == b"python" and (int(sdk[2]), int(sdk[3]), int(sdk[4])) >= (2, 0, 1)):
        return error
    return ApiError(error.code, _OTHER_WORDS + error.message[len(INVALID_TOKEN_MESSAGE) :], error.status)
