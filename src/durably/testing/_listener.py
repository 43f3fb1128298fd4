"""What a world learns from the service's events: which executions there are, and which callbacks are open."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from durably.wire.limits import MAX_EXECUTION_TIMEOUT_SECONDS
from durably.wire.shapes import Event

from ._durations import as_ms
from .callbacks import OpenCallback

if TYPE_CHECKING:
    from ._world import ExecutionRecord, World
    from .callbacks import Answer

__all__ = ["ExecutionRecord", "Listener"]

_CALLBACK_ENDS = frozenset({"CallbackSucceeded", "CallbackFailed", "CallbackTimedOut"})
_EXECUTION_ENDS = frozenset({"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionStopped"})


class Listener:
    """Hears every committed event.

    Attributes:
        callbacks: those that are open, by operation id.
        unmeant_deadlines: when executions time out that were given no timeout.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.callbacks: dict[tuple[str, str], OpenCallback] = {}
        self.unmeant_deadlines: set[int] = set()
        self._names: dict[tuple[str, str], str | None] = {}
        self._fresh: list[OpenCallback] = []
        self._planned: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def heard(self, arn: str, events: list[Event]) -> None:
        """Called by the service, within whatever thread asked it."""
        record = self._world.executions.get(arn)
        for event in events:
            kind = event["EventType"]
            if record is None:
                record = self._world.admit(arn, event)
            record.events.append(event)
            if kind in _EXECUTION_ENDS:
                record.ended = True
                self._forget(arn)
            elif kind == "CallbackStarted":
                self._opened(arn, event)
            elif kind in _CALLBACK_ENDS:
                self.callbacks.pop((arn, event.get("Id", "")), None)
            elif kind == "ContextStarted":
                if event.get("SubType") == "WaitForCallback":
                    self._names[arn, event.get("Id", "")] = event.get("Name")
            elif kind == "StepSucceeded" and (arn, parent_id := event.get("ParentId", "")) in self._names:
                self._submitted(arn, parent_id)

    def _opened(self, arn: str, event: Event) -> None:
        op_id, parent_id = event.get("Id", ""), event.get("ParentId")
        details: Any = event.get("CallbackStartedDetails")
        inside = parent_id is not None and (arn, parent_id) in self._names
        name = self._names[arn, parent_id] if inside and parent_id is not None else event.get("Name")
        callback = OpenCallback(name, details["CallbackId"], arn, op_id, parent_id, not inside, self._world)
        self.callbacks[arn, op_id] = callback
        if not inside:
            self._fresh.append(callback)
            self._world.handles.tell()

    def _submitted(self, arn: str, parent_id: str) -> None:
        for (owner, _), callback in self.callbacks.items():
            if owner == arn and callback.parent_id == parent_id and not callback.submitted:
                callback.submitted = True
                self._fresh.append(callback)
                self._world.handles.tell()

    def find(self, arn: str | None, name: str | None, index: int = 0) -> OpenCallback | None:
        """The open callback of that name (or any), in that execution (or any), that can be answered."""
        found = [
            one
            for one in list(self.callbacks.values())
            if arn in (None, one.execution_arn) and one.submitted and (name is None or one.name == name)
        ]
        return found[index] if index < len(found) else None

    def _forget(self, arn: str) -> None:
        for key in [key for key in self.callbacks if key[0] == arn]:
            del self.callbacks[key]

    def expect_deadline(self, started_ms: int, timeout_s: int) -> int | None:
        """The deadline of an execution; None if it has only the default one."""
        deadline = started_ms + timeout_s * 1000
        if timeout_s == MAX_EXECUTION_TIMEOUT_SECONDS:
            self.unmeant_deadlines.add(deadline)
            return None
        return deadline

    # ---- promised answers ------------------------------------------------------------------------------------

    def due_answer(self) -> Callable[[], None] | None:
        """What is to be said now to a callback; asked when nothing moves."""
        while self._fresh:
            callback = self._fresh.pop(0)
            answer = self._world.answer_for(callback.name)
            if answer is not None:
                self._plan(callback, answer)
        if self._planned and self._planned[0][0] <= self._world.now_ms():
            return heappop(self._planned)[2]
        return None

    def _plan(self, callback: OpenCallback, answer: Answer) -> None:
        now = self._world.now_ms()
        due = now + as_ms(answer.after, "after")
        if answer.heartbeat_every is not None:
            every = as_ms(answer.heartbeat_every, "heartbeat_every")
            beat = now + every
            while every and beat < due:
                self._at(beat, partial(self._if_open, callback, callback.heartbeat))
                beat += every
        self._at(due, partial(self._if_open, callback, partial(answer.give, callback)))

    def _if_open(self, callback: OpenCallback, action: Callable[[], None]) -> None:
        if (callback.execution_arn, callback.operation_id) in self.callbacks:
            action()

    def _at(self, due_ms: int, action: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._planned, (due_ms, self._count, action))

    def next_due_ms(self) -> int | None:
        return self._planned[0][0] if self._planned else None

    def look_again(self) -> None:
        """The answers have changed: callbacks that are open may have one now."""
        planned = set(map(id, self._fresh))
        self._fresh += [one for one in self.callbacks.values() if one.submitted and id(one) not in planned]
