"""Chained invokes: an execution starts another function, and its end completes the operation.

Both halves happen in one commit: the target's execution is there from the moment its launch is recorded, and the
operation is complete from the moment the target has ended, whatever is killed when.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from durably.wire.api_errors import ApiError
from durably.wire.shapes import ErrorObject

from .machine import signals
from .machine.checks import utf8_size, within
from .machine.env import Env
from .machine.model import Execution, Facts
from .ports import FunctionSpec

if TYPE_CHECKING:
    from .core import Core

__all__ = ["CallPlain", "launch", "make_facts", "payload_refusal", "tell_parent"]

_NO_WORKER_MS: Final = 1000
"""After which a launch that found no worker is tried again."""

CallPlain = Callable[[int, str, dict[str, Any]], None]
"""Runs a plain function for (execution key, operation id, what was recorded of the invoke)."""


def tell_parent(core: Core, child: Execution) -> None:
    facts, outcome = child.facts, child.outcome
    assert facts.parent_key is not None
    assert facts.parent_operation is not None
    assert outcome is not None
    parent = core.execution(facts.parent_key)
    if parent is None:
        return  # it was deleted; its key is not given out again while an execution with a later one, this one, exists
    result, failure = outcome.result, outcome.error
    signals.child_done(parent, core.env, facts.parent_operation, outcome.status, result, failure)
    core.changed(parent)


def launch(core: Core, ex: Execution, op_id: str, data: dict[str, Any]) -> None:
    """Start the target of a chained invoke, or fail the operation with what Invoke would have answered."""
    target = core.env.resolve(data["function"])
    if target is None:
        _launch_later(core, ex, op_id)
        return
    payload: str = data.get("payload") or "{}"
    if isinstance(target, ApiError):
        _launch_failed(core, ex, op_id, target)
        return
    refusal = payload_refusal(payload, core.env.config.max_async_payload)
    if refusal is not None:
        _launch_failed(core, ex, op_id, refusal)
        return
    op = ex.ops[op_id]
    kept = {k: v for k, v in data.items() if k not in ("launch_at", "plain")}
    if target.spec.durable:
        child = data.get("child") or core.env.ids.execution_id()
        kept["child"] = child
        kept.pop("payload", None)
        op.data = kept
        parent = (ex.key, op_id)
        trace = data.get("trace", ex.facts.trace_id)
        facts = make_facts(
            core.env, target.spec, target.arn, child, child, payload, False, data.get("tenant"), trace, parent
        )
        core.changed(ex)
        core.create(facts)
    else:
        kept["plain"] = True
        op.data = kept
        ex.head.calls += 1
        core.changed(ex)
        core.after_commit(core.call_plain, ex.key, op_id, kept)


def _launch_later(core: Core, ex: Execution, op_id: str) -> None:
    """Nobody says yet which functions there are."""
    op, due = ex.ops[op_id], core.env.now + _NO_WORKER_MS
    op.data = {**(op.data or {}), "launch_at": due}
    ex.launches.append(op_id)
    ex.arm(due, "launch", op)
    core.changed(ex)


def _launch_failed(core: Core, ex: Execution, op_id: str, refusal: ApiError) -> None:
    failure: ErrorObject = {"ErrorType": refusal.code, "ErrorMessage": refusal.message}
    signals.child_done(ex, core.env, op_id, "FAILED", None, failure)
    core.changed(ex)


def make_facts(
    env: Env,
    spec: FunctionSpec,
    arn: str,
    execution_id: str,
    name: str,
    payload: str,
    sync: bool,
    tenant_id: str | None,
    trace_id: str | None,
    parent: tuple[int, str] | None = None,
) -> Facts:
    config = env.config
    return Facts(
        id=execution_id,
        arn=f"{arn}/durable-execution/{name}/{execution_id}",
        name=name,
        function=spec.name,
        version=arn.rsplit(":", 1)[1],
        start_ms=env.now,
        input=payload,
        payload_limit=config.max_sync_payload if sync else config.max_async_payload,
        execution_timeout_s=spec.execution_timeout_seconds,
        retention_days=spec.retention_days,
        tenant_id=tenant_id,
        trace_id=trace_id,
        parent_key=None if parent is None else parent[0],
        parent_operation=None if parent is None else parent[1],
    )


def payload_refusal(payload: str, limit: int) -> ApiError | None:
    """Why Invoke would not take ``payload``: not JSON, or too long."""
    if not within(payload, limit):
        return ApiError(
            "RequestTooLargeException",
            f"the payload is {utf8_size(payload):,} bytes long, more than the {limit:,} allowed",
        )
    try:
        msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as failure:
        return ApiError("InvalidRequestContentException", f"Could not parse request body into json: {failure}")
    return None
