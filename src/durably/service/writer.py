"""Who may touch the state of a service, and when.

All state belongs to whoever holds the *turn*. Commands are queued; normally the writer thread takes the turn and
carries out all that is queued. It sleeps until the bell rings or the next timer is due, never polling. A thread that
waits for its own command anyway takes the turn itself when it is free, for one batch, which saves two switches of
threads; then it wakes the writer if more was queued, or if a timer is now due before the writer means to wake.

Nothing is overlooked: who queues a command sees either that the writer sleeps, and rings, or that somebody is about
to look at the queue again. The holder of the turn does so before giving it up or right after, and the writer, having
said until when it sleeps, once more.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import Final

from .clock import Clock
from .core import Command, Core

__all__ = ["Writer"]

_BATCH: Final = 4096


class Writer:
    """The queue of a service, its thread, and the turn."""

    def __init__(self, clock: Clock) -> None:
        self.core: Core
        self._clock = clock
        self._queue: deque[Command] = deque()
        self._turn = threading.Lock()
        self._bell = threading.Lock()
        """Held but for the moment between being rung and being heard."""
        self._bell.acquire()
        self._asleep_until: int | None = 0
        """When the writer wakes of its own accord (None: never); 0 while it is awake."""
        self._thread: threading.Thread | None = None
        self._stopping = False

    @property
    def threaded(self) -> bool:
        return self._thread is not None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="durably-service", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Carry out what is queued, end the thread and close the store."""
        self._stopping = True
        if self._thread is not None and self._thread is not threading.current_thread():
            self._ring()
            self._thread.join()
        with self._turn:
            self._run_queued()
            self.core.store.close()
        self.refuse_late()

    def put(self, command: Command) -> None:
        """Queue ``command`` and see to it that it is carried out."""
        self._queue.append(command)
        if self._asleep_until != 0:
            self._ring()
        if self._stopping:
            self.refuse_late()

    def put_and_help(self, command: Command) -> None:
        """Queue ``command`` and carry it out on this thread, unless somebody else has the turn and will."""
        self._queue.append(command)
        if self._turn.acquire(blocking=False):
            try:
                if not self._stopping:
                    self._run_batch()
                wake = self.core.next_wake_ms()
            finally:
                self._turn.release()
            asleep = self._asleep_until
            if asleep != 0 and (self._queue or (wake is not None and (asleep is None or wake < asleep))):
                self._ring()
        if self._stopping:
            self.refuse_late()

    def refuse_late(self) -> None:
        """Answer what was queued when nobody was left to carry it out."""
        if self._thread is not None and self._thread.is_alive():
            return
        while self._queue:
            with suppress(IndexError):
                self._queue.popleft().refuse("the service was closed")

    def _run_batch(self) -> None:
        queue = self._queue
        if queue:
            self.core.run([queue.popleft() for _ in range(min(len(queue), _BATCH))])

    def _run_queued(self) -> None:
        while self._queue:
            self._run_batch()

    def _loop(self) -> None:
        while True:
            with self._turn:
                self._run_queued()
                self.core.run(())
                wake = self._asleep_until = self.core.next_wake_ms()
            if not self._queue:
                if self._stopping:
                    return
                if wake is None:
                    self._bell.acquire()
                elif (left := wake - self._clock.now_ms()) > 0:
                    self._bell.acquire(timeout=left / 1000)
            self._asleep_until = 0

    def _ring(self) -> None:
        with suppress(RuntimeError):  # it rings already
            self._bell.release()

    def step(self, timeout: float | None) -> bool:
        """What the thread would do, once. See :meth:`~.kernel.Service.step`."""
        due = self.core.next_wake_ms()
        queue = self._queue
        if not queue and (due is None or due > self._clock.now_ms()):
            if timeout == 0:
                return False
            self._asleep_until = due
            if not queue:
                self._bell.acquire(timeout=-1 if timeout is None else timeout)
            self._asleep_until = 0
            if not queue:
                return False
        with self._turn:
            self.core.run([queue.popleft() for _ in range(min(len(queue), _BATCH))])
        return True
