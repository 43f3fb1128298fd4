"""One durable execution as the service holds it: its facts, its head, its operations.

The parts change at different speeds and are written separately: :class:`Facts` once, :class:`Outcome` once,
:class:`Op` when an operation changes, :class:`Head` with every command. A command works on the :class:`Execution` in
place, but only after everything about it has been checked, and notes what it changed; the kernel writes the notes as
one journal row. An execution whose row could not be written is thrown away and read again, so that nothing that is
not on disk is ever built upon.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any, Final

import msgspec

from durably.wire.names import ENDED_STATUSES
from durably.wire.shapes import ErrorObject, Event

__all__ = ["Effect", "Execution", "Facts", "Head", "Op", "Outcome", "Pause", "pending", "terminal"]

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


Timer = tuple[int, int, str, str]
"""(due, seq of the operation when it was set, kind, operation id)."""


class Execution:
    """The aggregate: one execution with all that a command needs to judge and to change it."""

    __slots__ = (
        "changed",
        "effects",
        "events",
        "facts",
        "head",
        "key",
        "launches",
        "new_facts",
        "new_outcome",
        "new_status",
        "ops",
        "outcome",
        "pending",
        "revision",
        "timers",
        "token",
        "touched",
    )

    def __init__(self, key: int, facts: Facts, head: Head) -> None:
        self.key = key
        self.facts = facts
        self.head = head
        self.outcome: Outcome | None = None
        self.ops: dict[str, Op] = {}
        """By id, in the order of their last change."""
        self.pending: set[str] = set()
        self.launches: list[str] = []
        """Chained invokes whose target is still to be started."""
        self.timers: list[Timer] = []
        self.revision = -1
        self.token = f"{head.nonce}{head.link}" if head.nonce else ""
        """The one token that is valid now; empty for none."""
        # Notes of what changed since the last journal row.
        self.touched = False
        self.events: list[Event] = []
        self.changed: dict[str, Op] = {}
        self.new_facts = False
        self.new_outcome = False
        self.new_status = False
        self.effects: list[Effect] = []

    @property
    def ended(self) -> bool:
        return self.head.status in ENDED_STATUSES

    @property
    def closing(self) -> bool:
        """The result is recorded; only the end of the invocation that recorded it is awaited."""
        return self.outcome is not None and not self.ended

    def put(self, op: Op) -> None:
        """Record ``op`` as the latest change."""
        op_id: str = op.view["Id"]
        ops = self.ops
        ops.pop(op_id, None)
        ops[op_id] = op
        self.changed[op_id] = op
        self.touched = True
        if pending(op):
            self.pending.add(op_id)
        else:
            self.pending.discard(op_id)

    def change(self, op: Op, view: dict[str, Any], data: dict[str, Any] | None = None) -> Op:
        """The service itself changes ``op``; returns the new record."""
        head = self.head
        head.seq += 1
        head.wake = head.seq
        changed = Op(view, head.seq, 0, data)
        self.put(changed)
        return changed

    def log(self, event: Event) -> None:
        head = self.head
        head.events += 1
        event["EventId"] = head.events
        self.events.append(event)
        self.touched = True

    def set_status(self, status: str) -> None:
        self.head.status = status
        self.new_status = True
        self.touched = True

    # ---- timers ------------------------------------------------------------------------------------

    def arm(self, due: int, kind: str, op: Op | None = None) -> None:
        if op is None:
            heappush(self.timers, (due, 0, kind, ""))
        else:
            heappush(self.timers, (due, op.seq, kind, op.view["Id"]))

    def _live(self, timer: Timer) -> bool:
        due, _, kind, op_id = timer
        if op_id:
            op = self.ops.get(op_id)
            return op is not None and (due, kind) in op_timers(op)
        head = self.head
        return due == (head.timeout_at if kind == "execution" else head.retry_at)

    def next_due(self) -> int | None:
        """When the next timer that still matters is due. Obsolete ones are dropped on the way."""
        if self.ended:
            return None
        timers = self.timers
        while timers:
            if self._live(timers[0]):
                return timers[0][0]
            heappop(timers)
        return None

    def pop_due(self, now: int) -> Timer | None:
        due = self.next_due()
        if due is None or due > now:
            return None
        return heappop(self.timers)

    def restore_indexes(self) -> None:
        """Rebuild from the records what is derived from them."""
        self.ops = {op.view["Id"]: op for op in sorted(self.ops.values(), key=lambda op: op.seq)}
        self.pending = {op_id for op_id, op in self.ops.items() if pending(op)}
        self.launches = [op_id for op_id in self.pending_in_order() if _launching(self.ops[op_id])]
        self.timers = [(due, op.seq, kind, op_id) for op_id, op in self.ops.items() for due, kind in op_timers(op)]
        head = self.head
        self.timers.append((head.timeout_at, 0, "execution", ""))
        if head.retry_at is not None:
            self.timers.append((head.retry_at, 0, "invocation", ""))
        heapify(self.timers)

    def pending_in_order(self) -> list[str]:
        return [op_id for op_id in self.ops if op_id in self.pending]


def _launching(op: Op) -> bool:
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
