"""The paths of the API: which action a request asks for, and on what.

A name in a path is ONE percent-encoded segment, though it may hold slashes (an execution's ARN has two) and colons.
So the raw path is split on ``/`` first and each segment is decoded afterwards; a router that matches the decoded
path, as most do, cannot tell ``.../arn%2Fname/checkpoint`` from a deeper path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from durably.wire.api_errors import ApiError

from . import members
from .validation import Body

__all__ = ["ROUTES", "MethodNotAllowed", "Route", "find_route"]


@dataclass(frozen=True, slots=True)
class Route:
    """One action: where it is found, what it takes and the status of its success.

    Parameters:
        path: the segment in braces is the member that names what is acted on.
        shape: of the members in path, query and headers.
        read_body: the members a body carries; None when there is no body, or not of members.
    """

    action: str
    method: str
    path: str
    shape: Any
    status: int = 200
    read_body: Callable[[bytes], dict[str, Any]] | None = None

    @property
    def target(self) -> str:
        """The member in the path."""
        return self.path.partition("{")[2].partition("}")[0]


def _error_object(body: bytes) -> dict[str, Any]:
    # The body as a whole is the ErrorObject; clients send an empty one for none.
    error = _ERROR.parse(body)
    return {"Error": error} if error else {}


def _callback_result(body: bytes) -> dict[str, Any]:
    try:
        return {"Result": body.decode()} if body else {}
    except UnicodeDecodeError as problem:
        raise ApiError(
            "InvalidParameterValueException",
            f"Result must be UTF-8 text, and byte {problem.start} of it is not; encode binary data, e.g. as base64",
        ) from None


_ERROR: Final = Body(members.Error)
_EXECUTION: Final = "/2025-12-01/durable-executions/{DurableExecutionArn}"
_CALLBACK: Final = "/2025-12-01/durable-execution-callbacks/{CallbackId}"
_LIST: Final = "/2025-12-01/functions/{FunctionName}/durable-executions"
_CHECKPOINT: Final = Body(members.CheckpointBody).parse
_PAUSE: Final = Body(members.PauseBody).parse
_RESUME: Final = Body(members.ResumeBody).parse

ROUTES: Final[tuple[Route, ...]] = (
    Route("Invoke", "POST", "/2015-03-31/functions/{FunctionName}/invocations", members.Invoke),
    Route("CheckpointDurableExecution", "POST", f"{_EXECUTION}/checkpoint", members.OfExecution, 200, _CHECKPOINT),
    Route("GetDurableExecutionState", "GET", f"{_EXECUTION}/state", members.GetState),
    Route("GetDurableExecution", "GET", _EXECUTION, members.GetExecution),
    Route("GetDurableExecutionHistory", "GET", f"{_EXECUTION}/history", members.GetHistory),
    Route("ListDurableExecutionsByFunction", "GET", _LIST, members.ListExecutions),
    Route("StopDurableExecution", "POST", f"{_EXECUTION}/stop", members.OfExecution, 200, _error_object),
    Route("PauseDurableExecution", "POST", f"{_EXECUTION}/pause", members.OfExecution, 202, _PAUSE),
    Route("ResumeDurableExecution", "POST", f"{_EXECUTION}/resume", members.OfExecution, 202, _RESUME),
    Route("DeleteDurableExecution", "DELETE", _EXECUTION, members.OfExecution, 202),
    Route(
        "SendDurableExecutionCallbackSuccess", "POST", f"{_CALLBACK}/succeed", members.OfCallback, 200, _callback_result
    ),
    Route("SendDurableExecutionCallbackFailure", "POST", f"{_CALLBACK}/fail", members.OfCallback, 200, _error_object),
    Route("SendDurableExecutionCallbackHeartbeat", "POST", f"{_CALLBACK}/heartbeat", members.OfCallback),
)


class MethodNotAllowed(ApiError):
    """A known path, asked with another method."""

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        self.allowed: str = ", ".join(allowed)
        super().__init__("UnknownOperationException", f"{method} is not allowed here; allowed: {self.allowed}", 405)


# (what precedes the name, what follows it) -> routes by method
_Index = dict[tuple[bytes, bytes], dict[str, Route]]


def _index() -> _Index:
    index: _Index = {}
    for route in ROUTES:
        before, _, rest = route.path.partition("{")
        key = (before.encode(), rest.partition("}")[2].encode())
        index.setdefault(key, {})[route.method] = route
    return index


_INDEX: Final = _index()


def find_route(method: str, raw_path: bytes) -> tuple[Route, str]:
    """The route of a request and the name in its path, decoded.

    Raises:
        ApiError: UnknownOperationException, saying what exists: 404 for a path, 405 for a method.
    """
    parts = raw_path.split(b"/", 4)
    if len(parts) >= 4:
        after = b"/" + parts[4] if len(parts) == 5 else b""
        known = _INDEX.get((b"/%b/%b/" % (parts[1], parts[2]), after))
        if known is not None and parts[3]:
            route = known.get(method)
            if route is None:
                raise MethodNotAllowed(method, known)
            return route, _decode(route.target, parts[3])
    raise ApiError("UnknownOperationException", _advice(method, raw_path), 404)


def _decode(member: str, segment: bytes) -> str:
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise ApiError(
            "InvalidParameterValueException", f"{member} in the path is not UTF-8 once percent-decoded: {segment!r}"
        ) from None


def _advice(method: str, raw_path: bytes) -> str:
    asked = f"no such operation: {method} {raw_path.decode('ascii', 'replace')[:2048]}. "
    if b"/durable-execution/" in raw_path:
        return asked + (
            "An execution's ARN is one segment of the path and must be percent-encoded, its slashes too: "
            "/2025-12-01/durable-executions/arn%3Aaws%3Alambda...%2Fdurable-execution%2FNAME%2FID"
        )
    return asked + "This service answers: " + ", ".join(f"{route.method} {route.path}" for route in ROUTES)
