"""Branches of async code: a task each.

A wide group does not make all its tasks at once. So many begin that a call of the service is full, and more whenever
the loop has nothing else to do: while the first ones wait for a call, a timer or a socket, all others begin. What is
quick has ended by then, and ten thousand quick branches never exist side by side.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Final

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

__all__ = ["AsyncGroup", "Beginnings"]

_AT_ONCE: Final = MAX_UPDATES_PER_CHECKPOINT


class Beginnings:
    """Branches of a run that are still to begin, in their order."""

    def __init__(self, run: AsyncWriter) -> None:
        self._run = run
        self._waiting: deque[tuple[AsyncGroup, int]] = deque()
        self._due = False

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, group: AsyncGroup, index: int) -> None:
        if self._waiting:
            self._waiting.append((group, index))
        elif len(self._run._tasks) < _AT_ONCE:
            group.begin(index)
        else:
            self._waiting.append((group, index))
            self.go_on()

    def go_on(self) -> None:
        """Let more begin, as soon as nothing else can be done."""
        if self._waiting and not self._due:
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
        for _ in range(min(_AT_ONCE, len(self._waiting))):
            group, index = self._waiting.popleft()
            group.context.run(group.begin, index)
        if self._waiting:
            self.go_on()
        else:
            self._run._check_soon()


class AsyncGroup:
    """See :class:`durably.engine.group.Group`."""

    def __init__(self, run: AsyncRun, parent: Branch | None, make: MakeBranch) -> None:
        self._run = run
        self._parent = parent
        self._make = make
        self._running: dict[int, tuple[asyncio.Task[None], Branch]] = {}
        self._outcomes: deque[Outcome] = deque()
        self._asked: ParkFuture | None = None
        self._closed = False
        self.context: Context = copy_context()  # what the code that opened the group has set is seen by all branches

    def start(self, index: int) -> None:
        self._run.beginnings.add(self, index)

    def begin(self, index: int) -> None:
        if self._closed:
            return
        branch = Branch(self._parent, isolated=True)
        token = CURRENT.set(None)  # a branch is numbered by its index, not as a task of the code that opened the group
        try:
            task = self._run.loop.create_task(self._work(index, branch))
        finally:
            CURRENT.reset(token)
        self._running[index] = (task, branch)
        self._run.adopt(task)

    async def _work(self, index: int, branch: Branch) -> None:
        try:
            outcome = Outcome(index, await self._run.drive(self._make(index, branch)), None)
        except Exception as error:
            outcome = Outcome(index, None, error)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # SystemExit in a branch ends the invocation as it would in the handler
            if not branch.is_over:
                self._run.end(Verdict(raises=error))
            return
        if branch.is_over:
            return
        self._running.pop(index, None)
        self._outcomes.append(outcome)
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(None)

    async def next(self) -> Outcome:
        """Wait for a branch to end."""
        while not self._outcomes:
            self._run.refuse_if_ended(self._parent)
            self._asked = ParkFuture(loop=self._run.loop)
            await self._asked
        return self._outcomes.popleft()

    def close(self) -> None:
        self._closed = True
        for task, branch in self._running.values():
            branch.over = True
            task.cancel()
        self._running.clear()
