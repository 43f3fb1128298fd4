"""An event loop on a thread of its own that no coroutine can bring down."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["LoopThread"]


class LoopThread:
    """``call`` wakes the loop once for all that has been handed in since it last looked: that is a system call."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._calls: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._rung = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, callback: Callable[..., Any], *args: Any) -> bool:
        """Call in the loop, in an empty context. False: the loop is closed."""
        self._calls.append((callback, args))
        return self._rung or self._ring()

    def _ring(self) -> bool:
        self._rung = True
        try:
            self.loop.call_soon_threadsafe(self._make_calls)
        except RuntimeError:
            self._rung = False
            return False
        return True

    def _make_calls(self) -> None:
        self._rung = False  # first: what comes in from now on is made in this round or rings again
        calls = self._calls
        try:
            while calls:
                callback, args = calls.popleft()
                contextvars.Context().run(callback, *args)
        finally:
            if calls and not self._rung:
                self._ring()  # one has raised: the loop reports it, and the others are still to be made

    def close(self, timeout: float) -> None:
        """Cancel what runs and wait up to ``timeout`` seconds for it to end. Idempotent."""
        if self._closing:
            return
        self._closing = True
        self.call(self._wind_up, time.monotonic() + timeout)
        if self._thread is not threading.current_thread():
            self._thread.join(timeout + 0.5)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._closing:
            try:
                self.loop.run_forever()
            except BaseException:  # asyncio lets SystemExit and KeyboardInterrupt of any task through
                continue
        self.loop.close()

    def _wind_up(self, until: float) -> None:
        tasks = asyncio.all_tasks(self.loop)
        if not tasks or time.monotonic() >= until:
            self.loop.stop()
            return
        for task in tasks:
            task.cancel()
        self.loop.call_later(0.005, self._wind_up, until)
