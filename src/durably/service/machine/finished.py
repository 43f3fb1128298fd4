"""What becomes of an execution when an invocation of its function ends."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from durably.service.ports import InvocationResult
from durably.wire.api_errors import ApiError
from durably.wire.shapes import ErrorObject

from .checkpoint import launch_all
from .checks import checked_error, clipped, payload
from .env import Env
from .events import error as event_error
from .events import event
from .lifecycle import end, invoke_if_due, settle_pause
from .model import Execution, Outcome

__all__ = ["failure_of", "invocation_finished"]

_IN_VAIN_ATTEMPTS: Final = 3
_IN_VAIN: Final[ErrorObject] = {
    "ErrorType": "InvalidParameterValueException",
    "ErrorMessage": (
        "the function answered PENDING while nothing is pending (no step waiting for its next attempt, no wait, "
        "callback or chained invoke under way), so nothing could ever wake it"
    ),
}

_DEFAULT_ERRORS: Final[dict[str, tuple[str, str]]] = {
    "raised": ("Runtime.HandlerError", "the function raised an error it did not describe"),
    "crashed": ("Runtime.ExitError", "Runtime exited before the function answered"),
    "timed_out": ("Sandbox.Timedout", "the function did not answer before its timeout"),
    "unavailable": ("Runtime.Unavailable", "the function could not be started"),
    "interrupted": ("Runtime.ExitError", "the service stopped while the function was running"),
}


def failure_of(result: InvocationResult, request_id: str) -> ErrorObject:
    """The error of an invocation that did not return."""
    kind, message = _DEFAULT_ERRORS[result.kind]
    failure: ErrorObject = {"ErrorType": kind, "ErrorMessage": f"RequestId: {request_id} Error: {message}"}
    return failure | (result.error or {})


def invocation_finished(ex: Execution, env: Env, request_id: str, result: InvocationResult) -> None:
    """The invocation ``request_id`` is over. A report of any but the running one changes nothing."""
    head = ex.head
    if ex.ended or head.request_id != request_id:
        return
    outcome: Outcome | None = None
    failure = None if result.kind == "returned" else failure_of(result, request_id)
    if failure is None and ex.outcome is None:
        outcome = _judged(ex, env, result.payload)
        if outcome is None and _in_vain(ex):
            failure = _IN_VAIN
    details: dict[str, Any] = {
        "StartTimestamp": head.started_ms,
        "EndTimestamp": env.now,
        "RequestId": request_id,
    }
    if failure is not None:
        details["Error"] = event_error(failure)
    ex.log(event("InvocationCompleted", env.now, details))
    head.request_id = ""
    head.nonce = ex.token = ""
    if ex.launches:
        launch_all(ex, list(ex.launches))
    if ex.outcome is not None:
        end(ex, env, ex.outcome)
    elif failure is not None:
        _failed(ex, env, failure, result.kind)
    else:
        head.failures = head.blamed = 0
        _answered(ex, env, outcome)


def _failed(ex: Execution, env: Env, failure: ErrorObject, kind: str) -> None:
    """Try again later, as Lambda does, as long as there is hope.

    A function that was not run (``unavailable``: its file does not import for the moment) is tried more and more
    slowly, but that never fails the execution. One that was cut off by the service's own end (``interrupted``) runs
    again at once, however often the service is stopped. One that answered PENDING with nothing pending may have been
    misled, by an answer that arrived cut short or by a race in its SDK, which a replay resolves: it gets a few tries.
    """
    head, config = ex.head, env.config
    if head.progressed:
        head.failures = head.blamed = 0
    if kind != "interrupted":
        head.failures += 1
        head.blamed += kind != "unavailable"
    if head.blamed >= (_IN_VAIN_ATTEMPTS if kind == "returned" else config.retry_attempts):
        end(ex, env, Outcome("FAILED", error=failure))
    elif head.pause is not None:
        head.revoked = True
        if head.status == "PAUSING":
            settle_pause(ex, env)
    elif head.revoked or (kind == "interrupted" and not head.failures):
        invoke_if_due(ex, env)
    else:
        delay = min(config.retry_initial_ms << min(max(head.failures - 1, 0), 30), config.retry_cap_ms)
        head.retry_at = env.now + delay
        ex.arm(head.retry_at, "invocation")


def _judged(ex: Execution, env: Env, answer: str | None) -> Outcome | None:
    """The end that the function's answer brings; None for PENDING."""
    try:
        return _outcome(ex, env, answer)
    except ApiError as refusal:
        return Outcome("FAILED", error={"ErrorType": refusal.code, "ErrorMessage": refusal.message})


def _in_vain(ex: Execution) -> bool:
    """Nothing is pending, and nothing was completed since the invocation began, so nothing could ever wake it."""
    head = ex.head
    return not (head.pause is not None or head.revoked or ex.pending or head.wake > head.began)


def _answered(ex: Execution, env: Env, outcome: Outcome | None) -> None:
    head = ex.head
    if outcome is not None:
        end(ex, env, outcome)
    elif head.pause is not None:
        # Whether PENDING was right is judged when the execution is resumed; it must not be forgotten until then.
        head.revoked = head.revoked or not ex.pending
        if head.status == "PAUSING":
            settle_pause(ex, env)
    elif head.revoked or head.wake > head.told or not ex.pending:
        # Something completed that this invocation was not told of, or was told of on its last call, when it had
        # stopped listening; or a pause cut it off.
        invoke_if_due(ex, env)


def _outcome(ex: Execution, env: Env, answer: str | None) -> Outcome | None:
    """The end that an InvocationOutput asks for; None for PENDING. Raises ApiError for what is not one."""
    try:
        output = msgspec.json.decode(answer or "null")
    except (msgspec.DecodeError, UnicodeError):
        raise _not_output(f"it is not JSON: {clipped(answer)}") from None
    if not isinstance(output, dict):
        raise _not_output(f"it is not an object: {clipped(answer)}")
    status = output.get("Status")
    if status == "PENDING":
        return None
    if status == "SUCCEEDED":
        result = payload(output.get("Result"), "Result of the execution", ex.facts.payload_limit)
        return Outcome("SUCCEEDED", result=result)
    if status == "FAILED":
        failure = checked_error(output.get("Error"), "Error of the execution", env.config.max_error_bytes)
        return Outcome("FAILED", error=failure or {})
    raise _not_output(f"Status is {clipped(status)}, not SUCCEEDED, FAILED or PENDING")


def _not_output(why: str) -> ApiError:
    return ApiError(
        "InvalidParameterValueException",
        f"the function's answer is not that of a durable function: {why}; is it decorated with @durable_execution?",
    )
