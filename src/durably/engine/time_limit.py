"""The end of an async invocation before the function's timeout.

When the moment comes, operations that begin are held back, what is done is recorded, and steps that run may finish;
then the run ends. Steps that have not finished shortly before the timeout are cancelled, without a record of that:
the next invocation runs them again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .tasks import ParkFuture

if TYPE_CHECKING:
    from .async_run import AsyncRun

__all__ = ["TimeLimit"]


class TimeLimit:
    """Of one run, if it has one."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run
        self._timers: list[asyncio.TimerHandle] = []

    def set(self) -> None:
        """The run's ``stop_at`` and ``cut_at`` are known."""
        run = self._run
        assert run.stop_at is not None
        assert run.cut_at is not None
        now = run.environment.monotonic()
        for moment, reached in ((run.stop_at, self._stop), (run.cut_at, self._cut)):
            self._timers.append(run.loop.call_later(moment - now, reached, context=run._outside))

    def cancel(self) -> None:
        for timer in self._timers:
            timer.cancel()

    async def never(self) -> None:
        """Where what is not to begin any more waits for the end."""
        self._run.refuse_if_ended()
        await ParkFuture(loop=self._run.loop)

    def _stop(self) -> None:
        run = self._run
        run.stopping = True
        if run.outbox.acknowledged < run.outbox.last:
            run._send_by(run.outbox.last)
        run._check_soon()

    def _cut(self) -> None:
        self._run.end(self._run.timeout_near())
