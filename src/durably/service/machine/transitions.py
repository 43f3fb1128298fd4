"""What each update does to its operation: the table of types, actions and states.

Everything happens on a :class:`~.stage.Stage`, a sheet laid over the execution. A refusal throws the sheet away, so
that a checkpoint is applied whole or not at all.

========  ==================================================  ==========================================
type      START                                               completion
========  ==================================================  ==========================================
STEP      new, or READY; STARTED: again, nothing changes      SUCCEED FAIL RETRY from new, STARTED, READY
CONTEXT   new; STARTED: again, nothing changes                SUCCEED FAIL from new, STARTED
WAIT      new                                                 CANCEL from STARTED; of one that has ended: nothing
CALLBACK  new                                                 by the callback API and timers only
CHAINED_  new                                                 by the end of its target only
INVOKE
========  ==================================================  ==========================================
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from durably.wire import limits

from .checks import checked_error, clipped, integer, invalid, payload, text
from .events import error as event_error
from .events import result as event_result
from .model import Op
from .stage import Stage, Update, completion, no_action, only_new, options_of

__all__ = ["apply_update", "callback_id"]

_TERMINAL: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"})


def apply_update(stage: Stage, update: Update, op_id: str, kind: str, action: str) -> None:
    """Apply one update other than of the EXECUTION itself."""
    op = stage.find(op_id)
    parent = update.get("ParentId")
    if op is None:
        if limits.ID_PATTERN.fullmatch(op_id) is None:
            invalid(f"operation Id {clipped(op_id)} must be 1 to 64 of A-Z a-z 0-9 _ -")
        if op_id == stage.ex.facts.id:
            invalid(f"operation Id {op_id} is the execution's own; only an EXECUTION update may carry it")
    else:
        view = op.view
        if view["Type"] != kind:
            invalid(f"operation {op_id} is a {view['Type']}, not a {kind}")
        for member in ("SubType", "Name", "ParentId"):
            given = update.get(member)
            if given is not None and given != view.get(member):
                invalid(
                    f"{member} of operation {op_id} is {clipped(view.get(member))}, not {clipped(given)}; "
                    "an operation keeps its identity"
                )
        if view["Status"] in _TERMINAL:
            if kind == "WAIT" and action == "CANCEL":
                return  # it ended while the cancellation was on its way: there is nothing left to cancel
            invalid(f"operation {op_id} has ended ({view['Status']}) and cannot {action}")
        parent = view.get("ParentId")
    if parent is not None:
        holder = stage.find(text(parent, "ParentId"))
        if holder is None:
            invalid(f"parent {clipped(parent)} of operation {op_id} does not exist; START it first")
        if holder.view["Type"] != "CONTEXT":
            invalid(f"parent {parent} of operation {op_id} is a {holder.view['Type']}, not a CONTEXT")
        if holder.view["Status"] in _TERMINAL:
            invalid(f"parent {parent} of operation {op_id} has ended ({holder.view['Status']})")
    handler = _HANDLERS.get(kind)
    if handler is None:
        invalid(f"Type {clipped(kind)} of operation {op_id} is none of {', '.join(_HANDLERS)}, EXECUTION")
    handler(stage, update, op_id, action, op)


def _step(stage: Stage, update: Update, op_id: str, action: str, op: Op | None) -> None:
    status = op.view["Status"] if op is not None else None
    if action == "START":
        if op is None:
            op = stage.create(update, op_id, "STEP")
            op.view["StepDetails"] = {"Attempt": 0}
        elif status == "READY":
            op = stage.edit(op)
            op.view["Status"] = "STARTED"
            details = dict(op.view["StepDetails"])
            details.pop("NextAttemptTimestamp", None)
            op.view["StepDetails"] = details
        elif status == "STARTED":
            return
        else:
            invalid(f"step {op_id} is {status} until its next attempt is due and cannot START")
        stage.log("StepStarted", op.view, {})
        return
    if action not in ("SUCCEED", "FAIL", "RETRY"):
        no_action("STEP", op_id, action)
    if status == "PENDING":
        invalid(f"step {op_id} is PENDING until its next attempt is due and cannot {action}")
    result, failure = completion(stage, update, op_id, action)
    options = update.get("StepOptions") or {}
    delay: int | None = None
    if action == "RETRY":
        if result is not None and failure is not None:
            invalid(f"step {op_id}: RETRY carries a Payload or an Error, not both")
        if not isinstance(options, Mapping) or options.get("NextAttemptDelaySeconds") is None:
            invalid(f"step {op_id}: RETRY needs StepOptions.NextAttemptDelaySeconds")
        most = stage.env.config.max_delay_seconds
        delay = integer(options["NextAttemptDelaySeconds"], "StepOptions.NextAttemptDelaySeconds", 1, most)
    op = stage.create(update, op_id, "STEP") if op is None else stage.edit(op)
    view = op.view
    old: dict[str, Any] = view.get("StepDetails") or {}
    attempt = old.get("Attempt", 0) + 1
    details = {"Attempt": attempt}
    retry: dict[str, Any] = {"CurrentAttempt": attempt}
    if delay is not None:
        view["Status"] = "PENDING"
        details["NextAttemptTimestamp"] = stage.now + delay * 1000
        retry["NextAttemptDelaySeconds"] = delay
        if failure is not None and "Result" in old:
            details["Result"] = old["Result"]
    else:
        view["Status"] = "SUCCEEDED" if action == "SUCCEED" else "FAILED"
        view["EndTimestamp"] = stage.now
    if result is not None:
        details["Result"] = result
    if failure is not None:
        details["Error"] = failure
    view["StepDetails"] = details
    if action == "FAIL" or failure is not None:
        stage.log("StepFailed", view, {"Error": event_error(failure), "RetryDetails": retry})
    else:
        stage.log("StepSucceeded", view, {"Result": event_result(result), "RetryDetails": retry})


def _context(stage: Stage, update: Update, op_id: str, action: str, op: Op | None) -> None:
    if action == "START":
        if op is None:
            stage.log("ContextStarted", stage.create(update, op_id, "CONTEXT").view, {})
        return
    if action not in ("SUCCEED", "FAIL"):
        no_action("CONTEXT", op_id, action)
    result, failure = completion(stage, update, op_id, action)
    options = update.get("ContextOptions") or {}
    replay = options.get("ReplayChildren") if isinstance(options, Mapping) else options
    if replay is not None and not isinstance(replay, bool):
        invalid(f"context {op_id}: ContextOptions.ReplayChildren must be true or false, not {clipped(replay)}")
    op = stage.create(update, op_id, "CONTEXT") if op is None else stage.edit(op)
    view = op.view
    view["EndTimestamp"] = stage.now
    details: dict[str, Any] = {"ReplayChildren": bool(replay)}
    view["ContextDetails"] = details
    if action == "SUCCEED":
        view["Status"] = "SUCCEEDED"
        if result is not None:
            details["Result"] = result
        stage.log("ContextSucceeded", view, {"Result": event_result(result)})
    else:
        view["Status"] = "FAILED"
        if failure is not None:
            details["Error"] = failure
        stage.log("ContextFailed", view, {"Error": event_error(failure)})


def _wait(stage: Stage, update: Update, op_id: str, action: str, op: Op | None) -> None:
    if action == "START":
        only_new("wait", op_id, op)
        options = options_of(update, "WaitOptions", op_id)
        most = stage.env.config.max_delay_seconds
        seconds = integer(options.get("WaitSeconds"), "WaitOptions.WaitSeconds", 1, most)
        op = stage.create(update, op_id, "WAIT")
        due = stage.now + seconds * 1000
        op.view["WaitDetails"] = {"ScheduledEndTimestamp": due}
        op.data = {"seconds": seconds}
        stage.log("WaitStarted", op.view, {"Duration": seconds, "ScheduledEndTimestamp": due})
        return
    if action != "CANCEL":
        no_action("WAIT", op_id, action)
    if op is None:
        invalid(f"wait {op_id} does not exist and cannot CANCEL")
    failure = checked_error(update.get("Error"), f"Error of operation {op_id}", stage.env.config.max_error_bytes)
    op = stage.edit(op)
    op.view["Status"] = "CANCELLED"
    op.view["EndTimestamp"] = stage.now
    stage.log("WaitCancelled", op.view, {} if failure is None else {"Error": event_error(failure)})


def callback_id(key: int, op_id: str, nonce: str) -> str:
    """Locates execution and operation, and holds a secret, in the characters that shape CallbackId allows."""
    return b64encode(f"{key}:{op_id}:{nonce}".encode()).decode()


def _callback(stage: Stage, update: Update, op_id: str, action: str, op: Op | None) -> None:
    if action != "START":
        no_action("CALLBACK", op_id, action)
    only_new("callback", op_id, op)
    options = options_of(update, "CallbackOptions", op_id)
    most = limits.MAX_CALLBACK_TIMEOUT_SECONDS
    timeout = integer(options.get("TimeoutSeconds") or 0, "CallbackOptions.TimeoutSeconds", 0, most)
    heartbeat = integer(options.get("HeartbeatTimeoutSeconds") or 0, "CallbackOptions.HeartbeatTimeoutSeconds", 0, most)
    op = stage.create(update, op_id, "CALLBACK")
    token = callback_id(stage.ex.key, op_id, stage.env.ids.nonce())
    op.view["CallbackDetails"] = {"CallbackId": token}
    details: dict[str, Any] = {"CallbackId": token}
    data: dict[str, Any] = {}
    if heartbeat:
        details["HeartbeatTimeout"] = heartbeat
        data["heartbeat_s"] = heartbeat
        data["heartbeat_at"] = stage.now + heartbeat * 1000
    if timeout:
        details["Timeout"] = timeout
        data["timeout_at"] = stage.now + timeout * 1000
    op.data = data or None
    stage.log("CallbackStarted", op.view, details)


def _chained_invoke(stage: Stage, update: Update, op_id: str, action: str, op: Op | None) -> None:
    if action != "START":
        no_action("CHAINED_INVOKE", op_id, action)
    only_new("chained invoke", op_id, op)
    options = options_of(update, "ChainedInvokeOptions", op_id)
    name = options.get("FunctionName")
    if name is None:
        invalid(f"chained invoke {op_id} needs ChainedInvokeOptions.FunctionName")
    function = text(name, "ChainedInvokeOptions.FunctionName")
    if not 1 <= len(function) <= 256 or limits.FUNCTION_NAME_PATTERN.fullmatch(function) is None:
        invalid(f"ChainedInvokeOptions.FunctionName {clipped(function)} is not a function name or ARN")
    tenant = options.get("TenantId")
    if tenant is not None and limits.TENANT_ID_PATTERN.fullmatch(text(tenant, "TenantId")) is None:
        invalid(
            f"ChainedInvokeOptions.TenantId {clipped(tenant)} must be 1 to 256 of A-Z a-z 0-9 . _ : / = + - @ space"
        )
    trace = options.get("XAmznTraceId")
    if trace is not None and len(text(trace, "XAmznTraceId")) > 8192:
        invalid("ChainedInvokeOptions.XAmznTraceId is longer than 8,192 characters")
    body = payload(update.get("Payload"), f"Payload of operation {op_id}", stage.env.config.max_operation_payload)
    op = stage.create(update, op_id, "CHAINED_INVOKE")
    op.view["ChainedInvokeDetails"] = {}
    target = stage.env.resolve(function)
    details: dict[str, Any] = {"FunctionName": function, "Input": event_result(body)}
    data: dict[str, Any] = {
        "launch_at": stage.now + stage.env.config.chained_invoke_grace_ms,
        "function": function,
        "payload": body,
    }
    if tenant is not None:
        details["TenantId"] = data["tenant"] = tenant
    if trace is not None:
        data["trace"] = trace
    if target is not None and not isinstance(target, Exception):
        details["ExecutedVersion"] = target.version
        if target.spec.durable:
            child = data["child"] = stage.env.ids.execution_id()
            details["DurableExecutionArn"] = f"{target.arn}/durable-execution/{child}/{child}"
    op.data = data
    stage.log("ChainedInvokeStarted", op.view, details)


_HANDLERS: Final = {
    "STEP": _step,
    "CONTEXT": _context,
    "WAIT": _wait,
    "CALLBACK": _callback,
    "CHAINED_INVOKE": _chained_invoke,
}
