"""Headers and error bodies of the Lambda Runtime API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from durably.service.ports import Invocation
from durably.workers._lambda_context import NO_DEADLINE_MS, client_context_json

__all__ = ["ReportedError", "invocation_headers", "read_error"]


@dataclass(frozen=True, slots=True)
class ReportedError:
    type: str
    message: str
    stack: list[str]


def invocation_headers(invocation: Invocation, deadline_ms: int | None, now_ms: int) -> list[tuple[str, str]]:
    """Headers of the answer to ``invocation/next``."""
    headers = [
        ("Content-Type", "application/json"),
        ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
        ("Lambda-Runtime-Deadline-Ms", str(deadline_ms if deadline_ms is not None else now_ms + NO_DEADLINE_MS)),
        ("Lambda-Runtime-Invoked-Function-Arn", invocation.invoked_function_arn),
    ]
    context = client_context_json(invocation.client_context)
    if context is not None:
        headers.append(("Lambda-Runtime-Client-Context", json.dumps(context)))
    if invocation.trace_id:
        headers.append(("Lambda-Runtime-Trace-Id", invocation.trace_id))
    if invocation.tenant_id:
        headers.append(("Lambda-Runtime-Aws-Tenant-Id", invocation.tenant_id))
    return [(name, " ".join(value.split())) for name, value in headers]


def read_error(body: bytes, error_type: str) -> ReportedError:
    """The error a runtime reports: the body of ``{errorMessage, errorType, stackTrace}`` and a header.

    Runtimes differ in the name and the shape of the stack (``stackTrace``, ``trace``; strings or lists).
    """
    try:
        told: Any = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return ReportedError(error_type or "Runtime.Unknown", body.decode("utf-8", "replace")[:10_000], [])
    stack = told.get("stackTrace") or told.get("trace") or []
    lines = (
        [entry if isinstance(entry, str) else json.dumps(entry) for entry in stack] if isinstance(stack, list) else []
    )
    return ReportedError(
        str(told.get("errorType") or error_type or "Runtime.Unknown"), str(told.get("errorMessage") or ""), lines
    )
