"""How many threads run the branches of a sync run.

Threads only help while others block, or where several can run at once. A few are hired at once; whether more are
needed shows a moment later: quick branches have been taken one after another by then, and more threads would only
wait for each other. Branches that take their time have not, and the number is doubled, up to a limit, until none waits.
One whose branch waits for an inner group does not count while it waits, nor does one whose branch has lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .barging_lock import BargingLock
    from .environment import Environment

__all__ = ["MAX_THREADS", "Staff"]

MAX_THREADS: Final = 64
_AT_ONCE: Final = 4
_MOMENT: Final = 0.0002
"""Seconds; five milliseconds where a thread computes, for the interpreter does not change hands before."""
_QUICK: Final = 4
"""Branches that a thread takes in such a moment if they are quick."""


class Staff:
    """Threads, hired and counted; guarded by ``lock``.

    Parameters:
        work: what a hired thread does; it lowers ``hired`` when it leaves.
        waiting_work: how many branches wait for a thread.
        no_threads: told why not a single one can be hired.

    Attributes:
        hired: threads that run branches, or are about to.
        waiting: those of them that wait for an inner group, and don't count.
        taken: how many branches have been taken so far.
    """

    __slots__ = (
        "_environment",
        "_lock",
        "_looking",
        "_no_threads",
        "_waiting_work",
        "_work",
        "hired",
        "taken",
        "waiting",
    )

    def __init__(
        self,
        environment: Environment,
        lock: BargingLock,
        work: Callable[[], None],
        waiting_work: Callable[[], int],
        no_threads: Callable[[RuntimeError], None],
    ) -> None:
        self._environment = environment
        self._lock = lock
        self._work = work
        self._waiting_work = waiting_work
        self._no_threads = no_threads
        self._looking = False
        self.hired: int = 0
        self.waiting: int = 0
        self.taken: int = 0

    @property
    def overfull(self) -> bool:
        """Whether a thread that has just become free is one too many."""
        return self.hired - self.waiting > MAX_THREADS

    def need(self) -> None:
        """A branch waits for a thread. The caller holds the lock."""
        active = self.hired - self.waiting
        if active < (MAX_THREADS if self._environment.sends_at_once else _AT_ONCE):
            self._hire()
        elif not self._looking and active < MAX_THREADS:
            self._looking = self._borrow(self._look)

    def _hire(self) -> bool:
        """Whether there was a thread to be had."""
        self.hired += 1
        if self._borrow(self._work):
            return True
        self.hired -= 1
        return False

    def _borrow(self, job: Callable[[], None]) -> bool:
        try:
            self._environment.borrow(job)
        except RuntimeError as error:  # the process has as many as it may have
            if self.hired - self.waiting <= 1:
                self._no_threads(error)
            return False
        return True

    def _look(self) -> None:
        """Hire more while branches wait that those hired do not get to."""
        while True:
            before = self.taken
            self._environment.waiter().wait(_MOMENT)
            with self._lock:
                active = self.hired - self.waiting
                more = min(self._waiting_work(), MAX_THREADS - active)
                if more <= 0:
                    self._looking = False
                    return
                if self.taken - before < _QUICK * active or active <= 0:
                    for _ in range(min(more, max(active, 1))):
                        if not self._hire():
                            self._looking = False
                            return
