"""The virtual clock, as tests and the code under test see it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from durably.replay_safe import timestamp_from_execution
from durably.service.clock import ManualClock, SystemClock

from ._durations import Span, as_ms

if TYPE_CHECKING:
    from ._scheduler import Scheduler

__all__ = ["RealTime", "VirtualClock", "VirtualTime"]


class VirtualTime(ManualClock):
    """Time that passes when it is told to."""


class RealTime(SystemClock):
    """Time that passes by itself."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class VirtualClock:
    """Time as the service under test sees it. It stands still while code runs, and passes when all wait."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def now(self) -> datetime:
        """In UTC; stands in for ``datetime.now(timezone.utc)`` in code that is given its clock."""
        return timestamp_from_execution(self._scheduler.clock.now_ms())

    def time(self) -> float:
        """Seconds since the epoch; stands in for ``time.time``."""
        return self._scheduler.clock.now_ms() / 1000

    def now_ms(self) -> int:
        return self._scheduler.clock.now_ms()

    def sleep(self, span: Span) -> None:
        """Let a step take that long: stands in for ``time.sleep``. Coroutines just use ``asyncio.sleep``."""
        self._scheduler.sleep(as_ms(span, "sleep()") / 1000)

    def __repr__(self) -> str:
        return f"<VirtualClock {self.now():%Y-%m-%d %H:%M:%S.%f}>"
