"""An event loop on a thread of its own that no coroutine can bring down."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["LoopThread"]


class LoopThread:
    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, callback: Callable[..., Any], *args: Any) -> bool:
        """Call in the loop, in an empty context. False: the loop is closed."""
        try:
            self.loop.call_soon_threadsafe(callback, *args, context=contextvars.Context())
        except RuntimeError:
            return False
        return True

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
