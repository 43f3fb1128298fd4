"""The execution itself: start, end, stop, pause and resume, and when to invoke the function."""

from __future__ import annotations

from typing import Final

from durably.wire import limits
from durably.wire.api_errors import ApiError
from durably.wire.shapes import ErrorObject

from .env import Env
from .events import error as event_error
from .events import event
from .events import result as event_result
from .invocations import begin
from .model import Effect, Execution, Facts, Head, Outcome, Pause

__all__ = ["end", "invoke_if_due", "pause", "resume", "settle_pause", "start", "stop"]

_PAUSE_CAP_MS: Final = limits.MAX_EXECUTION_TIMEOUT_SECONDS * 1000
_END_EVENTS: Final = {
    "SUCCEEDED": "ExecutionSucceeded",
    "FAILED": "ExecutionFailed",
    "TIMED_OUT": "ExecutionTimedOut",
    "STOPPED": "ExecutionStopped",
}


def start(key: int, facts: Facts, env: Env) -> Execution:
    """A new execution with its first invocation begun."""
    ex = Execution(key, facts, Head(timeout_at=facts.start_ms + facts.execution_timeout_s * 1000))
    ex.new_facts = True
    ex.new_status = True
    ex.log(
        event(
            "ExecutionStarted",
            env.now,
            {"Input": event_result(facts.input), "ExecutionTimeout": facts.execution_timeout_s},
            Id=facts.id,
            Name=facts.name,
        )
    )
    ex.arm(ex.head.timeout_at, "execution")
    begin(ex, env)
    return ex


def end(ex: Execution, env: Env, outcome: Outcome) -> None:
    """The execution is over; this is the last event of its history."""
    outcome.end_ms = env.now
    ex.outcome = outcome
    ex.new_outcome = True
    ex.set_status(outcome.status)
    head = ex.head
    head.retry_at = None
    head.pause = None
    details = (
        {"Result": event_result(outcome.result)}
        if outcome.status == "SUCCEEDED"
        else {"Error": event_error(outcome.error)}
    )
    ex.log(event(_END_EVENTS[outcome.status], env.now, details, Id=ex.facts.id, Name=ex.facts.name))
    ex.timers.clear()
    ex.launches.clear()
    ex.effects.append(Effect("ended"))


def stop(ex: Execution, env: Env, failure: ErrorObject | None) -> dict[str, int]:
    """StopDurableExecution. The running invocation, if any, can record nothing more."""
    outcome = ex.outcome
    if outcome is None:
        end(ex, env, Outcome("STOPPED", error=failure or {}))
        return {"StopTimestamp": env.now}
    if not ex.ended:
        end(ex, env, outcome)
    if outcome.status == "STOPPED":
        return {"StopTimestamp": outcome.end_ms}
    raise ApiError(
        "InvalidParameterValueException", f"{ex.facts.arn} has ended ({outcome.status}) and cannot be stopped"
    )


def time_out(ex: Execution, env: Env) -> None:
    if ex.outcome is not None:
        end(ex, env, ex.outcome)
        return
    seconds = ex.facts.execution_timeout_s
    failure: ErrorObject = {
        "ErrorType": "Execution.Timeout",
        "ErrorMessage": f"the execution did not end within its timeout of {seconds:,} seconds",
    }
    end(ex, env, Outcome("TIMED_OUT", error=failure))


def pause(ex: Execution, env: Env, reason: str | None, stops_timeout: bool, client_token: str | None) -> None:
    """PauseDurableExecution: at once when no invocation runs, else at its next checkpoint or end."""
    head = ex.head
    if _known(client_token, head.pause_token, head.pause_token_ms, env):
        return
    _refuse_ended(ex, "paused")
    if head.status != "RUNNING":
        raise ApiError("ResourceConflictException", f"{ex.facts.arn} is {head.status} already; resume it first")
    head.pause = Pause(env.now, reason, stops_timeout)
    head.pause_token, head.pause_token_ms = client_token, env.now
    ex.set_status("PAUSING")
    if not head.request_id:
        settle_pause(ex, env)


def settle_pause(ex: Execution, env: Env) -> None:
    """From PAUSING to PAUSED."""
    head = ex.head
    assert head.pause is not None
    held = head.pause
    head.pause = Pause(held.requested_ms, held.reason, held.stops_timeout, env.now, head.timeout_at)
    if held.stops_timeout:
        head.timeout_at = ex.facts.start_ms + _PAUSE_CAP_MS
        ex.arm(head.timeout_at, "execution")
    ex.set_status("PAUSED")
    details: dict[str, object] = {"PauseRequestTimestamp": held.requested_ms}
    if held.reason is not None:
        details["Reason"] = event_result(held.reason)
    details["ExecutionTimeoutPaused"] = held.stops_timeout
    ex.log(event("ExecutionPaused", env.now, details, Id=ex.facts.id, Name=ex.facts.name))


def resume(ex: Execution, env: Env, reason: str | None, client_token: str | None) -> None:
    """ResumeDurableExecution. A pause that has not taken hold yet is cancelled without a trace."""
    head = ex.head
    if _known(client_token, head.resume_token, head.resume_token_ms, env):
        return
    _refuse_ended(ex, "resumed")
    held = head.pause
    if held is None:
        raise ApiError("ResourceConflictException", f"{ex.facts.arn} is not paused")
    head.resume_token, head.resume_token_ms = client_token, env.now
    head.pause = None
    ex.set_status("RUNNING")
    if not held.since_ms:
        return
    if held.stops_timeout:
        head.timeout_at = min(held.timeout_was + env.now - held.since_ms, ex.facts.start_ms + _PAUSE_CAP_MS)
        ex.arm(head.timeout_at, "execution")
    details: dict[str, object] = {"ResumeRequestTimestamp": env.now}
    if reason is not None:
        details["Reason"] = event_result(reason)
    ex.log(event("ExecutionResumed", env.now, details, Id=ex.facts.id, Name=ex.facts.name))
    if head.revoked or head.wake > head.told:
        invoke_if_due(ex, env)


def _known(client_token: str | None, known: str | None, since_ms: int, env: Env) -> bool:
    return client_token is not None and client_token == known and env.now - since_ms <= env.config.idempotency_window_ms


def _refuse_ended(ex: Execution, done: str) -> None:
    if ex.outcome is not None:
        raise ApiError(
            "ResourceConflictException", f"{ex.facts.arn} has ended ({ex.outcome.status}) and cannot be {done}"
        )


def invoke_if_due(ex: Execution, env: Env) -> None:
    """Begin an invocation, unless one runs, the execution is paused or over, or a retry's delay is running."""
    head = ex.head
    if head.status == "RUNNING" and not head.request_id and head.retry_at is None and ex.outcome is None:
        begin(ex, env)
