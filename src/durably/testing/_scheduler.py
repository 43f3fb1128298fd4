"""Virtual time: who can still do something at this moment, and what happens when nobody can.

Every thread of a run is counted while it *moves*. One that has to wait *parks*: it is not counted until somebody wakes
it, and the count goes up at the moment of waking, not when the woken thread gets to run; so there is no moment at which
all seem to stand still although somebody is about to go on. When nothing moves, the *driver* acts: it hands the
service's next invocation out, gives an answer that was promised, or moves the clock to whatever is due first. The
driver is the thread that asked for the run. It usually runs the function itself, so that a run costs no change of
threads; then it acts from within, where the function has parked.

Of the threads that move one runs at a time, in the order in which they were started or woken, until it parks or ends.
So a run takes the same course every time, concurrent branches included. Only where a thread blocks for real, which may
be for another one, does the next one run beside it, after a moment of patience.
"""

from __future__ import annotations

import threading
import time
from _thread import allocate_lock
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from heapq import heappop, heappush
from math import ceil
from threading import get_ident
from typing import Final

from durably.engine.threads import borrow

from ._strangers import strangers
from .clock import RealTime, VirtualTime

_PATIENCE: Final = 0.5
"""Real seconds that the thread whose turn it is may block before the next one runs beside it."""
_LESS: Final = 0.02
"""The same where that has happened already."""

__all__ = ["Aborted", "Scheduler", "Timer", "VirtualWaiter", "Waiter"]


class Aborted(BaseException):
    """The run was given up; raised in its threads to end them."""


class Waiter:
    """A place to wait once. Whoever wakes it before it is waited at is not missed."""

    __slots__ = ("aborted", "bell", "granted", "is_loop", "owner", "parked", "restless", "woken")

    def __init__(self, *, is_loop: bool = False) -> None:
        self.is_loop: bool = is_loop
        self.restless: bool = False
        """It would be woken by sockets, too, if it did not wait for time to pass."""
        self.owner: object = None
        self.bell: threading.Lock = allocate_lock()
        self.bell.acquire()
        self.reset()

    def reset(self) -> None:
        """Make it fit to be waited at again, by its only user."""
        self.parked: bool = False
        self.woken: bool = False
        self.granted: bool = False
        self.aborted: bool = False


class Timer:
    """Something to do when the clock shows ``due_ms``. What is not ``meant`` happens only on the way to what is."""

    __slots__ = ("action", "due_ms", "meant")

    def __init__(self, due_ms: int, action: Callable[[], None], meant: bool) -> None:
        self.due_ms: int = due_ms
        self.action: Callable[[], None] | None = action
        self.meant: bool = meant

    def cancel(self) -> None:
        self.action = None


