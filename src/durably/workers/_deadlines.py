"""Calls at a later moment, made for deadlines: nearly all are cancelled long before they are due.

One thread sleeps until the earliest. Setting a later one does not wake it, nor does cancelling; what was cancelled
is swept out once it is the greater part.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Deadline", "Deadlines"]

_log: Final = logging.getLogger("durably.workers")
_SWEEP_ABOVE: Final = 64


class Deadline:
    __slots__ = ("_owner", "at", "callback")

    def __init__(self, owner: Deadlines, at: float, callback: Callable[[], None]) -> None:
        self._owner = owner
        self.at = at
        self.callback: Callable[[], None] | None = callback

    def __lt__(self, other: Deadline) -> bool:
        return self.at < other.at

    def cancel(self) -> None:
        self._owner.forget(self)


class Deadlines:
    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._heap: list[Deadline] = []
        self._cancelled = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def add(self, seconds: float, callback: Callable[[], None]) -> Deadline:
        """Call ``callback`` on this object's thread in ``seconds``; it must not block."""
        deadline = Deadline(self, time.monotonic() + seconds, callback)
        with self._changed:
            if self._closed:
                return deadline
            heapq.heappush(self._heap, deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            elif self._heap[0] is deadline:
                self._changed.notify()
        return deadline

    def forget(self, deadline: Deadline) -> None:
        with self._changed:
            if deadline.callback is None:
                return
            deadline.callback = None
            self._cancelled += 1
            if self._cancelled > _SWEEP_ABOVE and self._cancelled * 2 > len(self._heap):
                self._heap = [kept for kept in self._heap if kept.callback is not None]
                heapq.heapify(self._heap)
                self._cancelled = 0

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._heap.clear()
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (not self._heap or self._heap[0].at > time.monotonic()):
                    self._changed.wait(self._heap[0].at - time.monotonic() if self._heap else None)
                if self._closed:
                    return
                due = heapq.heappop(self._heap)
                callback, due.callback = due.callback, None
                if callback is None:
                    self._cancelled -= 1
                    continue
            try:
                callback()
            except Exception:
                _log.exception("a deadline's callback raised")
