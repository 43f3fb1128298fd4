"""The records an execution consists of, as they are written.

They change at different speeds and are written separately: :class:`Facts` once, :class:`Outcome` once, :class:`Op`
when an operation changes, :class:`Head` with every command.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from durably.wire.shapes import ErrorObject

__all__ = ["Effect", "Facts", "Head", "Op", "Outcome", "Pause", "launching", "op_timers", "pending", "terminal"]

_TERMINAL: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"})
_SUSPENDS: Final = frozenset({"WAIT", "CALLBACK", "CHAINED_INVOKE"})


class Facts(msgspec.Struct, array_like=True):
    """What is decided when an execution starts."""

    id: str
    arn: str
    name: str
    function: str
    version: str
    start_ms: int
    input: str
    payload_limit: int
    execution_timeout_s: int
    retention_days: int
    tenant_id: str | None = None
    trace_id: str | None = None
    parent_key: int | None = None
    parent_operation: str | None = None


class Outcome(msgspec.Struct, array_like=True):
    """How an execution ended (or, while its last invocation still runs, how that has recorded that it ends)."""

    status: str
    result: str | None = None
    error: ErrorObject | None = None
    end_ms: int = 0


class Pause(msgspec.Struct, array_like=True):
    requested_ms: int
    reason: str | None
    stops_timeout: bool
    since_ms: int = 0
    """When the pause took hold; 0 while an invocation still runs towards its next checkpoint."""
    timeout_was: int = 0
    """When the execution would have timed out."""


class Op(msgspec.Struct, array_like=True):
    """One operation. ``view`` is the service model's Operation and is replaced, never altered, once others saw it.

    ``seq`` orders operations by their last change; ``by`` is the ordinal of the invocation that made it (0: the
    service itself); ``data`` is what only the service needs.
    """

    view: dict[str, Any]
    seq: int
    by: int
    data: dict[str, Any] | None = None


class Head(msgspec.Struct, array_like=True):
    """What changes with every command: counters, the token chain, the running invocation."""

    status: str = "RUNNING"
    seq: int = 0
    """Changes of operations so far."""
    events: int = 0
    """Id of the last history event."""
    invocation: int = 0
    """Ordinal of the latest invocation."""
    request_id: str = ""
    """Of the running invocation; empty when none runs."""
    started_ms: int = 0
    nonce: str = ""
    """Of the latest invocation's token chain; empty when no token is valid."""
    link: int = 0
    """Position in the chain: how many tokens of it were used."""
    began: int = 0
    """``seq`` when the latest invocation began."""
    told: int = 0
    """``seq`` up to which the latest invocation knows everything."""
    told_before: int = 0
    """``told`` before the latest checkpoint, to answer that checkpoint once more."""
    client_token: str | None = None
    client_token_ms: int = 0
    wake: int = 0
    """``seq`` of the latest change that the service itself made."""
    revoked: bool = False
    """The latest invocation was cut off by a pause and must be followed by another."""
    progressed: bool = False
    failures: int = 0
    """Invocations in a row that failed without having recorded anything."""
    retry_at: int | None = None
    timeout_at: int = 0
    due: int | None = None
    """The next timer, so that recovery need not read the operations."""
    calls: int = 0
    """Chained invokes of plain functions that are under way."""
    pause: Pause | None = None
    pause_token: str | None = None
    pause_token_ms: int = 0
    resume_token: str | None = None
    resume_token_ms: int = 0
    blamed: int = 0
    """Of ``failures``, those that were the function's own."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Something the kernel is to do. ``kind`` is one of

    ``dispatch`` run the invocation ``data`` (request_id, payload, deadline_ms) once the state is durable;
    ``launch`` start the target of chained invoke ``operation``, in the same commit;
    ``ended`` the execution ended: answer who waits and, in the same commit, tell the parent.
    """

    kind: str
    operation: str = ""
    data: dict[str, Any] = field(default_factory=dict[str, Any])


def terminal(op: Op) -> bool:
    return op.view["Status"] in _TERMINAL


def pending(op: Op) -> bool:
    """Something other than the function will complete it."""
    status = op.view["Status"]
    if status == "STARTED":
        return op.view["Type"] in _SUSPENDS
    return bool(status == "PENDING")


def launching(op: Op) -> bool:
    return op.data is not None and op.data.get("launch_at") is not None


def op_timers(op: Op) -> list[tuple[int, str]]:
    """What an operation waits for, as (due, kind)."""
    view = op.view
    status = view["Status"]
    kind = view["Type"]
    if status == "PENDING":
        return [(view["StepDetails"]["NextAttemptTimestamp"], "retry")]
    if status != "STARTED":
        return []
    if kind == "WAIT":
        return [(view["WaitDetails"]["ScheduledEndTimestamp"], "wait")]
    if op.data is None:
        return []
    found: list[tuple[int, str]] = []
    for name, timer in (("timeout_at", "timeout"), ("heartbeat_at", "heartbeat"), ("launch_at", "launch")):
        due = op.data.get(name)
        if due is not None:
            found.append((due, timer))
    return found
