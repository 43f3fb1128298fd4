"""Daemon threads kept for reuse: starting one costs more than a checkpoint of the embedded service."""

from __future__ import annotations

import threading
from _thread import allocate_lock
from collections.abc import Callable

__all__ = ["borrow"]

_idle: list[_Thread] = []
_guard = threading.Lock()


class _Thread:
    """One thread that runs one job after another."""

    __slots__ = ("_job", "_wake")

    def __init__(self) -> None:
        self._wake = allocate_lock()
        self._wake.acquire()
        self._job: Callable[[], None] | None = None
        threading.Thread(target=self._serve, name="durably-sender", daemon=True).start()

    def start(self, job: Callable[[], None]) -> None:
        self._job = job
        self._wake.release()

    def _serve(self) -> None:
        while True:
            self._wake.acquire()
            job, self._job = self._job, None
            if job is not None:
                job()
            with _guard:
                _idle.append(self)


def borrow(job: Callable[[], None]) -> None:
    """Run ``job`` (which must not raise) on an idle daemon thread, or on a new one."""
    with _guard:
        thread = _idle.pop() if _idle else None
    (thread or _Thread()).start(job)
