"""The end of an async invocation before the function's timeout.

When the moment comes, operations that begin are held back; what is done by then is recorded; then the run ends, and
what still runs is cancelled, without a record of that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .clock import monotonic
from .tasks import ParkFuture

if TYPE_CHECKING:
    from .async_run import AsyncRun

__all__ = ["TimeLimit"]


class TimeLimit:
    """Of one run, if it has one."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run
        self._timer: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    def set(self) -> None:
        """The run's ``stop_at`` is known."""
        run = self._run
        assert run.stop_at is not None
        self._timer = run.loop.call_later(run.stop_at - monotonic(), self._reached, context=run._outside)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    async def never(self) -> None:
        """Where an operation that is not to begin waits for the end."""
        self._run.refuse_if_ended()
        await ParkFuture(loop=self._run.loop)

    def _reached(self) -> None:
        self._run.stopping = True
        self._ending = self._run.loop.create_task(self._end())

    async def _end(self) -> None:
        run = self._run
        await run.flush_rest()
        if not run.returned:
            run.end(run.timeout_near())
