"""The Invoke action: what a request may say, and how an outcome looks as Invoke's answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from durably.wire import limits
from durably.wire.api_errors import ApiError
from durably.wire.shapes import ErrorObject

from .chaining import payload_refusal
from .config import ServiceConfig
from .machine.checks import clipped, invalid, text
from .machine.env import Target
from .machine.model import Execution

__all__ = ["InvokeRequest", "answer_of_execution", "checked_request", "function_error"]


@dataclass(frozen=True, slots=True)
class InvokeRequest:
    """An Invoke that has been found good."""

    target: Target
    kind: str
    payload: str
    execution_name: str | None
    tail: bool
    client_context: str | None
    tenant_id: str | None
    trace_id: str | None


def checked_request(
    params: Mapping[str, Any], config: ServiceConfig, resolve: Callable[[object, object], Target]
) -> InvokeRequest:
    """Raises ApiError."""
    kind = params.get("InvocationType") or "RequestResponse"
    if kind not in ("RequestResponse", "Event", "DryRun"):
        invalid(f"InvocationType {clipped(kind)} is none of RequestResponse, Event, DryRun")
    target = resolve(params.get("FunctionName"), params.get("Qualifier"))
    name = params.get("DurableExecutionName")
    if name is not None:
        if limits.EXECUTION_NAME_PATTERN.fullmatch(text(name, "DurableExecutionName")) is None:
            invalid(f"DurableExecutionName {clipped(name)} must be 1 to 64 of A-Z a-z 0-9 _ -")
        if not target.spec.durable:
            invalid(f"DurableExecutionName is given, but {target.spec.name} is not a durable function")
    tenant = params.get("TenantId")
    if tenant is not None and limits.TENANT_ID_PATTERN.fullmatch(text(tenant, "TenantId")) is None:
        invalid(f"TenantId {clipped(tenant)} must be 1 to 256 of A-Z a-z 0-9 . _ : / = + - @ and space")
    payload = params.get("Payload")
    if isinstance(payload, (bytes, bytearray)):
        try:
            payload = payload.decode()
        except UnicodeDecodeError as failure:
            message = f"Could not parse request body into json: {failure}"
            raise ApiError("InvalidRequestContentException", message) from None
    payload = text(payload, "Payload") if payload else "{}"
    limit = config.max_async_payload if kind == "Event" else config.max_sync_payload
    refusal = payload_refusal(payload, limit)
    if refusal is not None:
        raise refusal
    return InvokeRequest(
        target=target,
        kind=kind,
        payload=payload,
        execution_name=name,
        tail=params.get("LogType") == "Tail",
        client_context=params.get("ClientContext"),
        tenant_id=tenant,
        trace_id=params.get("TraceId"),
    )


def function_error(failure: ErrorObject | None) -> str:
    """The payload of an answer with a FunctionError, in the members that Lambda's runtimes use."""
    failure = failure or {}
    members: dict[str, Any] = {
        "errorMessage": failure.get("ErrorMessage", ""),
        "errorType": failure.get("ErrorType", "Error"),
    }
    if "ErrorData" in failure:
        members["errorData"] = failure["ErrorData"]
    if "StackTrace" in failure:
        members["stackTrace"] = failure["StackTrace"]
    return msgspec.json.encode(members).decode()


def answer_of_execution(ex: Execution, log_tail: str | None) -> dict[str, Any]:
    """Invoke's answer for an execution that has ended."""
    outcome = ex.outcome
    assert outcome is not None
    answer: dict[str, Any] = {
        "StatusCode": 200,
        "ExecutedVersion": ex.facts.version,
        "DurableExecutionArn": ex.facts.arn,
    }
    if outcome.status == "SUCCEEDED":
        answer["Payload"] = outcome.result if outcome.result is not None else "null"
    else:
        answer["FunctionError"] = "Unhandled"
        answer["Payload"] = function_error(outcome.error or {"ErrorType": outcome.status})
    if log_tail is not None:
        answer["LogResult"] = log_tail
    return answer
