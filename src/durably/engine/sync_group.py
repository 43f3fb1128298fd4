"""Branches of sync code, on threads that all groups of a run share.

Threads are hired for branches that are to run, up to a limit; one whose branch waits for an inner group does not count
while it waits, nor does one whose branch has lost. The newest group is served first, so the number of branches that
have begun, and with it of threads that wait, stays bounded however wide the groups are.

All state of all groups is guarded by the lock of the run's checkpoint writer. So a group is closed in one step with
respect to sending: nothing of a branch that lost can be recorded after that.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections import deque
from contextvars import copy_context
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from .branch import Branch
from .clock import now_ms
from .group import MakeBranch, Outcome
from .scope import CURRENT
from .suspension import SuspendExecution, Verdict
from .threads import borrow

if TYPE_CHECKING:
    from durably.wire.shapes import Operation

    from .sync_run import SyncRun

__all__ = ["Crew", "SyncGroup"]

Waits = list[tuple[str, str | None, int | None]]
"""(operation id, its status, when it changes by itself) of each thing a branch waits for."""
MAX_THREADS: Final = 64
_REFRESH_PATIENCE: Final = 0.05
"""Seconds; doubled for every refresh that found what was due not done yet."""


class Crew:
    """The threads of one run, the groups that have work for them, and what parked branches wait for."""

    def __init__(self, run: SyncRun) -> None:
        self.run = run
        self.lock = run.lock
        self._opened = 0
        self._open: dict[int, SyncGroup] = {}
        self._work_in: list[SyncGroup] = []
        self._hired = 0
        self._waiting = 0
        self._parked: dict[str, dict[tuple[SyncGroup, int], str | None]] = {}

    # The caller of everything below holds the lock.

    def enter(self, group: SyncGroup) -> int:
        """``group`` has been opened: its number."""
        self._opened += 1
        self._open[self._opened] = group
        return self._opened

    def leave(self, group: SyncGroup, running: int) -> None:
        """``group`` is over. Threads that its branches still hold do not count any more; they end by themselves."""
        self._open.pop(group.number, None)
        self._hired -= running
        for inner in [one for one in self._open.values() if one.is_over] if running else ():
            inner.changed.notify_all()  # whoever waits there is let go, and closes it

    def offer(self, group: SyncGroup) -> None:
        """``group`` has a branch to run."""
        if not group.offered:
            group.offered = True
            insort(self._work_in, group, key=_number)
        self._hire()

    def wait(self, group: SyncGroup, timeout: float | None) -> None:
        """A thread of a run waits for one of ``group``'s branches."""
        self._waiting += 1
        try:
            if self._work_in:
                self._hire()
            group.changed.wait(timeout)
        finally:
            self._waiting -= 1

    def _hire(self) -> None:
        if self._hired - self._waiting < MAX_THREADS:
            self._hired += 1
            borrow(self._work)

    def _work(self) -> None:
        counted = True
        while counted:
            with self.lock:
                while self._work_in and not self._work_in[-1].to_run:
                    self._work_in.pop().offered = False
                if not self._work_in or self._hired - self._waiting > MAX_THREADS:
                    self._hired -= 1
                    return
                group = self._work_in[-1]
                index, branch = group.take()
            counted = group.run_branch(index, branch)

    # ---- parked branches ---------------------------------------------------------------------------------

    def park(self, group: SyncGroup, index: int, waits: Waits) -> None:
        for op_id, status, _ in waits:
            self._parked.setdefault(op_id, {})[group, index] = status

    def unpark(self, group: SyncGroup, index: int, waits: Waits) -> None:
        for op_id, _, _ in waits:
            entries = self._parked.get(op_id)
            if entries is not None and entries.pop((group, index), None) is not None and not entries:
                del self._parked[op_id]

    def absorbed(self, operations: list[Operation]) -> None:
        """Let the branches run again whose operations have changed."""
        if not self._parked:
            return
        for operation in operations:
            for (group, index), status in list(self._parked.get(operation["Id"], {}).items()):
                if operation["Status"] != status:
                    group.resume(index)


