"""A pool of daemon threads that grows on demand and survives whatever its jobs do.

The standard pool would not do: it joins its threads when the program ends, so that one function that hangs would
keep the program from ending; and it cannot give up on a thread.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

__all__ = ["Seat", "ThreadPool"]

Job = Callable[["Seat"], None]
"""Gets the seat it runs in; must not raise."""

_IDLE_SECONDS: Final = 30.0


class Seat:
    """One thread of the pool, idle or at work."""

    __slots__ = ("abandoned", "jobs", "thread")

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.abandoned = False
        self.thread: threading.Thread | None = None


class ThreadPool:
    """At most ``limit`` threads at work; jobs beyond that wait. The thread that was idle last works first."""

    def __init__(self, limit: int, name: str, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._limit = limit
        self._name = name
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._idle: list[Seat] = []
        self._seats: set[Seat] = set()
        self._waiting: deque[Job] = deque()
        self._closed = False
        self._started = 0

    def submit(self, job: Job) -> bool:
        """Never blocks. False: the pool is closed."""
        with self._lock:
            if self._closed:
                return False
            if self._idle:
                self._idle.pop().jobs.put(job)
            elif len(self._seats) < self._limit:
                self._start(job)
            else:
                self._waiting.append(job)
            return True

    def abandon(self, seat: Seat) -> None:
        """Give up on the job in ``seat``: its place is free for another, its thread ends when the job does."""
        with self._lock:
            if seat.abandoned or seat not in self._seats:
                return
            seat.abandoned = True
            self._seats.discard(seat)
            if self._waiting and not self._closed:
                self._start(self._waiting.popleft())

    def close(self, timeout: float) -> None:
        """Drop what waits; wait up to ``timeout`` seconds for what runs."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            for seat in self._idle:
                seat.jobs.put(None)
            self._idle.clear()
            threads = [seat.thread for seat in self._seats if seat.thread is not None]
        until = time.monotonic() + timeout
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))

    def _start(self, job: Job) -> None:
        seat = Seat()
        self._started += 1
        seat.jobs.put(job)
        seat.thread = threading.Thread(
            target=self._work, args=(seat,), name=f"{self._name}-{self._started}", daemon=True
        )
        self._seats.add(seat)
        seat.thread.start()

    def _work(self, seat: Seat) -> None:
        job = seat.jobs.get()
        while job is not None:
            contextvars.Context().run(job, seat)
            del job
            with self._lock:
                if seat.abandoned:
                    return
                if self._closed:
                    break
                if self._waiting:
                    seat.jobs.put(self._waiting.popleft())
                else:
                    self._idle.append(seat)
            job = self._next(seat)
        with self._lock:
            self._seats.discard(seat)

    def _next(self, seat: Seat) -> Job | None:
        try:
            return seat.jobs.get(timeout=self._idle_seconds)
        except Empty:
            with self._lock:
                if seat in self._idle:
                    self._idle.remove(seat)
                    return None
            return seat.jobs.get()
