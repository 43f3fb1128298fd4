"""A lock that nobody owns before it runs.

CPython's own lock is given to a waiting thread the moment it is released. That thread still has to wait for the
interpreter, which whoever released the lock keeps; if that one soon wants the lock again, as threads do that run
short branches, it finds it owned, and blocks. From then on every use of the lock is a change of threads: a convoy,
started by a single thread that lost the interpreter at the wrong moment, and never dissolved.

Here a release only tells one of those who wait to try again. Whoever runs takes the lock.
"""

from __future__ import annotations

from _thread import LockType, allocate_lock
from collections import deque
from contextlib import suppress

__all__ = ["BargingLock"]


class BargingLock:
    """A mutual exclusion without owner, order or timeout, for short sections."""

    __slots__ = ("_bells", "_lock", "_release", "_take")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._take = self._lock.acquire
        self._release = self._lock.release
        self._bells: deque[LockType] = deque()

    def acquire(self) -> None:
        while not self._take(False):
            bell = allocate_lock()
            bell.acquire()
            self._bells.append(bell)
            # Whoever released the lock before it could see the bell has left it free.
            if self._take(False):
                with suppress(ValueError):  # rung already; the release of this one rings the next
                    self._bells.remove(bell)
                return
            bell.acquire()

    def release(self) -> None:
        self._release()
        if self._bells:
            with suppress(IndexError):  # another release was quicker
                self._bells.popleft().release()

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        self._release()
        if self._bells:
            with suppress(IndexError):
                self._bells.popleft().release()
