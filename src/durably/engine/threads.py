"""Daemon threads kept for reuse: starting one costs more than a checkpoint of the embedded service."""

from __future__ import annotations

import os
import threading
from _thread import allocate_lock
from collections import deque
from collections.abc import Callable
from contextlib import suppress

__all__ = ["borrow", "look_soon"]

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


class _Lookout:
    """One thread for all runs that looks, when it gets to it, whether something is still to be done."""

    __slots__ = ("_bell", "_looks", "_thread")

    def __init__(self) -> None:
        self._looks: deque[Callable[[], None]] = deque()
        self._bell = allocate_lock()
        self._bell.acquire()
        self._thread: threading.Thread | None = None

    def add(self, look: Callable[[], None]) -> None:
        self._looks.append(look)
        if not self._bell.locked():
            return  # it has been rung, and the thread has yet to empty the queue
        if self._thread is None:
            with _guard:
                if self._thread is None:
                    thread = threading.Thread(target=self._serve, name="durably-lookout", daemon=True)
                    thread.start()
                    self._thread = thread
        with suppress(RuntimeError):  # somebody else rings at the same moment
            self._bell.release()

    def _serve(self) -> None:
        looks = self._looks
        while True:
            self._bell.acquire()  # first: what comes from now on rings again
            while looks:
                looks.popleft()()


_lookout = _Lookout()


def look_soon(look: Callable[[], None]) -> None:
    """Call ``look`` (which must neither block nor raise) soon, on a thread that all runs share.

    A run that wakes a thread of its own with every step has the interpreter change hands for nothing, since most steps
    are over before that thread gets to run. Here the looks of many runs make one change.
    """
    _lookout.add(look)


def _begin_anew() -> None:
    """In a process that has just been forked none of the threads exists."""
    global _guard, _lookout
    _idle.clear()
    _guard = threading.Lock()
    _lookout = _Lookout()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
