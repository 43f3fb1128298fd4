"""Driving protocols on an event loop.

Nothing is unwound while an invocation may go on: what must wait awaits a future and stays where it is. The
invocation ends when no step runs, no call is in flight and every task of the handler waits for the service or for
another such task. Then the verdict is out, and the tasks are cancelled, outermost first; what they do with that
cannot change the verdict (laws R6 and R7).

While the handler has spawned no tasks a completion resumes its only task directly, and a recorded one does not
even touch the loop; with tasks, :mod:`durably.engine.delivery` keeps the order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from inspect import isawaitable
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

from .async_body import awaited, begin_body
from .async_group import AsyncGroup
from .async_writer import AsyncWriter
from .cancellation import cancelled_by_itself, not_cancelled
from .delivery import unsettled
from .requests import Body, Flush, NextOutcome, OpenGroup, Park, Pause, Request, Turn
from .run import Protocol
from .scope import CURRENT
from .suspension import SuspendExecution, Verdict
from .tasks import ParkFuture, factory_replaced, waits_inside
from .time_limit import TimeLimit
from .timers import Timers

if TYPE_CHECKING:
    from durably.wire.shapes import Operation

    from .async_group import Ending
    from .branch import Branch
    from .group import MakeBranch
    from .operation import Op
    from .transport import AsyncTransport

__all__ = ["AsyncRun"]

T = TypeVar("T")

_CANCEL_ROUNDS = 8
_CANCEL_PATIENCE = 5.0
"""Seconds a round for tasks that resist cancellation; never reached by tasks that do not."""


class AsyncRun(AsyncWriter):
    """A run whose operations are awaited. Lives on the loop it was created on."""

    is_async = True

    def __init__(
        self, arn: str, token: str, operations: list[Operation], transport: AsyncTransport, lambda_context: Any = None
    ) -> None:
        super().__init__(arn, token, operations, transport, lambda_context)
        self._factory = self.loop.get_task_factory()
        self._makes_plain_tasks: bool = getattr(self._factory, "plain", False)
        self._root: asyncio.Task[Any] | None = None
        self._suspect: asyncio.Task[Any] | None = None
        self._steps = 0
        self._cancellations = 0
        self._limit = TimeLimit(self)
        self.timers: Timers = Timers(self)
        self._checking = False
        self.spawn_batch: Any = None

    # ---- the driver -----------------------------------------------------------------------------------------

    async def drive(self, protocol: Protocol, op: Op | None = None, ending: Ending | None = None) -> Any:
        """Run ``protocol`` to its end; a recorded operation ends in the first step, without the loop.

        Parameters:
            op: the operation that the program called, told when the call is over.
            ending: that of a branch, told how it ends, or left with the rest of the protocol.
        """
        # One coroutine does it all: each more would cost every operation, and every resumption of what it runs.
        try:
            if self.loop.get_task_factory() is not self._factory:
                raise factory_replaced(protocol)
            if self.stopping:
                await self._limit.never()
            request = protocol.send(None)
            if self._delivery.conditions:
                self._delivery.pump_soon()  # the program has come further
            answer: Any
            while True:
                try:
                    if type(request) is Flush:
                        if request.last and ending is not None and ending.take_over(request):
                            return None
                        answer, acknowledged = None, self._flush(request)
                        if acknowledged is not None:
                            await acknowledged
                    elif type(request) is Body:
                        is_step = request.is_step
                        token = CURRENT.set(request.scope)
                        self._steps += is_step
                        try:
                            answer = begin_body(request) if is_step else request.func(*request.args)
                            del request  # or thousands of them wait for the end of what they have begun
                            if type(answer) is CoroutineType or isawaitable(answer):
                                answer = await answer
                        finally:
                            try:
                                CURRENT.reset(token)
                            except ValueError:  # closed by the garbage collector, in a context that is not this task's
                                pass
                            del token
                            if is_step:
                                self._steps -= 1
                                if not self._sender_due and not self._sending:
                                    self._check_soon()
                    else:
                        answer = await self._perform(request)
                except BaseException as error:
                    request = protocol.throw(error)
                else:
                    request = protocol.send(answer)
        except StopIteration as stop:
            if op is not None:
                op.over(seen=True)
            elif ending is not None:
                ending.returned(stop.value)
            return stop.value
        except BaseException as error:
            if op is not None:
                op.over(seen=isinstance(error, Exception))
            elif ending is not None and ending.raised(error):
                return None
            raise

    async def _perform(self, request: Request) -> Any:
        if type(request) is Pause:
            return await asyncio.sleep(0)
        if type(request) is Turn:
            return await self._turn(request)
        if type(request) is NextOutcome:
            return await request.group.next()
        if type(request) is OpenGroup:
            return self.open_group(request.branch, request.make)
        assert type(request) is Park
        return await self._park(request)

    def open_group(self, branch: Branch | None, make: MakeBranch) -> AsyncGroup:
        self._delivery.rank(self.ops.values())
        return AsyncGroup(self, branch, make)

    def start(self, protocol: Protocol, branch: Branch) -> asyncio.Task[Any]:
        """Drive ``protocol`` in a task of its own, part of ``branch``."""
        token = CURRENT.set(None)  # its scope comes with the protocol
        try:
            task = self.loop.create_task(self.drive(protocol))
        finally:
            CURRENT.reset(token)
        self.adopt(task, branch)
        return task

    def refusal(self) -> BaseException:
        # Tasks are being cancelled, and this one goes on with operations: it is cancelled again.
        return asyncio.CancelledError("the invocation has ended; nothing more is recorded in it")

    # ---- parking and the end ---------------------------------------------------------------------------------------

    async def _park(self, park: Park) -> None:
        self.refuse_if_ended()
        record = self.ops.get(park.op_id)
        future = ParkFuture(loop=self.loop)
        future.strand = park.strand
        self._parks.setdefault(park.op_id, []).append((None if record is None else record["Status"], future))
        if park.due_ms is not None:
            self._alarm.note(park.op_id, park.due_ms)
        self._check_soon()
        await future
        if self.stopping:
            await self._limit.never()  # what follows would be new: another attempt, the code behind a wait

    def adopt(self, task: asyncio.Task[Any], branch: Branch | None = None) -> None:
        """``task`` was spawned by this run's code, in ``branch``."""
        if not self.recording or (branch is not None and branch.is_over):
            task.cancel()
        if branch is not None:
            if branch.tasks is None:
                branch.tasks = set()
            if branch.strand is not None:
                branch.strand.concurrent = True
            branch.tasks.add(task)
            task.add_done_callback(branch.tasks.discard, context=self._outside)
        self._delivery.rank(self.ops.values())
        self._newcomers = True
        self._tasks.add(task)
        task.add_done_callback(self._task_done, context=self._outside)  # or it would copy the context

    def create_task(self, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that is none of the program's own, in the current context."""
        if self._makes_plain_tasks:
            return asyncio.Task(coro, loop=self.loop)
        return self.loop.create_task(coro)

    def adopt_branch(self, task: asyncio.Task[Any]) -> None:
        """``task`` runs a branch of a group. Unless cancelled, it says itself when it is through (:meth:`disown`)."""
        if not self.recording:
            task.cancel()
        self._newcomers = True
        self._tasks.add(task)

    def disown(self, task: asyncio.Task[Any]) -> None:
        """Nothing of ``task`` is left to run, or nobody wants it to."""
        if task.done():
            self._task_done(task)
        else:
            task.add_done_callback(self._task_done, context=self._outside)

    def through(self, task: asyncio.Task[Any]) -> None:
        """``task``, which is running, does nothing more."""
        self._tasks.discard(task)
        self._check_soon()

    def close_branch(self, branch: Branch) -> None:
        branch.over = True
        for task in list(branch.tasks or ()):
            task.cancel()

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._check_soon()

    def _check_soon(self) -> None:
        if self._steps or self._sending or self._sender_due or self._delivery.busy or self.beginnings:
            return  # what these come back with checks again
        if not (self._parks or self._delivery.has_turns or self.outbox.has_pending or self.stopping):
            return  # nothing waits; what begins to comes here
        if not self._checking and self.verdict is None:
            self._checking = True
            self._soon(self._check, 0)

    def _check(self, ticks: int) -> None:
        """End the invocation, or let recorded completions out of their order, if nothing else can move."""
        if self._steps or self._sending or self._sender_due or self._delivery.busy or self.beginnings:
            self._checking = False
            return  # each of these comes back here when it is over
        if unsettled(self.loop, ticks):
            self._soon(self._check, ticks + 1)
            return
        self._checking = False
        if self.verdict is not None or self._root is None or self._root.done():
            return
        if self.outbox.has_pending:
            self._send_soon()  # recorded before the program waits; the answer comes back here
            return
        if self.stopping:
            self.end(self.timeout_near())  # no step runs any more, and what they did is recorded
            return
        if not self._parks and not self._delivery.has_turns:
            return
        suspect = self._suspect
        if suspect is not None and not suspect.done() and self._moves(suspect):
            return
        for task in (self._root, *self._tasks):
            if not task.done() and self._moves(task):
                self._suspect = task
                return
        if self._delivery.has_turns:
            self._delivery.release_turn()
        elif not self._cancellations:
            self.suspend()

    def _moves(self, task: asyncio.Task[Any]) -> bool:
        """Whether ``task`` may still move by itself. If so, look again when it has."""
        found = waits_inside(task, self._tasks)
        if found is True or (self.timers.foretold and found and self.timers.governs(found)):
            return False
        if found is None or found is False:
            self._check_soon()
        elif not any(getattr(entry[0], "__func__", None) is AsyncRun._woken for entry in found._callbacks or ()):
            found.add_done_callback(self._woken)
        return True

    def _woken(self, _: asyncio.Future[Any]) -> None:
        self._check_soon()

    def limit(self, remaining_ms: int) -> None:
        super().limit(remaining_ms)
        self._limit.set()

    def end(self, verdict: Verdict) -> None:
        super().end(verdict)
        self._delivery.stopped = True
        if not self._over.done():
            self._over.set_result(None)

    # ---- order of completions (law R9) ------------------------------------------------------------------------

    def is_being_cancelled(self) -> bool:
        task = asyncio.current_task()
        return task is None or task.cancelling() > 0

    def must_queue(self, op_id: str) -> bool:
        if self._tasks or self.spawning or self.timers.due:
            self._delivery.rank(self.ops.values())
            return self._delivery.must_queue(op_id)
        self._delivery.delivered.add(op_id)
        return False

    def may_defer(self, op_id: str, branch: Branch | None) -> bool:
        # With tasks, the order in which completions are seen must be that of the record, so they are seen through it.
        strand = None if branch is None else branch.strand
        if self.timers.due or (self._tasks and (strand is None or strand.concurrent)):
            return False
        self._delivery.delivered.add(op_id)
        return True

    async def _turn(self, turn: Turn) -> None:
        if turn.cancelled_after_ms is not None:
            await self._await_cancellation(turn)
        self.refuse_if_ended()
        await self._delivery.turn(turn.op_id)

    async def _await_cancellation(self, turn: Turn) -> None:
        future = ParkFuture(loop=self.loop)
        limit = turn.cancelled_after_ms or 0
        timer = self.loop.call_later(
            2 * limit / 1000 + 1, not_cancelled, self, turn.op_id, future, context=self._outside
        )
        self._cancellations += 1  # the code that cancels may be a timer of the program's own: the invocation stays
        self._check_soon()
        try:
            await future
        finally:
            timer.cancel()
            self._delivery.delivered.add(turn.op_id)
            self._cancellations -= 1
            self._check_soon()

    @property
    def is_under_way(self) -> bool:
        """Whether operations or tasks are under way, so that the moment in which a timer strikes decides something."""
        return bool(
            self._tasks
            or self._flushes
            or self._steps
            or self._cancellations
            or self._parks
            or self._delivery.has_turns
            or self._delivery.busy
        )

    def turn_of_timer(self, op_id: str, ripe: Callable[[], bool]) -> ParkFuture | None:
        """When the recorded strike of a timer is next; None if it is not of an earlier invocation."""
        self._delivery.rank(self.ops.values())
        return self._delivery.turn(op_id, ripe) if self._delivery.must_queue(op_id) else None

    def forgo(self, op_id: str) -> None:
        self._delivery.forgo(op_id, self.ops)

    def release_timer(self, op_id: str) -> None:
        self._delivery.release_until(op_id)

    # ---- the handler -------------------------------------------------------------------------------------------------

    async def run_handler(self, call: Callable[[], Any]) -> Any:
        """Run the handler in a task of its own until it returns or the run ends.

        Returns its result or raises its error; raises SuspendExecution if there is a verdict.
        """
        root = self._root = self.loop.create_task(awaited(call))
        try:
            await asyncio.wait((root, self._over), return_when=asyncio.FIRST_COMPLETED)
        except BaseException as error:  # whoever runs the invocation has cancelled it
            self.end(Verdict(raises=error))
            raise
        finally:
            await self._stop()
        # The failure is asked for, or asyncio reports it as forgotten.
        failure = None if root.cancelled() or not root.done() else root.exception()
        if self.verdict is not None:
            raise SuspendExecution from failure
        if root.cancelled():
            raise cancelled_by_itself()
        return root.result()

    async def _stop(self) -> None:
        """Cancel what is alive, outermost first, so that each sees its own cancellation and not its children's."""
        self.returned = True
        root = self._root
        for n in range(_CANCEL_ROUNDS):
            left = [task for task in (root, *self._tasks) if task is not None and not task.done()]
            if not left:
                break
            if root in left and n % 2 == 0:
                left = [root]  # it cancels what it waits for, if it is structured
            for task in left:
                task.cancel()
            await self._reaction(left)
        self._alarm.cancel()
        self._limit.cancel()
        if self._sending and self.verdict is not None:
            self._quiet = self.loop.create_future()
            await self._quiet  # nothing of an ended invocation is alive, its last call included

    async def _reaction(self, cancelled: list[asyncio.Task[Any]]) -> None:
        """Wait while what was cancelled cleans up; not while it only waits for others, which will not move."""
        ticks = 0
        while unsettled(self.loop, ticks):
            await asyncio.sleep(0)
            ticks += 1
        alive = [task for task in (self._root, *self._tasks) if task is not None and not task.done()]
        if any(waits_inside(task, self._tasks) is not True for task in alive):
            left = [task for task in cancelled if not task.done()]
            if left:
                await asyncio.wait(left, timeout=_CANCEL_PATIENCE)


# What Python says of one that nobody awaits: "coroutine '...' was never awaited".
AsyncRun.drive.__qualname__ = "an operation of a durable context: write `await ctx.step(...)`"
