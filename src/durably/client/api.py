"""The API from outside an execution: start, look at, answer, stop. For the command line and the cloud test runner.

Parameters and results are the service model's PascalCase members; timestamps are integer milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from durably.wire.timestamps import seconds_to_millis

from .clock import Clock
from .connection import Response
from .transport import Transport
from .urls import quote

__all__ = ["LambdaApi"]


class _Action(NamedTuple):
    """How an action is put on the wire. ``raw`` is the member that is the whole body."""

    method: str
    path: str
    subject: str
    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    raw: str | None = None


_EXECUTION: Final = "/2025-12-01/durable-executions/{}"
_CALLBACK: Final = "/2025-12-01/durable-execution-callbacks/{}"
_ACTIONS: Final[dict[str, _Action]] = {
    "CheckpointDurableExecution": _Action(
        "POST", _EXECUTION + "/checkpoint", "DurableExecutionArn", body=("CheckpointToken", "Updates", "ClientToken")
    ),
    "GetDurableExecutionState": _Action(
        "GET", _EXECUTION + "/state", "DurableExecutionArn", ("CheckpointToken", "Marker", "MaxItems")
    ),
    "GetDurableExecution": _Action("GET", _EXECUTION, "DurableExecutionArn", ("IncludeExecutionData",)),
    "GetDurableExecutionHistory": _Action(
        "GET",
        _EXECUTION + "/history",
        "DurableExecutionArn",
        ("IncludeExecutionData", "MaxItems", "Marker", "ReverseOrder"),
    ),
    "ListDurableExecutionsByFunction": _Action(
        "GET",
        "/2025-12-01/functions/{}/durable-executions",
        "FunctionName",
        (
            "Qualifier",
            "DurableExecutionName",
            "Statuses",
            "StartedAfter",
            "StartedBefore",
            "ReverseOrder",
            "Marker",
            "MaxItems",
        ),
    ),
    "StopDurableExecution": _Action("POST", _EXECUTION + "/stop", "DurableExecutionArn", raw="Error"),
    "PauseDurableExecution": _Action(
        "POST",
        _EXECUTION + "/pause",
        "DurableExecutionArn",
        body=("ClientToken", "Reason", "ExecutionTimeoutPaused"),
    ),
    "ResumeDurableExecution": _Action(
        "POST", _EXECUTION + "/resume", "DurableExecutionArn", body=("ClientToken", "Reason")
    ),
    "DeleteDurableExecution": _Action("DELETE", _EXECUTION, "DurableExecutionArn"),
    "SendDurableExecutionCallbackSuccess": _Action("POST", _CALLBACK + "/succeed", "CallbackId", raw="Result"),
    "SendDurableExecutionCallbackFailure": _Action("POST", _CALLBACK + "/fail", "CallbackId", raw="Error"),
    "SendDurableExecutionCallbackHeartbeat": _Action("POST", _CALLBACK + "/heartbeat", "CallbackId"),
}
_INVOKE_HEADERS: Final = {
    "InvocationType": "x-amz-invocation-type",
    "LogType": "x-amz-log-type",
    "ClientContext": "x-amz-client-context",
    "DurableExecutionName": "x-amz-durable-execution-name",
    "TenantId": "x-amz-tenant-id",
}
_INVOKE_ANSWERS: Final = {
    "DurableExecutionArn": "x-amz-durable-execution-arn",
    "ExecutedVersion": "x-amz-executed-version",
    "FunctionError": "x-amz-function-error",
    "LogResult": "x-amz-log-result",
}


class LambdaApi:
    """Parameters as :class:`~durably.client.lambda_client.LambdaClient`'s. Thread-safe."""

    def __init__(
        self,
        region: str | None = None,
        endpoint_url: str | None = None,
        credentials: Any = None,
        *,
        connect_timeout: float = 5,
        read_timeout: float = 50,
        max_attempts: int = 4,
        user_agent_extra: str = "",
        clock: Clock | None = None,
    ) -> None:
        self._transport = Transport(
            region=region,
            endpoint_url=endpoint_url,
            credentials=credentials,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_attempts=max_attempts,
            user_agent_extra=user_agent_extra,
            clock=clock,
        )

    @property
    def endpoint_url(self) -> str:
        return self._transport.endpoint.url

    def call(self, action: str, *, read_timeout: float | None = None, **params: Any) -> dict[str, Any]:
        """The result of ``action``, ``Invoke`` or one of the twelve durable actions.

        Parameters:
            read_timeout: seconds, for this call; a synchronous Invoke lasts as long as the execution.
            params: the action's members. ``Payload`` and ``Result`` are text (or bytes). None: not given.

        Raises:
            ApiError: the service refused, or did not answer.
            TypeError: there is no such action or member.
        """
        given = {name: value for name, value in params.items() if value is not None}
        if action == "Invoke":
            return self._invoke(given, read_timeout)
        spec = _ACTIONS.get(action)
        if spec is None:
            raise TypeError(f"there is no action {action!r}; the actions are Invoke, {', '.join(sorted(_ACTIONS))}")
        _check(action, given, spec.subject, {*spec.query, *spec.body, *((spec.raw,) if spec.raw else ())})
        query = [pair for name in spec.query if name in given for pair in _query_pairs(name, given[name])]
        body, headers = self._body(spec, given)
        response = self._transport.send(
            spec.method,
            spec.path.format(quote(given[spec.subject])),
            query=query,
            body=body,
            headers=headers,
            read_timeout=read_timeout,
        )
        result = seconds_to_millis(self._transport.parse(response))
        return result if isinstance(result, dict) else {}

    def pages(self, action: str, member: str, **params: Any) -> Iterator[Any]:
        """The items under ``member`` of every page of a listing action."""
        marker: str | None = None
        while True:
            page = self.call(action, Marker=marker, **params)
            yield from page.get(member, ())
            marker = page.get("NextMarker")
            if not marker:
                return

    def get_json(self, path: str) -> Any:
        """The JSON at ``path`` of the endpoint: what the local service offers beside Lambda's API."""
        return self._transport.parse(self._transport.send("GET", path))

    def close(self) -> None:
        """Close idle connections. The client stays usable."""
        self._transport.close()

    def __repr__(self) -> str:
        return f"LambdaApi(region={self._transport.region!r}, endpoint_url={self.endpoint_url!r})"

    def _body(self, spec: _Action, given: dict[str, Any]) -> tuple[bytes, dict[str, str] | None]:
        from msgspec.json import encode

        if spec.raw == "Result":
            return _as_bytes(given.get("Result", b"")), None
        if spec.raw is not None:
            return encode(given.get(spec.raw, {})), {"content-type": "application/json"}
        if not spec.body:
            return b"", None
        members = {name: given[name] for name in spec.body if name in given}
        if "ClientToken" in spec.body:
            members.setdefault("ClientToken", self._transport.clock.token())
        return encode(members), {"content-type": "application/json"}

    def _invoke(self, given: dict[str, Any], read_timeout: float | None) -> dict[str, Any]:
        _check("Invoke", given, "FunctionName", {"Qualifier", "Payload", "TraceId", *_INVOKE_HEADERS})
        headers = {header: str(given[name]) for name, header in _INVOKE_HEADERS.items() if name in given}
        if "TraceId" in given:
            headers["x-amzn-trace-id"] = str(given["TraceId"])
        response = self._transport.send(
            "POST",
            f"/2015-03-31/functions/{quote(given['FunctionName'])}/invocations",
            query=[("Qualifier", given["Qualifier"])] if "Qualifier" in given else (),
            body=_as_bytes(given.get("Payload", b"")),
            headers=headers,
            read_timeout=read_timeout,
            # Lambda starts one execution per name, and anything else as often as it is asked to.
            repeatable="DurableExecutionName" in given,
        )
        return _invoke_result(response)


def _invoke_result(response: Response) -> dict[str, Any]:
    result: dict[str, Any] = {"StatusCode": response.status}
    for name, header in _INVOKE_ANSWERS.items():
        if header in response.headers:
            result[name] = response.headers[header]
    if response.body:
        result["Payload"] = response.body.decode("utf-8", "replace")
    return result


def _check(action: str, given: dict[str, Any], subject: str, optional: set[str]) -> None:
    if not given.get(subject):
        raise TypeError(f"{action} needs {subject}")
    unknown = sorted(given.keys() - optional - {subject})
    if unknown:
        raise TypeError(f"{action} has no member {unknown[0]}; it has {', '.join(sorted({subject, *optional}))}")


def _query_pairs(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, bool):
        return [(name, "true" if value else "false")]
    if isinstance(value, (list, tuple)):
        return [(name, str(item)) for item in value]
    if name in ("StartedAfter", "StartedBefore"):
        moment = datetime.fromtimestamp(value / 1000, UTC)
        return [(name, moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))]
    return [(name, str(value))]


def _as_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)
