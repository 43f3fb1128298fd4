"""Branches of sync code, on threads that all groups of a run share.

Threads are hired for branches that are to run, up to a limit; one whose branch waits for an inner group does not count
while it waits. The newest group is served first, so the number of branches that have begun, and with it of threads
that wait, stays bounded however wide the groups are.

All state of all groups is guarded by the lock of the run's checkpoint writer. So a group is closed in one step with
respect to sending: nothing of a branch that lost can be recorded after that.
"""

from __future__ import annotations

import threading
from collections import deque
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

MAX_THREADS: Final = 64
_REFRESH_PATIENCE: Final = 0.05
"""Seconds; doubled for every refresh that found what was due not done yet."""


class Crew:
    """The threads of one run, the groups that have work for them, and what parked branches wait for."""

    def __init__(self, run: SyncRun) -> None:
        self.run = run
        self.lock = run.lock
        self._groups: list[SyncGroup] = []
        self._hired = 0
        self._waiting = 0
        self._parked: dict[str, list[tuple[SyncGroup, int, str | None]]] = {}

    def offer(self, group: SyncGroup) -> None:
        """``group`` has a branch to run. The caller holds the lock, here and below."""
        if not self._groups or self._groups[-1] is not group:
            if group in self._groups:
                self._groups.remove(group)
            self._groups.append(group)
        self._hire()

    def withdraw(self, group: SyncGroup) -> None:
        if group in self._groups:
            self._groups.remove(group)
        for op_id in [op_id for op_id, entries in self._parked.items() if any(e[0] is group for e in entries)]:
            left = [entry for entry in self._parked[op_id] if entry[0] is not group]
            if left:
                self._parked[op_id] = left
            else:
                del self._parked[op_id]

    def wait(self, group: SyncGroup, timeout: float | None) -> None:
        """A thread of a run waits for one of ``group``'s branches."""
        self._waiting += 1
        if self._groups:
            self._hire()
        group.changed.wait(timeout)
        self._waiting -= 1

    def _hire(self) -> None:
        if self._hired - self._waiting < MAX_THREADS:
            self._hired += 1
            borrow(self._work)

    def _work(self) -> None:
        while True:
            with self.lock:
                while self._groups and not self._groups[-1].to_run:
                    self._groups.pop()
                if not self._groups or self._hired - self._waiting > MAX_THREADS:
                    self._hired -= 1
                    return
                group = self._groups[-1]
                index, branch = group.take()
            group.run_branch(index, branch)

    # ---- parked branches ---------------------------------------------------------------------------------

    def park(self, group: SyncGroup, index: int, waits: list[tuple[str, str | None, int | None]]) -> None:
        for op_id, status, _ in waits:
            self._parked.setdefault(op_id, []).append((group, index, status))

    def absorbed(self, operations: list[Operation]) -> None:
        """Let the branches run again whose operations have changed."""
        if not self._parked:
            return
        for operation in operations:
            entries = self._parked.pop(operation["Id"], None)
            for group, index, status in entries or ():
                if operation["Status"] == status:
                    self._parked.setdefault(operation["Id"], []).append((group, index, status))
                else:
                    group.resume(index)


class SyncGroup:
    """See :class:`durably.engine.group.Group`."""

    def __init__(self, crew: Crew, parent: Branch | None, make: MakeBranch) -> None:
        self._crew = crew
        self._run = crew.run
        self._parent = parent
        self._make = make
        self.changed = threading.Condition(crew.lock)
        self.to_run: deque[int] = deque()
        self._running = 0
        self._branches: dict[int, Branch] = {}
        self._parked: dict[int, list[tuple[str, str | None, int | None]]] = {}
        self._outcomes: deque[Outcome] = deque()
        self._refreshes = 0
        self._closed = False

    def start(self, index: int) -> None:
        with self._crew.lock:
            self.to_run.append(index)
            self._crew.offer(self)

    def resume(self, index: int) -> None:
        """A parked branch may go on. The caller holds the lock."""
        if self._parked.pop(index, None) is not None and not self._closed:
            self._refreshes = 0
            self.to_run.append(index)
            self._crew.offer(self)
            self.changed.notify_all()

    def take(self) -> tuple[int, Branch]:
        """The next branch to run. The caller holds the lock."""
        index = self.to_run.popleft()
        branch = self._branches[index] = Branch(self._parent, isolated=True)
        self._running += 1
        return index, branch

    def run_branch(self, index: int, branch: Branch) -> None:
        """Run a branch until it ends or waits, in this thread."""
        outcome: Outcome | None = None
        token = CURRENT.set(None)
        try:
            outcome = Outcome(index, self._run.drive(self._make(index, branch)), None)
        except SuspendExecution:
            pass  # parked, cut off, or the run has a verdict; each is noted where it was decided
        except Exception as error:
            outcome = Outcome(index, None, error)
        except BaseException as error:  # SystemExit in a branch ends the invocation as it would in the handler
            self._run.end(Verdict(raises=error))
        finally:
            CURRENT.reset(token)
        with self._crew.lock:
            self._running -= 1
            if branch.is_over and branch.parked is None:
                pass
            elif branch.parked is not None:
                self._park(index, branch.parked)
            elif outcome is not None:
                self._outcomes.append(outcome)
            self.changed.notify_all()

    def _park(self, index: int, waits: list[tuple[str, str | None, int | None]]) -> None:
        if self._closed:
            return
        self._parked[index] = waits
        for op_id, status, _ in waits:
            record = self._run.ops.get(op_id)
            if (None if record is None else record["Status"]) != status:
                self.resume(index)  # it changed while the branch was unwinding
                return
        self._crew.park(self, index, waits)

    def next(self) -> Outcome:
        """Wait for a branch to end. If all wait for the service, so does whoever asks."""
        while True:
            with self._crew.lock:
                if self._run.verdict is not None or (self._parent is not None and self._parent.is_over):
                    raise SuspendExecution
                if self._outcomes:
                    return self._outcomes.popleft()
                waits = [wait for parked in self._parked.values() for wait in parked]
                if not self._running and not self.to_run:
                    raise self._run.suspend_branch(self._parent, waits)
                timeout = self._until_due(waits)
                if timeout is None or timeout > 0:
                    self._crew.wait(self, timeout)
                    continue
                self._refreshes += 1
            self._run.refresh()

    def _until_due(self, waits: list[tuple[str, str | None, int | None]]) -> float | None:
        """Seconds until something parked changes by itself; None when nothing does."""
        dues = [due for _, _, due in waits if due is not None]
        if not dues:
            return None
        seconds = (min(dues) - now_ms()) / 1000
        return seconds if not self._refreshes else max(seconds, _REFRESH_PATIENCE * 2 ** min(self._refreshes, 10))

    def cut(self, index: int) -> None:
        """Give one branch up: it is not waited for and records nothing more."""
        with self._crew.lock:
            if index in self.to_run:
                self.to_run.remove(index)
            self._parked.pop(index, None)
            if index in self._branches:
                self._branches[index].over = True

    def close(self) -> None:
        with self._crew.lock:
            self._closed = True
            for branch in self._branches.values():
                branch.over = True
            self.to_run.clear()
            self._parked.clear()
            self._crew.withdraw(self)
