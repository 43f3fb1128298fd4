"""When parked operations fall due by themselves while something else of the invocation still runs.

An invocation that only waits is ended, and the service wakes it. One that lives on asks for what has fallen due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durably.wire.shapes import Operation

__all__ = ["Alarm", "due_of"]

_LONGEST = 86_400.0
_PATIENCE = 0.05
"""Seconds; doubled each time the service, whose clock may be behind ours, answers "not yet"."""


class Alarm:
    """One timer for the earliest of all.

    Parameters:
        now_ms: the clock that the service goes by.
        still: whether an operation still waits for that moment.
        fire: called when one is due.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        now_ms: Callable[[], int],
        still: Callable[[str, int], bool],
        fire: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._context = context
        self._now_ms = now_ms
        self._still = still
        self._fire = fire
        self._dues: list[tuple[int, str]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for: tuple[int, str] | None = None
        self._rings = 0

    def note(self, op_id: str, due_ms: int) -> None:
        """``op_id`` changes by itself at ``due_ms`` (epoch milliseconds)."""
        heappush(self._dues, (due_ms, op_id))
        if self._armed_for is None or due_ms < self._armed_for[0]:
            self.arm()

    def arm(self) -> None:
        """Set the timer for the earliest that still waits."""
        while self._dues and not self._still(self._dues[0][1], self._dues[0][0]):
            heappop(self._dues)
        first = self._dues[0] if self._dues else None
        if first == self._armed_for and self._timer is not None:
            return
        self.cancel()
        if first != self._armed_for:
            self._rings = 0
        self._armed_for = first
        if first is None:
            return
        delay = max(0.0, (first[0] - self._now_ms()) / 1000) + (_PATIENCE * 2**self._rings if self._rings else 0.0)
        self._timer = self._loop.call_later(min(delay, _LONGEST), self._ring, context=self._context)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._rings = min(self._rings + 1, 10)
        self._fire()


def due_of(record: Operation) -> int | None:
    """When ``record`` changes by itself (epoch milliseconds), if it does."""
    if record["Status"] == "PENDING":
        return record.get("StepDetails", {}).get("NextAttemptTimestamp")
    return record.get("WaitDetails", {}).get("ScheduledEndTimestamp") if record["Type"] == "WAIT" else None
