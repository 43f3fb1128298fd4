"""What reaches an execution from outside its function: callbacks, timers, and the ends of chained invokes."""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Final

from durably.wire.api_errors import ApiError
from durably.wire.shapes import ErrorObject

from .checkpoint import launch_all
from .checks import invalid, utf8_size, within
from .env import Env
from .events import error as event_error
from .events import operation_event
from .events import result as event_result
from .lifecycle import invoke_if_due, time_out
from .model import Execution, Op

__all__ = ["callback_fail", "callback_heartbeat", "callback_succeed", "child_done", "locate_callback", "timers_due"]


# ---- callbacks ----------------------------------------------------------------------------------------


def no_callback(callback_id: str) -> ApiError:
    return ApiError("ResourceNotFoundException", f"no callback has the id {callback_id!r}")


def locate_callback(callback_id: str) -> tuple[int, str]:
    """(execution key, operation id) of a callback id of this service. Raises ResourceNotFoundException."""
    try:
        key, op_id, _ = b64decode(callback_id, validate=True).decode("ascii").split(":")
        return int(key), op_id
    except ValueError:
        raise no_callback(callback_id) from None


def _open_callback(ex: Execution, op_id: str, callback_id: str) -> Op:
    op = ex.ops.get(op_id)
    if op is None or op.view["Type"] != "CALLBACK" or op.view["CallbackDetails"]["CallbackId"] != callback_id:
        raise no_callback(callback_id)
    status = op.view["Status"]
    if status == "TIMED_OUT":
        raise ApiError("CallbackTimeoutException", f"callback {callback_id!r} has timed out")
    if status != "STARTED":
        raise ApiError("CallbackTimeoutException", f"callback {callback_id!r} has been completed already ({status})")
    if ex.outcome is not None:
        raise ApiError(
            "CallbackTimeoutException", f"the execution of callback {callback_id!r} has ended ({ex.outcome.status})"
        )
    return op


def callback_succeed(ex: Execution, env: Env, op_id: str, callback_id: str, result: str | None) -> None:
    op = _open_callback(ex, op_id, callback_id)
    limit = env.config.max_operation_payload
    if result is not None and not within(result, limit):
        invalid(f"Result is {utf8_size(result):,} bytes long, more than the {limit:,} of a callback")
    members: dict[str, Any] = {} if result is None else {"Result": result}
    _complete(ex, env, op, "SUCCEEDED", "CallbackSucceeded", members, {"Result": event_result(result)})
    invoke_if_due(ex, env)


def callback_fail(ex: Execution, env: Env, op_id: str, callback_id: str, failure: ErrorObject) -> None:
    op = _open_callback(ex, op_id, callback_id)
    _complete(ex, env, op, "FAILED", "CallbackFailed", {"Error": failure}, {"Error": event_error(failure)})
    invoke_if_due(ex, env)


def callback_heartbeat(ex: Execution, env: Env, op_id: str, callback_id: str) -> None:
    """Start the heartbeat's time anew. Invisible to the function, so no change of the operation."""
    op = _open_callback(ex, op_id, callback_id)
    if op.data is None or "heartbeat_s" not in op.data:
        return
    due = env.now + op.data["heartbeat_s"] * 1000
    op.data = op.data | {"heartbeat_at": due}
    ex.changed[op_id] = op
    ex.touched = True
    ex.arm(due, "heartbeat", op)


_DETAILS: Final = {"CALLBACK": "CallbackDetails", "CHAINED_INVOKE": "ChainedInvokeDetails"}


def _complete(
    ex: Execution, env: Env, op: Op, status: str, kind: str, members: dict[str, Any], details: dict[str, Any]
) -> None:
    view = dict(op.view)
    view["Status"] = status
    view["EndTimestamp"] = env.now
    name = _DETAILS.get(view["Type"])
    if name is not None:
        view[name] = view[name] | members
    ex.change(op, view)
    ex.log(operation_event(kind, view, env.now, details))


# ---- timers -------------------------------------------------------------------------------------------


def timers_due(ex: Execution, env: Env) -> None:
    """Everything that is due by now, in order; then one invocation for all of it."""
    woken = False
    while (timer := ex.pop_due(env.now)) is not None:
        _, _, kind, op_id = timer
        if kind == "execution":
            time_out(ex, env)
            return
        if kind == "invocation":
            ex.head.retry_at = None
            ex.touched = True
            if ex.head.pause is not None:
                ex.head.revoked = True
            woken = True
        elif kind == "launch":
            launch_all(ex, [op_id])
        else:
            _operation_due(ex, env, ex.ops[op_id], kind)
            woken = True
    if woken:
        invoke_if_due(ex, env)


def _operation_due(ex: Execution, env: Env, op: Op, kind: str) -> None:
    if kind == "wait":
        seconds = (op.data or {})["seconds"]
        _complete(ex, env, op, "SUCCEEDED", "WaitSucceeded", {}, {"Duration": seconds})
    elif kind == "retry":
        ex.change(op, op.view | {"Status": "READY"})
    else:
        if kind == "timeout":
            failure: ErrorObject = {"ErrorType": "Callback.Timeout", "ErrorMessage": "Callback timed out"}
        else:
            failure = {"ErrorType": "Callback.Heartbeat", "ErrorMessage": "Callback heartbeat timed out"}
        _complete(ex, env, op, "TIMED_OUT", "CallbackTimedOut", {"Error": failure}, {"Error": event_error(failure)})


# ---- chained invokes ------------------------------------------------------------------------------------


_CHILD_EVENTS: Final = {
    "SUCCEEDED": "ChainedInvokeSucceeded",
    "FAILED": "ChainedInvokeFailed",
    "TIMED_OUT": "ChainedInvokeTimedOut",
    "STOPPED": "ChainedInvokeStopped",
}


def child_done(
    ex: Execution, env: Env, op_id: str, status: str, result: str | None, failure: ErrorObject | None
) -> None:
    """The target of chained invoke ``op_id`` ended. Whatever arrives after the operation or execution ended is lost."""
    op = ex.ops.get(op_id)
    if op is None or op.view["Status"] != "STARTED" or ex.ended:
        return
    if op.data is not None and op.data.get("plain"):
        ex.head.calls -= 1
    limit = env.config.max_operation_payload
    if status == "SUCCEEDED" and result is not None and not within(result, limit):
        status = "FAILED"
        message = f"the result is {utf8_size(result):,} bytes long, more than the {limit:,} of a chained invoke"
        failure = {"ErrorType": "InvalidParameterValueException", "ErrorMessage": message}
    if status == "SUCCEEDED":
        members: dict[str, Any] = {} if result is None else {"Result": result}
        details = {"Result": event_result(result)}
    else:
        members = {"Error": failure or {}}
        details = {"Error": event_error(failure)}
    _complete(ex, env, op, status, _CHILD_EVENTS[status], members, details)
    invoke_if_due(ex, env)
