"""The groups of a sync run: which branches are to run, what those wait for that do not, and whom that concerns.

The newest group is served first, so the number of branches that have begun, and with it of threads that wait, stays
bounded however wide the groups are.

The groups that one thread of control has open (a map that it waits for, operations that it has started) form a strand:
whoever waits there waits for all of them, and is unwound only when none of their branches can move. So a wait of the
handler does not cut off a step that it has started.

All state of all groups is guarded by the lock of the run's checkpoint writer. So a group is closed in one step with
respect to sending: nothing of a branch that lost can be recorded after that.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, TypeVar

from .branch import Branch
from .environment import Waiter
from .requests import Flush
from .run import Protocol
from .staff import Staff
from .suspension import SuspendExecution, Verdict

if TYPE_CHECKING:
    from durably.wire.shapes import Operation

    from .barging_lock import BargingLock
    from .sync_group import SyncGroup
    from .sync_run import SyncRun

__all__ = ["Crew", "Strand", "Waits"]

T = TypeVar("T")
Waits = Sequence[tuple[str, str | None, int | None]]
"""(operation id, its status, when it changes by itself) of each thing a branch waits for."""
_REFRESH_PATIENCE_MS: Final = 50
"""Doubled for every refresh that found what was due not done yet."""


class Strand:
    """The open groups of one thread of control."""

    __slots__ = ("groups", "not_before_ms", "refreshes", "waiter")

    def __init__(self) -> None:
        self.waiter: Waiter | None = None
        """Where its thread waits."""
        self.groups: list[SyncGroup] = []
        self.refreshes: int = 0
        self.not_before_ms: int = 0

    def wake(self) -> None:
        """Something has changed. The caller holds the lock."""
        waiter, self.waiter = self.waiter, None
        if waiter is not None:
            waiter.wake()


class Crew:
    """The threads of one run, the groups that have work for them, and what parked branches wait for."""

    def __init__(self, run: SyncRun) -> None:
        self.run = run
        self.lock: BargingLock = run.lock
        self.staff: Staff = Staff(run.environment, run.lock, self._work, self._waiting_work, self._no_threads)
        self._opened = 0
        self._open: dict[int, SyncGroup] = {}
        self._work_in: list[SyncGroup] = []
        self._parked: dict[str, dict[tuple[SyncGroup, int], str | None]] = {}
        self._strands: dict[Branch | None, Strand] = {}
        self._watched: dict[str, Strand] = {}
        self._ending: list[tuple[int, SyncGroup, int, Protocol]] = []
        """Branches whose code is through, by the number of the update that says so."""

    # The caller of everything below holds the lock.

    def enter(self, group: SyncGroup) -> tuple[int, Strand]:
        """``group`` has been opened: its number, and the strand it is part of."""
        self._opened += 1
        self._open[self._opened] = group
        strand = self._strands.get(group.key)
        if strand is None:
            strand = self._strands[group.key] = Strand()
        strand.groups.append(group)
        return self._opened, strand

    def leave(self, group: SyncGroup, running: int) -> None:
        """``group`` is over. Threads that its branches still hold do not count any more; they end by themselves."""
        self._open.pop(group.number, None)
        strand = self._strands[group.key]
        strand.groups.remove(group)
        if not strand.groups:
            del self._strands[group.key]
        if running:
            self.dismiss(running)

    def dismiss(self, threads: int) -> None:
        """The branches of so many threads have been given up: these do not count any more."""
        self.staff.hired -= threads
        for inner in [one for one in self._open.values() if one.is_over]:
            inner.strand.wake()  # whoever waits there is let go, and closes it
        if self._waiting_work():
            self.staff.need()

    def over(self) -> None:
        """The run is over: whoever waits is let go."""
        for strand in self._strands.values():
            strand.wake()

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
        self.staff.need()

    def _waiting_work(self) -> int:
        """How many branches wait for a thread. What has not begun when the handler returns is given up."""
        return sum(len(group.to_run) for group in self._work_in) if self.run.recording else 0

    def _no_threads(self, error: RuntimeError) -> None:
        self.run.end(Verdict(raises=error))

    def _work(self) -> None:
        staff, counted = self.staff, True
        while counted:
            with self.lock:
                while self._work_in and not self._work_in[-1].to_run:
                    self._work_in.pop().offered = False
                if not self._work_in or staff.overfull or not self.run.recording:
                    staff.hired -= 1
                    return
                staff.taken += 1
                group = self._work_in[-1]
                index, branch = group.take()
            counted = group.run_branch(index, branch)

    def leave_behind(self, group: SyncGroup, index: int, protocol: Protocol, flush: Flush) -> bool:
        """Whether the thread of a branch can take another one now, instead of waiting for ``flush``."""
        run = self.run
        if not flush.last or run.hooks is not None or run.environment.sends_at_once:
            return False
        if self.staff.overfull or not any(one.to_run for one in self._work_in):
            return False
        if run.verdict is not None or run.outbox.acknowledged >= flush.seq:
            return False
        heappush(self._ending, (flush.seq, group, index, protocol))
        run.send_soon()
        return True

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
        run, last = self.run, key is None
        waiter: Waiter | None = None
        strand: Strand | None = None
        while True:
            with self.lock:
                if waiter is not None and strand is not None:
                    self._leave_wait(strand, waits, last)
                    waiter = None
                if run.is_over or (branch is not None and branch.is_over):
                    raise SuspendExecution
                found = ready()
                if found is not None:
                    return found
                strand = self._strands.get(key)
                settled, timeout = True, None
                if strand is not None and any(group.can_move for group in strand.groups):
                    timeout = self._until_due(strand, waits)
                    if timeout is None or timeout > 0:
                        waiter = self._enter_wait(strand, waits, last)
                    else:
                        strand.refreshes += 1
                        patience = _REFRESH_PATIENCE_MS * 2 ** min(strand.refreshes - 1, 10)
                        strand.not_before_ms = run.environment.now_ms() + patience
                elif settled := run.is_settled(last=last):
                    parked = [wait for group in strand.groups for wait in group.waits()] if strand is not None else []
                    raise run.suspend_branch(branch, [*waits, *parked])
            if waiter is not None and strand is not None:
                try:
                    waiter.wait(timeout)
                except BaseException:  # an interrupt
                    with self.lock:
                        self._leave_wait(strand, waits, last)
                    raise
            elif settled:
                run.refresh()
            else:
                run.settle(last=last)

    def _enter_wait(self, strand: Strand, waits: Waits, last: bool) -> Waiter:
        """Where to wait until something of ``strand`` has changed."""
        waiter = strand.waiter = self.run.environment.waiter()
        if not last:  # the handler's own thread is none of the staff
            self.staff.waiting += 1
        for op_id, _, _ in waits:
            self._watched[op_id] = strand
        if self._work_in:
            self.staff.need()
        return waiter

    def _leave_wait(self, strand: Strand, waits: Waits, last: bool) -> None:
        strand.waiter = None
        if not last:
            self.staff.waiting -= 1
        for op_id, _, _ in waits:
            self._watched.pop(op_id, None)

    def _until_due(self, strand: Strand, waits: Waits) -> float | None:
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

    def absorbed(self, operations: list[Operation], acknowledged: int) -> None:
        """Let the branches run again whose operations have changed, and end those whose completion is recorded."""
        ending = self._ending
        while ending and ending[0][0] <= acknowledged:
            _, group, index, protocol = heappop(ending)
            group.recorded(index, protocol)
        if not self._parked and not self._watched:
            return
        for operation in operations:
            watching = self._watched.get(operation["Id"])
            if watching is not None:
                watching.refreshes = watching.not_before_ms = 0
                watching.wake()
            for (group, index), status in list(self._parked.get(operation["Id"], {}).items()):
                if operation["Status"] != status:
                    group.resume(index)


def _number(group: SyncGroup) -> int:
    return group.number
