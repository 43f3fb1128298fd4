"""Branches of async code: a task each."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from .branch import Branch
from .group import MakeBranch, Outcome
from .scope import CURRENT
from .suspension import Verdict
from .tasks import ParkFuture

if TYPE_CHECKING:
    from .async_run import AsyncRun

__all__ = ["AsyncGroup"]


class AsyncGroup:
    """See :class:`durably.engine.group.Group`."""

    def __init__(self, run: AsyncRun, parent: Branch | None, make: MakeBranch) -> None:
        self._run = run
        self._parent = parent
        self._make = make
        self._running: dict[int, tuple[asyncio.Task[None], Branch]] = {}
        self._outcomes: deque[Outcome] = deque()
        self._asked: ParkFuture | None = None

    def start(self, index: int) -> None:
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
        for task, branch in self._running.values():
            branch.over = True
            task.cancel()
        self._running.clear()