class SyncGroup:
    """See :class:`durably.engine.group.Group`."""

    def __init__(self, crew: Crew, parent: Branch | None, make: MakeBranch) -> None:
        self._crew = crew
        self._run = crew.run
        self._parent = parent
        self._make = make
        self._context = copy_context()
        self.changed = threading.Condition(crew.lock)
        self.to_run: deque[int] = deque()
        self.offered = False
        self._running = 0
        self._branches: dict[int, Branch] = {}
        self._parked: dict[int, Waits] = {}
        self._dues: list[tuple[int, int]] = []
        self._outcomes: deque[Outcome] = deque()
        self._refreshes = 0
        self._closed = False
        with crew.lock:
            self.number = crew.enter(self)

    def start(self, index: int) -> None:
        with self._crew.lock:
            self.to_run.append(index)
            self._crew.offer(self)

    def take(self) -> tuple[int, Branch]:
        """The next branch to run. The caller holds the lock."""
        index = self.to_run.popleft()
        branch = self._branches[index] = Branch(self._parent, isolated=True)
        self._running += 1
        return index, branch

    def run_branch(self, index: int, branch: Branch) -> bool:
        """Run a branch until it ends or waits, in this thread. False if the group has been closed meanwhile."""
        outcome = self._context.copy().run(self._outcome, index, branch)
        with self._crew.lock:
            if self._closed:
                return False
            self._running -= 1
            if branch.parked is not None:
                self._park(index, branch.parked)
            elif outcome is not None and not branch.is_over:
                self._outcomes.append(outcome)
            self.changed.notify_all()
            return True

    def _outcome(self, index: int, branch: Branch) -> Outcome | None:
        CURRENT.set(None)  # of this thread's copy: its scope comes with the protocol
        try:
            return Outcome(index, self._run.drive(self._make(index, branch)), None)
        except SuspendExecution:
            return None  # parked, cut off, or the run has a verdict; each is noted where it was decided
        except Exception as error:
            return Outcome(index, None, error)
        except BaseException as error:  # SystemExit in a branch ends the invocation as it would in the handler
            if not branch.is_over:
                self._run.end(Verdict(raises=error))
            return None

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
            self._refreshes = 0
            self.to_run.append(index)
            self._crew.offer(self)

    def _unpark(self, index: int) -> bool:
        waits = self._parked.pop(index, None)
        if waits is None:
            return False
        self._crew.unpark(self, index, waits)
        return True

    def next(self) -> Outcome:
        """Wait for a branch to end. If all wait for the service, so does whoever asks."""
        while True:
            with self._crew.lock:
                if self._run.verdict is not None or self.is_over:
                    raise SuspendExecution
                if self._outcomes:
                    return self._outcomes.popleft()
                if not self._running and not self.to_run:
                    waits = [wait for parked in self._parked.values() for wait in parked]
                    raise self._run.suspend_branch(self._parent, waits)
                timeout = self._until_due()
                if timeout is None or timeout > 0:
                    self._crew.wait(self, timeout)
                    continue
                self._refreshes += 1
            self._run.refresh()

    def _until_due(self) -> float | None:
        """Seconds until something parked changes by itself; None when nothing does."""
        dues = self._dues
        while dues and not any(due_ms == dues[0][0] for _, _, due_ms in self._parked.get(dues[0][1], ())):
            heappop(dues)
        if not dues:
            return None
        seconds = (dues[0][0] - now_ms()) / 1000
        return seconds if not self._refreshes else max(seconds, _REFRESH_PATIENCE * 2 ** min(self._refreshes, 10))

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

    def close(self) -> None:
        with self._crew.lock:
            if self._closed:
                return
            self._closed = True
            for branch in self._branches.values():
                branch.over = True
            self.to_run.clear()
            for index in list(self._parked):
                self._unpark(index)
            self._crew.leave(self, self._running)


def _number(group: SyncGroup) -> int:
    return group.number
