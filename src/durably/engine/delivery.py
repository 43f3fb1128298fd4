"""The order in which completions reach concurrent tasks (law R9).

With tasks there are several observers, and the order of completions is part of what they see (``as_completed``,
``wait(FIRST_COMPLETED)``, a failing TaskGroup). So completions are handed out one at a time, each after the
consequences of the one before have run: those that an earlier invocation recorded in recorded order, then new ones in
the order of the service's answers, which is the order that the next replay will find. Branches of a map or parallel
only see what is theirs, so one completion for each of several branches may go out together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from .operation import GIVE_UP, is_terminal
from .scope import CURRENT
from .tasks import Arrival, ParkFuture

if TYPE_CHECKING:
    from durably.wire.shapes import Operation

    from .branch import Branch

__all__ = ["Delivery", "unsettled"]

_SETTLE_TICKS: Final = 16
"""Turns of the loop granted to the consequences of a completion, whatever else keeps the loop from falling idle."""
_BLIND_TICKS: Final = 256
"""Turns granted on a loop that does not show what is ready to run: as many as forty tasks take that wait for each
other. There each completion among tasks waits for all of them, a third of a millisecond."""
_SPIN_TICKS: Final = 1024
"""Turns granted while code of a handler is seen to be about to run. One that still is after so many only spins."""


def unsettled(loop: asyncio.AbstractEventLoop, ticks: int) -> bool:
    """Whether something that has already happened may still have consequences in this turn of the loop.

    Tasks wait for tasks that wait for tasks: a completion may take many turns to reach who looks at it. What is ready
    to run tells by its scope whose it is, so that bodies of steps, and the client's calls, do not count as
    consequences. A loop that does not show it (uvloop's) may always have more: it is given turns enough for all but the
    deepest nests.
    """
    ready = getattr(loop, "_ready", None)
    if ready is None:
        return ticks < _BLIND_TICKS
    if ticks < _SETTLE_TICKS:
        return bool(ready)
    return ticks < _SPIN_TICKS and any(map(_is_handlers, ready))


def _is_handlers(handle: asyncio.Handle) -> bool:
    """Whether it is code of a handler, outside of steps, or what asyncio does for it."""
    context = getattr(handle, "_context", None)
    scope = None if context is None else context.get(CURRENT)
    return scope is not None and scope.owner is not None


class Delivery:
    """Completions on their way to the program.

    Parameters:
        loop: the run's loop; ``soon``: its call_soon, outside of any scope.
        idle: called when everything has been handed out and its consequences have run.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, soon: Callable[..., None], idle: Callable[[], None]) -> None:
        self._loop = loop
        self._soon = soon
        self._idle = idle
        self.delivered: set[str] = set()
        """Operations whose completion the program has seen."""
        self._ranks: dict[str, int] | None = None
        self._by_rank: list[str] = []
        self._cursor = 0
        self._inside: dict[str | None, list[str]] | None = None
        self._turns: list[tuple[int, str, ParkFuture]] = []
        self.conditions: dict[str, Callable[[], bool]] = {}
        """Of turns that do not come before the program has come as far."""
        self._arrivals: deque[Arrival] = deque()
        self._came: dict[str, int] = {}
        self._coming = 0
        self._pumping = False
        self.stopped = False

    @property
    def has_turns(self) -> bool:
        """Whether recorded completions wait for earlier ones that the program has not asked for."""
        return bool(self._turns)

    @property
    def has_arrivals(self) -> bool:
        return bool(self._arrivals)

    @property
    def busy(self) -> bool:
        """Whether something is being handed out; ``idle`` is called when that is over."""
        return self._pumping or bool(self._arrivals)

    def rank(self, operations: Iterable[Operation]) -> None:
        """Number the recorded completions that the program has not seen yet, in recorded order; once.

        That is by end time, and within one millisecond in the order of the service's list.
        """
        if self._ranks is not None:
            return
        ended = [
            (operation.get("EndTimestamp", operation["StartTimestamp"]), n, operation["Id"])
            for n, operation in enumerate(operations)
            if operation["Type"] != "EXECUTION"
            and is_terminal(operation)
            and operation["Id"] not in self.delivered
            and operation.get("SubType") != GIVE_UP
        ]
        ended.sort()
        self._by_rank = [op_id for _, _, op_id in ended]
        self._ranks = {op_id: rank for rank, op_id in enumerate(self._by_rank)}

    def forgo(self, op_id: str, operations: Mapping[str, Operation]) -> None:
        """The program does not ask for ``op_id`` again, nor for what is inside of it: nothing waits for their turns."""
        if self._inside is None:
            self._inside = {}
            for operation in operations.values():
                self._inside.setdefault(operation.get("ParentId"), []).append(operation["Id"])
        left = [op_id]
        while left:
            one = left.pop()
            self.delivered.add(one)
            left += self._inside.get(one, ())
        if self._turns:
            self.pump_soon()

    def must_queue(self, op_id: str) -> bool:
        """Whether a recorded completion has to wait for its turn; if not, it counts as seen."""
        if self._ranks is not None and op_id not in self.delivered:
            if op_id in self._ranks:
                return True
            if op_id in self._came and (self._arrivals or self._next_rank() < len(self._by_rank)):
                return True  # it came in this invocation, before it was asked for, and others are to be seen before it
        self.delivered.add(op_id)
        return False

    def comes(self, op_id: str, awaited: bool) -> int:
        """The next completion of an answer: its number; noted if nobody waits for it yet."""
        self._coming += 1
        if not awaited:
            self._came[op_id] = self._coming
        return self._coming

    def turn(self, op_id: str, ripe: Callable[[], bool] | None = None) -> ParkFuture:
        """What to await until the recorded completion of ``op_id`` is next, and ``ripe()``."""
        assert self._ranks is not None
        future = ParkFuture(loop=self._loop)
        if ripe is not None:
            self.conditions[op_id] = ripe
        rank = self._ranks.get(op_id)
        if rank is not None:
            heappush(self._turns, (rank, op_id, future))
        else:
            self.delivered.add(op_id)
            future.came = self._came.pop(op_id, 0)
            self._arrivals = deque(sorted((*self._arrivals, future), key=_came))
        self.pump_soon()
        return future

    def arrive(self, futures: Iterable[Arrival]) -> None:
        """New completions, in the order of the answer that brought them."""
        self._arrivals.extend(futures)
        self.pump_soon()

    def release_turn(self) -> None:
        """Hand out the earliest recorded completion that is waited for, whatever has not been asked for before it."""
        _, op_id, future = heappop(self._turns)
        self.delivered.add(op_id)
        self.conditions.pop(op_id, None)
        if not future.done():
            future.set_result(None)
        self.pump_soon()

    def release_until(self, op_id: str) -> None:
        """Hand out ``op_id`` and what is waited for and recorded before it."""
        while any(one == op_id for _, one, _ in self._turns):
            self.release_turn()

    def pump_soon(self) -> None:
        """Look what can be handed out, once what has happened has had its consequences."""
        if not self._pumping:
            self._pumping = True
            self._soon(self._pump, 0)

    def _pump(self, ticks: int) -> None:
        """Hand out the next completion once the loop has run the consequences of the one before."""
        if unsettled(self._loop, ticks):
            self._soon(self._pump, ticks + 1)
            return
        self._pumping = False
        if self.stopped:
            return
        turns = self._turns
        while turns and turns[0][2].done():  # cancelled meanwhile
            self.conditions.pop(turns[0][1], None)
            self.delivered.add(heappop(turns)[1])
        if turns and (turns[0][0] <= self._next_rank() or self._arrivals) and self._is_ripe(turns[0][1]):
            self.release_turn()
        elif self._hand_out_arrivals():
            self.pump_soon()
        else:
            self._idle()

    def _next_rank(self) -> int:
        """Of the first recorded completion that the program has not seen."""
        by_rank = self._by_rank
        while self._cursor < len(by_rank) and by_rank[self._cursor] in self.delivered:
            self._cursor += 1
        return self._cursor

    def _is_ripe(self, op_id: str) -> bool:
        ripe = self.conditions.get(op_id)
        return ripe is None or ripe()

    def _hand_out_arrivals(self) -> bool:
        told: set[Branch | None] = set()
        gone_on = True  # everybody who was told; else others must not be before them, who are told by the loop
        while self._arrivals:
            future = self._arrivals[0]
            if told and (future.strand is None or future.strand in told):
                break
            self._arrivals.popleft()
            if future.done():
                continue  # cancelled meanwhile
            if gone_on:
                gone_on = future.hand_out()
            else:
                future.set_result(None)
            told.add(future.strand)
            if future.strand is None:
                break
        return bool(told)


def _came(future: Arrival) -> int:
    return future.came
