"""Branches of async code: a task each.

A wide group does not make all its tasks at once. So many begin that a call of the service is full, and more whenever
the loop has nothing else to do: while the first ones wait for a call, a timer or a socket, all others begin. What is
quick has ended by then, and ten thousand quick branches never exist side by side.

Nor does a task stay for the acknowledgement of its branch's own completion, behind which nothing of the branch runs:
it leaves the end of the protocol behind, to be run when that completion is handed out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final

from durably.wire.limits import MAX_UPDATES_PER_CHECKPOINT

from .branch import Branch
from .delivery import unsettled
from .group import MakeBranch, Outcome
from .scope import CURRENT
from .suspension import Verdict
from .tasks import ParkFuture

if TYPE_CHECKING:
    from .async_run import AsyncRun
    from .async_writer import AsyncWriter
    from .requests import Flush
    from .run import Protocol

__all__ = ["AsyncGroup", "Beginnings", "Ending"]

_AT_ONCE: Final = MAX_UPDATES_PER_CHECKPOINT // 3
"""A branch that runs a step makes three updates before it waits."""


class Beginnings:
    """Branches of a run that are still to begin, in their order."""

    def __init__(self, run: AsyncWriter) -> None:
        self._run = run
        # Side by side, for pairs would be ten thousand objects more for the garbage collector to look at.
        self._groups: deque[AsyncGroup] = deque()
        self._indexes: deque[int] = deque()
        self._due = False

    def __bool__(self) -> bool:
        return bool(self._indexes)

    def add(self, group: AsyncGroup, index: int) -> None:
        if not self._indexes and len(self._run._tasks) < _AT_ONCE:
            group.begin(index)
            return
        self._groups.append(group)
        self._indexes.append(index)
        self.go_on()

    def go_on(self) -> None:
        """Let more begin, as soon as nothing else can be done."""
        if self._indexes and not self._due:
            self._due = True
            self._run._soon(self._more, 0)

    def _more(self, ticks: int) -> None:
        if self._run._delivery.busy:
            self._due = False
            return  # it looks whether the loop is idle, too, and tells when it has nothing more to hand out
        if unsettled(self._run.loop, ticks):
            self._run._soon(self._more, ticks + 1)
            return
        self._due = False
        for _ in range(min(_AT_ONCE, len(self._indexes))):
            self._groups.popleft().begin(self._indexes.popleft())
        if self._indexes:
            self.go_on()
        else:
            self._run._check_soon()


class AsyncGroup:
    """See :class:`durably.engine.group.Group`."""

    def __init__(self, run: AsyncRun, parent: Branch | None, make: MakeBranch) -> None:
        self.run = run
        self.parent = parent
        self._make = make
        self._running: dict[int, Ending] = {}
        self._ending: dict[int, Ending] = {}
        self._outcomes: deque[Outcome] = deque()
        self._asked: ParkFuture | None = None
        self._closed = False
        self._context: Context = copy_context()  # what the code that opened the group has set is seen by all branches
        self._context.run(CURRENT.set, None)  # but a branch is numbered by its index, not as a task of that code

    def start(self, index: int) -> None:
        self.run.beginnings.add(self, index)

    def begin(self, index: int) -> None:
        if not self._closed:
            self._context.run(self._begin, index)

    def _begin(self, index: int) -> None:
        branch = Branch(self.parent, True)
        try:
            protocol = self._make(index, branch)
        except Exception as error:
            self._ended(Outcome(index, None, error))
            return
        run, ending = self.run, Ending(self, index, branch, protocol)
        task = ending.task = run.create_task(run.drive(protocol, None, ending))
        if not task.done():  # a loop may run it at once
            self._running[index] = ending
            run.adopt_branch(task)

    def through(self, index: int, branch: Branch, outcome: Outcome | None) -> None:
        """The task of a branch does nothing more; called by it."""
        started = self._running.pop(index, None)
        if started is not None and started.task is not None:
            self.run.through(started.task)
        if outcome is not None and not branch.is_over:
            self._ended(outcome)
            branch.end()

    def _ended(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(None)

    def leave(self, ending: Ending) -> None:
        """The task of a branch leaves its end behind; called by it, which is waiting to be recorded."""
        self._ending[ending.index] = ending
        if self._running.pop(ending.index, None) is not None and ending.task is not None:
            self.run._tasks.discard(ending.task)
            ending.task = None  # with all that it holds

    def recorded(self, ending: Ending) -> None:
        """What was left behind of a branch can be run: nothing but its return."""
        branch = ending.branch
        del self._ending[ending.index]
        branch.end()
        try:
            ending.protocol.send(None)
        except StopIteration as stop:
            self._ended(Outcome(ending.index, stop.value, None, branch.text))
        except Exception as error:
            self._ended(Outcome(ending.index, None, error))

    def ready(self) -> Outcome | None:
        return self._outcomes.popleft() if self._outcomes else None

    async def next(self) -> Outcome:
        """Wait for a branch to end."""
        while not self._outcomes:
            self.run.refuse_if_ended(self.parent)
            self._asked = ParkFuture(loop=self.run.loop)
            await self._asked
        return self._outcomes.popleft()

    def close(self) -> None:
        self._closed = True
        for ending in self._running.values():
            ending.branch.over = True
            if (task := ending.task) is not None:
                task.cancel()
                self.run.disown(task)
        self._running.clear()
        for ending in self._ending.values():
            ending.give_up()
        self._ending.clear()


class Ending:
    """The end of a branch whose code is through, in the place of a future that its task would await.

    Attributes:
        protocol: that of the branch.
        strand, came: see :class:`durably.engine.tasks.ParkFuture`.
    """

    __slots__ = ("_group", "_over", "branch", "came", "index", "protocol", "strand", "task")

    def __init__(self, group: AsyncGroup, index: int, branch: Branch, protocol: Protocol) -> None:
        self._group = group
        self.branch: Branch = branch
        self._over = False
        self.index: int = index
        self.protocol: Protocol = protocol
        self.strand: Branch | None = branch
        self.task: asyncio.Task[Any] | None = None
        self.came: int = 0

    def take_over(self, flush: Flush) -> bool:
        """Whether the task need not wait for ``flush``, the last that the protocol asks for."""
        run = self._group.run
        if run.hooks is not None or run.verdict is not None or self.branch.is_over:
            return False
        if run.outbox.acknowledged >= flush.seq:
            return False
        self._group.leave(self)
        run.tell_when_recorded(flush, self)
        return True

    def returned(self, value: Any) -> None:
        """The protocol has ended in the task, with ``value``."""
        self._group.through(self.index, self.branch, Outcome(self.index, value, None, self.branch.text))

    def raised(self, error: BaseException) -> bool:
        """The same, with ``error``. Whether that is all there is to be done about it."""
        branch, group = self.branch, self._group
        if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            return False
        if isinstance(error, Exception):
            group.through(self.index, branch, Outcome(self.index, None, error))
            return True
        if not branch.is_over:
            group.run.end(
                Verdict(raises=error)
            )  # SystemExit in a branch ends the invocation as it would in the handler
        group.through(self.index, branch, None)
        return True

    def give_up(self) -> None:
        self._over = True

    def done(self) -> bool:
        return self._over

    def hand_out(self) -> bool:
        self.set_result(None)
        return False  # the group's own protocol is yet to see it

    def set_result(self, _: None) -> None:
        self._over = True
        self._group.recorded(self)
