"""The fields that say where a record comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durably.engine.operation import Op
    from durably.engine.run import Run

__all__ = ["context_fields", "execution_fields", "step_fields"]


def execution_fields(run: Run) -> dict[str, Any]:
    """Of the execution and, where Lambda's context says them, of the invocation."""
    fields: dict[str, Any] = {"executionArn": run.arn}
    for field, member in (("requestId", "aws_request_id"), ("tenantId", "tenant_id")):
        value = getattr(run.lambda_context, member, None)
        if value and isinstance(value, str):
            fields[field] = value
    return fields


def context_fields(run: Run, parent_id: str | None) -> dict[str, Any]:
    fields = execution_fields(run)
    if parent_id:
        fields["parentId"] = parent_id
    return fields


def step_fields(op: Op, attempt: int) -> dict[str, Any]:
    fields = context_fields(op.run, op.parent_id)
    fields["operationId"] = op.id
    if op.name:
        fields["operationName"] = op.name
    fields["attempt"] = attempt
    return fields
