"""Branches of sync code, on threads that all groups of a run share.

Threads are hired for branches that are to run, up to a limit; one whose branch waits for an inner group does not count
while it waits, nor does one whose branch has lost. The newest group is served first, so the number of branches that
have begun, and with it of threads that wait, stays bounded however wide the groups are.

The groups that one thread of control has open (a map that it waits for, operations that it has started) form a strand:
whoever waits there waits for all of them, and is unwound only when none of their branches can move. So a wait of the
handler does not cut off a step that it has started.

All state of all groups is guarded by the lock of the run's checkpoint writer. So a group is closed in one step with
respect to sending: nothing of a branch that lost can be recorded after that.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, TypeVar

from .branch import Branch
from .environment import Condition
from .group import MakeBranch, Outcome
from .scope import CURRENT
from .suspension import SuspendExecution, Verdict

if TYPE_CHECKING:
    import threading

    from durably.wire.shapes import Operation

    from .sync_run import SyncRun

__all__ = ["Crew", "SyncGroup"]

T = TypeVar("T")
Waits = Sequence[tuple[str, str | None, int | None]]
"""(operation id, its status, when it changes by itself) of each thing a branch waits for."""
MAX_THREADS: Final = 64
_REFRESH_PATIENCE_MS: Final = 50
"""Doubled for every refresh that found what was due not done yet."""


class _Strand:
    """The open groups of one thread of control."""

    __slots__ = ("changed", "groups", "not_before_ms", "refreshes")

    def __init__(self, changed: Condition) -> None:
        self.changed: Condition = changed
        self.groups: list[SyncGroup] = []
        self.refreshes: int = 0
        self.not_before_ms: int = 0


class Crew:
    """The threads of one run, the groups that have work for them, and what parked branches wait for."""

    def __init__(self, run: SyncRun) -> None:
        self.run = run
        self.lock: threading.Lock = run.lock
        self._opened = 0
        self._open: dict[int, SyncGroup] = {}
        self._work_in: list[SyncGroup] = []
        self._hired = 0
        self._waiting = 0
        self._parked: dict[str, dict[tuple[SyncGroup, int], str | None]] = {}
        self._strands: dict[Branch | None, _Strand] = {}
        self._watched: dict[str, _Strand] = {}

    # The caller of everything below holds the lock.

    def enter(self, group: SyncGroup) -> tuple[int, _Strand]:
        """``group`` has been opened: its number, and the strand it is part of."""
        self._opened += 1
        self._open[self._opened] = group
        strand = self._strands.get(group.key)
        if strand is None:
            strand = self._strands[group.key] = _Strand(self.run.environment.condition(self.lock))
        strand.groups.append(group)
        return self._opened, strand

    def leave(self, group: SyncGroup, running: int) -> None:
        """``group`` is over. Threads that its branches still hold do not count any more; they end by themselves."""
        self._open.pop(group.number, None)
        strand = self._strands[group.key]
        strand.groups.remove(group)
        if not strand.groups:
            del self._strands[group.key]
        self._hired -= running
        for inner in [one for one in self._open.values() if one.is_over] if running else ():
            inner.strand.changed.notify_all()  # whoever waits there is let go, and closes it

    def dismiss(self) -> None:
        """A thread's branch has been given up: it does not count any more."""
        self._hired -= 1
        for inner in [one for one in self._open.values() if one.is_over]:
            inner.strand.changed.notify_all()

    def close_within(self, branch: Branch) -> None:
        """The code of ``branch`` is through, or unwound: so are the groups that it has left open."""
        strand = self._strands.get(branch.strand)
        for group in list(strand.groups) if strand is not None else ():
            if group.is_over:
                group.shut()

    def close_strand(self, branch: Branch) -> None:
        """The same for an isolated branch."""
        strand = self._strands.get(branch)
        for group in list(strand.groups) if strand is not None else ():
            group.shut()

    def offer(self, group: SyncGroup) -> None:
        """``group`` has a branch to run."""
        if not group.offered:
            group.offered = True
            insort(self._work_in, group, key=_number)
        self._hire()

    def _hire(self) -> None:
        if self._hired - self._waiting < MAX_THREADS:
            self._hired += 1
            self.run.environment.borrow(self._work)

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

    # ---- waiting ------------------------------------------------------------------------------------------

    def has_open(self, key: Branch | None) -> bool:
        """Whether a strand has groups; the caller need not hold the lock: it is its own strand."""
        return key in self._strands

    def stand_by(self, branch: Branch | None, ready: Callable[[], T | None], waits: Waits = ()) -> T:
        """Wait, in the thread of the strand of ``branch``, until ``ready()`` is not None.

        Raises SuspendExecution when the service has to bring that about, or one of ``waits``: no branch can move.
        Takes the lock; ``ready`` is called with it.
        """
        key = None if branch is None else branch.strand
        while True:
            with self.lock:
                if self.run.verdict is not None or (branch is not None and branch.is_over):
                    raise SuspendExecution
                found = ready()
                if found is not None:
                    return found
                strand = self._strands.get(key)
                if strand is not None and any(group.can_move for group in strand.groups):
                    timeout = self._until_due(strand, waits)
                    if timeout is None or timeout > 0:
                        self._wait(strand, timeout, waits)
                        continue
                    strand.refreshes += 1
                    patience = _REFRESH_PATIENCE_MS * 2 ** min(strand.refreshes - 1, 10)
                    strand.not_before_ms = self.run.environment.now_ms() + patience
                elif not self.run.outbox.has_pending:  # everything is recorded before the program waits
                    parked = [wait for group in strand.groups for wait in group.waits()] if strand is not None else []
                    raise self.run.suspend_branch(branch, [*waits, *parked])
            self.run.refresh()

    def _wait(self, strand: _Strand, timeout: float | None, waits: Waits) -> None:
        self._waiting += 1
        for op_id, _, _ in waits:
            self._watched[op_id] = strand
        try:
            if self._work_in:
                self._hire()
            strand.changed.wait(timeout)
        finally:
            self._waiting -= 1
            for op_id, _, _ in waits:
                self._watched.pop(op_id, None)

    def _until_due(self, strand: _Strand, waits: Waits) -> float | None:
        """Seconds until something waited for changes by itself; None when nothing does."""
        dues = [due for _, _, due in waits] + [group.due_ms() for group in strand.groups]
        known = [due for due in dues if due is not None]
        if not known:
            return None
        return (max(min(known), strand.not_before_ms) - self.run.environment.now_ms()) / 1000

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
        if not self._parked and not self._watched:
            return
        for operation in operations:
            watching = self._watched.get(operation["Id"])
            if watching is not None:
                watching.refreshes = watching.not_before_ms = 0
                watching.changed.notify_all()
            for (group, index), status in list(self._parked.get(operation["Id"], {}).items()):
                if operation["Status"] != status:
                    group.resume(index)


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
        self._branches: dict[int, Branch] = {}
        self._parked: dict[int, Waits] = {}
        self._dues: list[tuple[int, int]] = []
        self._outcomes: deque[Outcome] = deque()
        self.closed: bool = False
        self.number: int
        self.strand: _Strand
        with crew.lock:
            self.number, self.strand = crew.enter(self)

    def start(self, index: int) -> None:
        with self._crew.lock:
            self.to_run.append(index)
            self._crew.offer(self)

    def take(self) -> tuple[int, Branch]:
        """The next branch to run. The caller holds the lock."""
        index = self.to_run.popleft()
        branch = self._branches[index] = Branch(self._parent, isolated=True)
        self._running.add(index)
        return index, branch

    def run_branch(self, index: int, branch: Branch) -> bool:
        """Run a branch until it ends or waits, in this thread. False if it has been given up meanwhile."""
        outcome = self._context.copy().run(self._outcome, index, branch)
        with self._crew.lock:
            self._crew.close_strand(branch)
            if index not in self._running:
                return False
            self._running.discard(index)
            if branch.parked is not None:
                self._park(index, branch.parked)
            elif outcome is not None and not branch.is_over:
                self._outcomes.append(outcome)
            self.strand.changed.notify_all()
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
        """Whether a branch runs or is about to. The caller holds the lock, here and below."""
        return bool(self._running or self.to_run)

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
            if index in self._running:
                self._running.discard(index)
                self._crew.dismiss()

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
        for index in list(self._parked):
            self._unpark(index)
        running = len(self._running)
        self._running.clear()
        self._crew.leave(self, running)


def _number(group: SyncGroup) -> int:
    return group.number
