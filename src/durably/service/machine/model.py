"""One durable execution as the service holds it.

A command works on the :class:`Execution` in place, but only after everything about it has been checked, and notes
what it changed; the kernel writes the notes as one journal row. An execution whose row could not be written is thrown
away and read again, so that nothing that is not on disk is ever built upon.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any

from durably.wire.shapes import Event
from durably.wire.statuses import ENDED_STATUSES

from .records import Effect, Facts, Head, Op, Outcome, Pause, launching, op_timers, pending, terminal

__all__ = ["Effect", "Execution", "Facts", "Head", "Op", "Outcome", "Pause", "op_timers", "pending", "terminal"]

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
        self.key: int = key
        self.facts: Facts = facts
        self.head: Head = head
        self.outcome: Outcome | None = None
        self.ops: dict[str, Op] = {}
        """By id, in the order of their last change."""
        self.pending: set[str] = set()
        self.launches: list[str] = []
        """Chained invokes whose target is still to be started."""
        self.timers: list[Timer] = []
        self.revision: int = -1
        self.token: str = f"{head.nonce}{head.link}" if head.nonce else ""
        """The one token that is valid now; empty for none."""
        # Notes of what changed since the last journal row.
        self.touched: bool = False
        self.events: list[Event] = []
        self.changed: dict[str, Op] = {}
        self.new_facts: bool = False
        self.new_outcome: bool = False
        self.new_status: bool = False
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
        self.launches = [op_id for op_id in self.pending_in_order() if launching(self.ops[op_id])]
        self.timers = [(due, op.seq, kind, op_id) for op_id, op in self.ops.items() for due, kind in op_timers(op)]
        head = self.head
        self.timers.append((head.timeout_at, 0, "execution", ""))
        if head.retry_at is not None:
            self.timers.append((head.retry_at, 0, "invocation", ""))
        heapify(self.timers)

    def pending_in_order(self) -> list[str]:
        return [op_id for op_id in self.ops if op_id in self.pending]
