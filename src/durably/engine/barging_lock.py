"""A lock that nobody owns before it runs.

CPython's own lock is given to a waiting thread the moment it is released. That thread still has to wait for the
interpreter, which whoever released the lock keeps; if that one soon wants the lock again, as threads do that run
short branches, it finds it owned, and blocks. From then on every use of the lock is a change of threads: a convoy,
started by a single thread that lost the interpreter at the wrong moment, and never dissolved.

Here a release only tells one of those who wait to try again. Whoever runs takes the lock.

A signal may raise an exception between any two steps of the main thread (KeyboardInterrupt), so inside of these
methods, too. What is underneath knows its holder, so that a lock which such a thread has kept can be told and freed.
"""

from __future__ import annotations

from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import Any

__all__ = ["BargingLock"]


class BargingLock:
    """A mutual exclusion without order or timeout, for short sections. Nobody takes it twice.

    Attributes:
        is_held: whether the caller's thread holds it.
    """

    __slots__ = ("_bells", "_release", "_take", "is_held")

    def __init__(self) -> None:
        lock: Any = RLock()
        self._take = lock.acquire
        self._release = lock.release
        self.is_held: Callable[[], bool] = lock._is_owned
        self._bells: deque[LockType] = deque()

    def acquire(self) -> None:
        try:
            if not self._take(False):
                self._wait()
        except BaseException:  # an interrupt: perhaps when it was taken already, or the bell rung
            self.free()
            raise

    def _wait(self) -> None:
        while True:
            bell = allocate_lock()
            bell.acquire()
            self._bells.append(bell)
            try:
                # Whoever released the lock before it could see the bell has left it free.
                if self._take(False):
                    with suppress(ValueError):  # rung already; the release of this one rings the next
                        self._bells.remove(bell)
                    return
                bell.acquire()
            except BaseException:
                with suppress(ValueError):
                    self._bells.remove(bell)
                raise
            if self._take(False):
                return

    def release(self) -> None:
        self._release()
        if self._bells:
            self._ring()

    def free(self) -> None:
        """The caller's thread was interrupted: release the lock if it holds it, and let another one try."""
        while self.is_held():
            self._release()
        self._ring()

    def _ring(self) -> None:
        with suppress(IndexError):  # nobody waits, or another release was quicker
            self._bells.popleft().release()

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        self.release()