class Scheduler:
    """Counts who moves, keeps what is due, and lets one thread at a time be the driver.

    Attributes:
        lock: guards the service as well, which runs inline in whatever thread asks it.
        on_still: what the driver does when nothing moves. It makes something move, or raises.
        on_tick, next_wake_ms: in real time, what it does when something may be due, and when that is.
    """

    def __init__(self, clock: VirtualTime | RealTime, on_still: Callable[[], None]) -> None:
        self.clock = clock
        self.real: bool = isinstance(clock, RealTime)
        """Time cannot be told to pass: threads just block, and only invocations are counted."""
        self.lock: threading.RLock = threading.RLock()
        self.on_still = on_still
        self.on_tick: Callable[[], None] = lambda: None
        self.next_wake_ms: Callable[[], int | None] = lambda: None
        self._patience: float = _PATIENCE
        self._moving = 0
        self._running = 0
        """Of those that move: the one whose turn it is, and those that block."""
        self._ready: deque[Callable[[], None]] = deque()
        """What gives their turn to the others."""
        self._threads: dict[int, object] = {}
        """The threads that move, each with what it moves for."""
        self._parked: set[Waiter] = set()
        self._timers: list[tuple[int, int, Timer]] = []
        self._count = 0
        self._driver: int | None = None
        self._bell = allocate_lock()
        self._bell.acquire()

    # ---- the driver ----------------------------------------------------------------------------------------

    @property
    def driven(self) -> bool:
        return self._driver is not None

    @property
    def threads(self) -> list[int]:
        """Those that are part of a run."""
        return list(self._threads)

    @property
    def is_inside(self) -> bool:
        """Whether this thread is part of a run, or drives one."""
        return get_ident() in self._threads or get_ident() == self._driver

    @property
    def standing(self) -> bool:
        """Whether nothing moves."""
        return not self._moving

    def drive(self, until: Callable[[], bool]) -> None:
        """Be the driver until ``until()``."""
        self._driver = get_ident()
        try:
            self._act(until)
        finally:
            self._driver = None

    def _act(self, until: Callable[[], bool]) -> None:
        while not until():
            if self._moving and self.real:
                self._sit_out()
            elif self._moving:
                if not self._bell.acquire(timeout=self._patience if self._ready else -1):
                    self._patience = _LESS
                    with self.lock:
                        self._next()
            else:
                self.on_still()

    def _sit_out(self) -> None:
        """Real time: wait until something happens, or falls due."""
        due = self.next_wake_ms()
        self.wait_for_real(None if due is None else (due - self.clock.now_ms()) / 1000)
        self.on_tick()

    def wait_for_real(self, seconds: float | None) -> None:
        """Let the driver wait until somebody rings, at most so long."""
        if seconds is None or seconds > 0:
            self._bell.acquire(timeout=-1 if seconds is None else min(seconds, threading.TIMEOUT_MAX))

    def stands_for(self, seconds: float) -> bool:
        """Wait so many real seconds, as long as nothing moves. Whether nothing has."""
        end = time.monotonic() + seconds
        while self.standing and (left := end - time.monotonic()) > 0:
            self.wait_for_real(left)
        return self.standing

    def ring(self) -> None:
        """Let the driver look again."""
        self._ring()

    def _ring(self) -> None:
        with suppress(RuntimeError):  # it rings already
            self._bell.release()

    def _dispatch(self) -> None:
        """Give the next thread its turn, if nobody has it. The caller holds the lock, here and in the next two."""
        while self._ready and (self.real or not self._running):
            self._next()

    def _next(self) -> None:
        if self._ready:
            self._running += 1
            self._ready.popleft()()

    def _enqueue(self, go: Callable[[], None]) -> None:
        self._moving += 1
        self._ready.append(go)
        if self._running and not self.real:
            self._ring()  # somebody may be waiting for real for the one who waits for its turn
        else:
            self._next()

    # ---- who moves -----------------------------------------------------------------------------------------

    @contextmanager
    def moving(self, owner: object) -> Generator[None, None, None]:
        """This thread is part of the run, and works for ``owner``."""
        ident = get_ident()
        with self.lock:
            self._moving += 1
            self._running += 1
            self._threads[ident] = owner
        try:
            yield
        finally:
            self._end(ident)

    def _end(self, ident: int) -> None:
        with self.lock:
            self._threads.pop(ident, None)
            self._running -= 1
            self._stopped(ident)

    def _stopped(self, ident: int) -> None:
        self._moving -= 1
        self._dispatch()
        if not self._moving and self._driver != ident:
            self._ring()

    def enter(self) -> None:
        """Something has begun to move that is no thread of the run's; it will call :meth:`leave`."""
        with self.lock:
            self._moving += 1

    def leave(self) -> None:
        with self.lock:
            self._stopped(get_ident())

    def borrow(self, job: Callable[[], None], owner: object = None) -> None:
        """Run ``job`` in another thread, as part of the run; for ``owner``, or for whom this thread works."""
        owner = owner or self._threads.get(get_ident())

        def run() -> None:
            ident = get_ident()
            self._threads[ident] = owner
            try:
                job()
            finally:
                self._end(ident)

        with self.lock:
            self._enqueue(lambda: borrow(run))

    # ---- waiting -------------------------------------------------------------------------------------------

    def park(self, waiter: Waiter, due_ms: int | None = None, *, meant: bool = True) -> None:
        """Wait until woken, or until the clock shows ``due_ms``. Raises Aborted when the run is given up."""
        ident = get_ident()
        driving = self._driver == ident
        timer: Timer | None = None
        with self.lock:
            if not waiter.woken:
                waiter.parked = True
                waiter.owner = self._threads.get(ident)
                self._parked.add(waiter)
                if due_ms is not None:
                    timer = self.at(due_ms, lambda: self.wake(waiter), meant=meant)
                self._running -= 1
                self._stopped(ident)
        if waiter.parked:
            if driving:
                self._act(lambda: waiter.granted)
            waiter.bell.acquire()
        if timer is not None:
            timer.cancel()
        if waiter.aborted:
            raise Aborted

    def wake(self, waiter: Waiter) -> None:
        """Let whoever waits there, or will, go on. Once is enough."""
        with self.lock:
            if waiter.woken:
                return
            waiter.woken = True
            if waiter.parked:
                self._parked.discard(waiter)
                self._enqueue(lambda: self._grant(waiter))

    def _grant(self, waiter: Waiter) -> None:
        waiter.granted = True
        waiter.bell.release()
        self._ring()

    def abort(self, owner: object = None) -> None:
        """Give up everything that waits, or what waits for ``owner``."""
        with self.lock:
            for waiter in list(self._parked):
                if owner is None or waiter.owner is owner:
                    waiter.aborted = True
                    self.wake(waiter)

    def disturb(self) -> bool:
        """Let those look again who may have been sent something. Whether there are any."""
        with self.lock:
            restless = [waiter for waiter in self._parked if waiter.restless]
            for waiter in restless:
                self.wake(waiter)
        return bool(restless)

    @property
    def strangers(self) -> list[int]:
        """Threads that are no part of the run, if a coroutine waits, which may wait for them."""
        return strangers(self._threads) if any(waiter.is_loop for waiter in self._parked) else []

    @property
    def waiting(self) -> bool:
        """Whether something of a run is under way, if only waiting."""
        return bool(self._moving or self._parked)

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass in this thread. Others of the run go on meanwhile."""
        due_ms = self.after(seconds)
        if isinstance(self.clock, RealTime):
            self.clock.sleep(seconds)
        elif get_ident() in self._threads:
            self.park(Waiter(), due_ms)
        else:  # a thread of the program's own, in which nobody knows what waits for it
            with self.lock:
                self.clock.advance_to(due_ms)

    # ---- what is due -----------------------------------------------------------------------------------------

    def after(self, seconds: float) -> int:
        """What the clock shows in ``seconds``, never less (but for what a float cannot say)."""
        return self.clock.now_ms() + max(0, ceil(seconds * 1000 - 0.001))

    def at(self, due_ms: int, action: Callable[[], None], *, meant: bool = True) -> Timer:
        """Call ``action``, which returns at once, when the clock shows ``due_ms``."""
        timer = Timer(due_ms, action, meant)
        with self.lock:
            self._count += 1
            heappush(self._timers, (due_ms, self._count, timer))
        if self.real:
            self._ring()  # the driver may be waiting for something later, or for nothing at all
        return timer

    def next_due_ms(self) -> int | None:
        """When the first of that is due."""
        with self.lock:
            timers = self._timers
            while timers and timers[0][2].action is None:
                heappop(timers)
            return timers[0][0] if timers else None

    @property
    def expects(self) -> bool:
        """Whether anything is due that is meant."""
        with self.lock:
            return any(timer.meant and timer.action is not None for _, _, timer in self._timers)

    def fire(self) -> None:
        """Do what is due by now."""
        with self.lock:
            now = self.clock.now_ms()
            while self._timers and self._timers[0][0] <= now:
                action = heappop(self._timers)[2].action
                if action is not None:
                    action()


class VirtualWaiter:
    """What threads of a run wait at (see :mod:`durably.engine.environment`): its timeouts are virtual."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._waiter = Waiter()
        self._rung = False

    def wait(self, timeout: float | None = None) -> bool:
        self._scheduler.park(self._waiter, None if timeout is None else self._scheduler.after(timeout))
        return self._rung

    def wake(self) -> None:
        self._rung = True
        self._scheduler.wake(self._waiter)
