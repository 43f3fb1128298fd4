"""Branches of sync code, on the threads of their run (:mod:`durably.engine.crew`).

A thread does not stay for the acknowledgement of its branch's own completion, behind which nothing of the branch runs:
it leaves the end of the protocol behind, to be run when the answer comes, and takes the next branch, if there is one.
"""

from __future__ import annotations

from collections import deque
from contextvars import copy_context
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from .branch import Branch
from .group import MakeBranch, Outcome
from .requests import Flush
from .run import Protocol
from .scope import CURRENT
from .suspension import SuspendExecution, Verdict

if TYPE_CHECKING:
    from .crew import Crew, Strand, Waits

__all__ = ["SyncGroup"]


class _Left(BaseException):
    """The thread has left the end of a protocol behind."""


class SyncGroup:
    """See :class:`durably.engine.group.Group`."""

    def __init__(self, crew: Crew, parent: Branch | None, make: MakeBranch) -> None:
        self._crew = crew
        self._run = crew.run
        self._parent = parent
        self.key: Branch | None = None if parent is None else parent.strand
        self._make = make
        self._context = copy_context()
        self.to_run: deque[int] = deque()
        self.offered = False
        self._running: set[int] = set()
        self._ending: set[int] = set()
        self._branches: dict[int, Branch] = {}
        self._parked: dict[int, Waits] = {}
        self._dues: list[tuple[int, int]] = []
        self._outcomes: deque[Outcome] = deque()
        self.closed: bool = False
        self.number: int
        self.strand: Strand
        with crew.lock:
            self.number, self.strand = crew.enter(self)

    def start(self, index: int) -> None:
        with self._crew.lock:
            self.to_run.append(index)
            self._crew.offer(self)

    def take(self) -> tuple[int, Branch]:
        """The next branch to run. The caller holds the lock."""
        index = self.to_run.popleft()
        branch = self._branches[index] = Branch(self._parent, True)
        self._running.add(index)
        return index, branch

    def run_branch(self, index: int, branch: Branch) -> bool:
        """Run a branch until it ends or waits, in this thread. False if it has been given up meanwhile."""
        outcome = self._context.copy().run(self._outcome, index, branch)
        with self._crew.lock:
            self._crew.close_strand(branch)
            if outcome is _LEFT:
                return True
            if index not in self._running:
                return False
            self._running.discard(index)
            if branch.parked is not None:
                self._park(index, branch.parked)
            elif outcome is not None and not branch.is_over:
                self._outcomes.append(outcome)
            self.strand.wake()
            return True

    def _outcome(self, index: int, branch: Branch) -> Outcome | None:
        CURRENT.set(None)  # of this thread's copy: its scope comes with the protocol
        try:
            protocol = self._make(index, branch)
            value = self._run.drive(protocol, partial(self._leave, index, branch, protocol))
            return Outcome(index, value, None, branch.text)
        except _Left:
            return _LEFT
        except SuspendExecution:
            return None  # parked, cut off, or the run has a verdict; each is noted where it was decided
        except Exception as error:
            return Outcome(index, None, error)
        except BaseException as error:  # SystemExit in a branch ends the invocation as it would in the handler
            if not branch.is_over:
                self._run.end(Verdict(raises=error))
            return None

    def _leave(self, index: int, branch: Branch, protocol: Protocol, flush: Flush) -> None:
        """Raise _Left if the end of ``protocol`` is left behind."""
        with self._crew.lock:
            if index not in self._running or branch.is_over:
                return
            if self._crew.leave_behind(self, index, protocol, flush):
                self._running.discard(index)
                self._ending.add(index)
                raise _Left

    def recorded(self, index: int, protocol: Protocol) -> None:
        """What was left behind of a branch can be run: nothing but its return. The caller holds the lock."""
        if index not in self._ending:
            return  # given up meanwhile
        self._ending.discard(index)
        try:
            protocol.send(None)
        except StopIteration as stop:
            self._outcomes.append(Outcome(index, stop.value, None, self._branches[index].text))
        except Exception as error:
            self._outcomes.append(Outcome(index, None, error))
        self.strand.wake()

    # ---- waiting -------------------------------------------------------------------------------------------

    def _park(self, index: int, waits: Waits) -> None:
        self._parked[index] = waits
        self._crew.park(self, index, waits)
        for op_id, status, due_ms in waits:
            record = self._run.ops.get(op_id)
            if (None if record is None else record["Status"]) != status:
                self.resume(index)  # it changed while the branch was unwinding
                return
            if due_ms is not None:
                heappush(self._dues, (due_ms, index))

    def resume(self, index: int) -> None:
        """A parked branch may go on. The caller holds the lock."""
        if self._unpark(index):
            self.strand.refreshes = self.strand.not_before_ms = 0
            self.to_run.append(index)
            self._crew.offer(self)

    def _unpark(self, index: int) -> bool:
        waits = self._parked.pop(index, None)
        if waits is None:
            return False
        self._crew.unpark(self, index, waits)
        return True

    @property
    def can_move(self) -> bool:
        """Whether a branch runs, is about to, or is being recorded. The caller holds the lock, here and below."""
        return bool(self._running or self.to_run or self._ending)

    def waits(self) -> list[tuple[str, str | None, int | None]]:
        """What the branches wait for that have been unwound."""
        return [wait for parked in self._parked.values() for wait in parked]

    def due_ms(self) -> int | None:
        """When the first of that changes by itself; None when nothing does."""
        dues = self._dues
        while dues and not any(due_ms == dues[0][0] for _, _, due_ms in self._parked.get(dues[0][1], ())):
            heappop(dues)
        return dues[0][0] if dues else None

    def poll(self) -> Outcome | None:
        """The outcome of a branch that has ended, if there is one."""
        return self._outcomes.popleft() if self._outcomes else None

    def ready(self) -> Outcome | None:
        return self.poll() if self._run.verdict is None and not self.is_over else None

    def next(self) -> Outcome:
        """Wait for a branch to end. If all wait for the service, so does whoever asks. Takes the lock."""
        return self._crew.stand_by(self._parent, self.poll)

    # ---- the end -------------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether it is part of a branch that has lost."""
        return self._parent is not None and self._parent.is_over

    def cut(self, index: int) -> None:
        """Give one branch up: it is not waited for and records nothing more."""
        with self._crew.lock:
            if index in self.to_run:
                self.to_run.remove(index)
            self._unpark(index)
            if index in self._branches:
                self._branches[index].over = True
            self._ending.discard(index)
            if index in self._running:
                self._running.discard(index)
                self._crew.dismiss(1)

    def close(self) -> None:
        with self._crew.lock:
            self.shut()

    def shut(self) -> None:
        """Close; the caller holds the lock."""
        if self.closed:
            return
        self.closed = True
        for branch in self._branches.values():
            branch.over = True
        self.to_run.clear()
        self._ending.clear()
        for index in list(self._parked):
            self._unpark(index)
        running = len(self._running)
        self._running.clear()
        self._crew.leave(self, running)


_LEFT: Final = Outcome(-1, None, None)
