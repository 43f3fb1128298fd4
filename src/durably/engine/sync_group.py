"""Branches of sync code, on threads that all groups of a run share.

Threads are hired for branches that are to run, up to a limit; one whose branch waits for an inner group does not count
while it waits. The newest group is served first, so the number of branches that have begun, and with it of threads
that wait, stays bounded however wide the groups are.

The groups that one thread of control has open (a map that it waits for, operations that it has started) form a strand:
whoever waits there waits for all of them, and only when none of their branches can move is it unwound itself. So a
wait of the handler does not cut off a step that it has started.

All state of all groups is guarded by the lock of the run's checkpoint writer. So a group is closed in one step with
respect to sending: nothing of a branch that lost can be recorded after that.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

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

T = TypeVar("T")
Wait = tuple[str, str | None, int | None]
"""What is waited for: an operation's id, its status now, and when it changes by itself, if that is known."""

MAX_THREADS: Final = 64
_REFRESH_PATIENCE: Final = 0.05
"""Seconds; doubled for every refresh that found what was due not done yet."""


class _Strand:
    """The open groups of one thread of control."""

    __slots__ = ("changed", "groups", "refreshes")

    def __init__(self, lock: threading.Lock) -> None:
        self.changed = threading.Condition(lock)
        self.groups: list[SyncGroup] = []
        self.refreshes = 0


