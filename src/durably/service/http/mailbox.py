"""Bringing the service's answers back onto the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from durably.wire.api_errors import ApiError

__all__ = ["Mailbox"]

Result = dict[str, Any] | ApiError


class Mailbox:
    """Wakes a loop once for all the answers that have come in since it last looked.

    The service answers on a thread of its own, after a commit that may have settled a hundred requests. Waking a
    loop from another thread is a system call, the dearest part of handing over a small answer; so answers queue here
    and only the first one rings. The flag is lowered *before* the queue is emptied: an answer that comes in between
    is either taken in this round or rings again, never left lying.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._letters: deque[tuple[asyncio.Future[dict[str, Any]], Result]] = deque()
        self._rung = False

    def expect(self) -> tuple[asyncio.Future[dict[str, Any]], Callable[[Result], None]]:
        """A future for one answer, and the function (for any thread) that delivers it."""
        future: asyncio.Future[dict[str, Any]] = self.loop.create_future()

        def deliver(result: Result) -> None:
            self._letters.append((future, result))
            if not self._rung:
                self._rung = True
                try:
                    self.loop.call_soon_threadsafe(self._hand_out)
                except RuntimeError:
                    pass  # the loop is closed: the server stopped, and its client went with it

        return future, deliver

    def _hand_out(self) -> None:
        self._rung = False
        while self._letters:
            future, result = self._letters.popleft()
            settle(future, result)


def settle(future: asyncio.Future[dict[str, Any]], result: Result) -> None:
    """Complete ``future`` unless nobody waits any more."""
    if future.done():
        return
    if isinstance(result, ApiError):
        future.set_exception(result)
    else:
        future.set_result(result)