class Crew:
    """The threads of one run, the groups that have work for them, and what parked branches wait for."""

    def __init__(self, run: SyncRun) -> None:
        self.run = run
        self.lock = run.lock
        self._groups: list[SyncGroup] = []
        self._hired = 0
        self._waiting = 0
        self._parked: dict[str, list[tuple[SyncGroup, int, str | None]]] = {}
        self._strands: dict[Branch | None, _Strand] = {}
        self._watched: dict[str, _Strand] = {}

    def offer(self, group: SyncGroup) -> None:
        """``group`` has a branch to run. The caller holds the lock, here and below."""
        if not self._groups or self._groups[-1] is not group:
            if group in self._groups:
                self._groups.remove(group)
            self._groups.append(group)
        self._hire()

    def withdraw(self, group: SyncGroup) -> None:
        strand = self._strands.get(group.key)
        if strand is not None and group in strand.groups:
            strand.groups.remove(group)
            if not strand.groups:
                del self._strands[group.key]
        if group in self._groups:
            self._groups.remove(group)
        for op_id in [op_id for op_id, entries in self._parked.items() if any(e[0] is group for e in entries)]:
            left = [entry for entry in self._parked[op_id] if entry[0] is not group]
            if left:
                self._parked[op_id] = left
            else:
                del self._parked[op_id]

    # ---- strands -----------------------------------------------------------------------------------------

    def enter(self, group: SyncGroup) -> _Strand:
        strand = self._strands.get(group.key)
        if strand is None:
            strand = self._strands[group.key] = _Strand(self.lock)
        strand.groups.append(group)
        return strand

    def leave(self, branch: Branch) -> None:
        """The code of an isolated branch is through, or unwound: so are the groups that it left open."""
        strand = self._strands.get(branch)
        for group in list(strand.groups) if strand is not None else ():
            group.shut()

    def close_within(self, branch: Branch) -> None:
        """The code of ``branch``, a child context, is through."""
        strand = self._strands.get(branch.strand)
        for group in list(strand.groups) if strand is not None else ():
            if group.parent is not None and group.parent.is_over:
                group.shut()

    def has_open(self, key: Branch | None) -> bool:
        return key in self._strands

    def stand_by(self, branch: Branch | None, ready: Callable[[], T | None], waits: Sequence[Wait] = ()) -> T:
        """Wait, in a thread of the strand of ``branch``, until ``ready()`` is not None.

        Raises SuspendExecution when that and ``waits`` are for the service to bring about: no branch can move.
        """
        key = None if branch is None else branch.strand
        while True:
            with self.lock:
                if self.run.verdict is not None or (branch is not None and branch.is_over):
                    raise SuspendExecution
                found = ready()
                strand = self._strands.get(key)
                if found is not None:
                    return found
                groups = strand.groups if strand is not None else []
                everything = [*waits, *(wait for group in groups for wait in group.waits())]
                if strand is None or not any(group.can_move for group in groups):
                    raise self.run.suspend_branch(branch, everything)
                timeout = _until_due(everything, strand.refreshes)
                if timeout is None or timeout > 0:
                    self._wait(strand, timeout, waits)
                    continue
                strand.refreshes += 1
            self.run.refresh()

    def _wait(self, strand: _Strand, timeout: float | None, waits: Sequence[Wait]) -> None:
        self._waiting += 1
        if self._groups:
            self._hire()
        for op_id, _, _ in waits:
            self._watched[op_id] = strand
        strand.changed.wait(timeout)
        for op_id, _, _ in waits:
            self._watched.pop(op_id, None)
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

    def park(self, group: SyncGroup, index: int, waits: list[Wait]) -> None:
        for op_id, status, _ in waits:
            self._parked.setdefault(op_id, []).append((group, index, status))

    def absorbed(self, operations: list[Operation]) -> None:
        """Let the branches run again whose operations have changed."""
        if not self._parked and not self._watched:
            return
        for operation in operations:
            watching = self._watched.get(operation["Id"])
            if watching is not None:
                watching.refreshes = 0
                watching.changed.notify_all()
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
        self.parent = parent
        self.key = None if parent is None else parent.strand
        self._make = make
        self.to_run: deque[int] = deque()
        self._running: set[int] = set()
        self._branches: dict[int, Branch] = {}
        self._parked: dict[int, list[Wait]] = {}
        self._outcomes: deque[Outcome] = deque()
        self.closed = False
        with crew.lock:
            self._strand = crew.enter(self)

    @property
    def can_move(self) -> bool:
        """Whether a branch runs or is about to. The caller holds the lock."""
        return bool(self._running or self.to_run)

    def waits(self) -> list[Wait]:
        """What the branches wait for that have been unwound to wait. The caller holds the lock."""
        return [wait for parked in self._parked.values() for wait in parked]

    def start(self, index: int) -> None:
        with self._crew.lock:
            self.to_run.append(index)
            self._crew.offer(self)

    def resume(self, index: int) -> None:
        """A parked branch may go on. The caller holds the lock."""
        if self._parked.pop(index, None) is not None and not self.closed:
            self._strand.refreshes = 0
            self.to_run.append(index)
            self._crew.offer(self)
            self._strand.changed.notify_all()

    def take(self) -> tuple[int, Branch]:
        """The next branch to run. The caller holds the lock."""
        index = self.to_run.popleft()
        branch = self._branches[index] = Branch(self.parent, isolated=True)
        self._running.add(index)
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
            self._running.discard(index)
            self._crew.leave(branch)
            if branch.is_over and branch.parked is None:
                pass
            elif branch.parked is not None:
                self._park(index, branch)
            elif outcome is not None:
                self._outcomes.append(outcome)
            self._strand.changed.notify_all()

    def _park(self, index: int, branch: Branch) -> None:
        waits = branch.parked or []
        if self.closed or branch.over:
            return
        self._parked[index] = waits
        for op_id, status, _ in waits:
            record = self._run.ops.get(op_id)
            if (None if record is None else record["Status"]) != status:
                self.resume(index)  # it changed while the branch was unwinding
                return
        self._crew.park(self, index, waits)

    def poll(self) -> Outcome | None:
        """The outcome of a branch that has ended, if there is one. The caller holds the lock."""
        return self._outcomes.popleft() if self._outcomes else None

    def next(self) -> Outcome:
        """Wait for a branch to end. If all wait for the service, so does whoever asks."""
        return self._crew.stand_by(self.parent, self.poll)

    def cut(self, index: int) -> None:
        """Give one branch up: it is not waited for and records nothing more."""
        with self._crew.lock:
            if index in self.to_run:
                self.to_run.remove(index)
            self._parked.pop(index, None)
            self._running.discard(index)
            if index in self._branches:
                self._branches[index].over = True
            self._strand.changed.notify_all()

    def close(self) -> None:
        with self._crew.lock:
            self.shut()

    def shut(self) -> None:
        """Close the group. The caller holds the lock."""
        self.closed = True
        for branch in self._branches.values():
            branch.over = True
        self.to_run.clear()
        self._parked.clear()
        self._running.clear()
        self._crew.withdraw(self)


def _until_due(waits: Sequence[Wait], refreshes: int) -> float | None:
    """Seconds until something waited for changes by itself; None when nothing does."""
    dues = [due for _, _, due in waits if due is not None]
    if not dues:
        return None
    seconds = (min(dues) - now_ms()) / 1000
    return seconds if not refreshes else max(seconds, _REFRESH_PATIENCE * 2 ** min(refreshes, 10))
