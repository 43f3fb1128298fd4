"""Timers of the program: ``asyncio.timeout``, ``wait_for``, ``asyncio.wait(timeout=...)``, ``asyncio.sleep``.

A timer that strikes while something else is under way decides something: it cancels a step, or is first where a step or
another timer could have been. A clock does not repeat that, least of all where recorded steps take no time. So the
strike is made a completion like others (law R9): it is recorded first, takes effect when the record is acknowledged, in
the order of the record, and on replay it strikes when it is its turn, whatever the clock says. What was recorded before
it has been seen by then: a step whose result is on its way when the time is over has won.

Where nothing else is under way, a handler that sleeps between two steps, there is nothing to be decided, and the timer
just strikes. Timers in the bodies of steps are not the program's.

A timer's id is derived from the scope that set it and its number there (law R2). The number of operations that the
scope has called is recorded with the strike: on replay the program first has to come as far.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final, cast

from .operation import Op, is_terminal
from .scope import CURRENT, Scope

if TYPE_CHECKING:
    from durably.wire.shapes import Operation

    from .async_run import AsyncRun

__all__ = ["SUB_TYPE", "Timers", "install_timers"]

SUB_TYPE: Final = "Timer"

CallAt = Callable[..., asyncio.TimerHandle]


def install_timers(loop: asyncio.AbstractEventLoop) -> None:
    """Let the runs on ``loop`` know of the timers that their programs set. Idempotent."""
    plain_at, plain_later = loop.call_at, loop.call_later
    if getattr(plain_at, "durably", False):
        return

    def call_at(
        when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        scope = CURRENT.get() if context is None else context.get(CURRENT)
        if scope is None or scope.owner is None or not scope.run.is_async:
            return plain_at(when, callback, *args, context=context)
        timers: Timers = cast("AsyncRun", scope.run).timers
        return timers.set(plain_at, scope, when, callback, args, context or copy_context())

    def call_later(
        delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        scope = CURRENT.get() if context is None else context.get(CURRENT)
        if scope is None or scope.owner is None:
            return plain_later(delay, callback, *args, context=context)
        return call_at(loop.time() + delay, callback, *args, context=context)

    call_at.durably = True  # type: ignore[attr-defined]
    try:
        loop.call_at = call_at  # type: ignore[method-assign,assignment]
        loop.call_later = call_later  # type: ignore[method-assign,assignment]
    except AttributeError:  # a loop written in another language: its timers are not known of
        pass


class Timers:
    """Of one run.

    Attributes:
        due: how many strikes are recorded, or being recorded, and have not taken effect.
        foretold: the timers that have struck in an earlier invocation and wait for their turn.
    """

    def __init__(self, run: AsyncRun) -> None:
        self.run = run
        self.due: int = 0
        self.foretold: set[_Timer] = set()
        self._armed: set[_Timer] = set()
        self._prune_above = 64

    def set(
        self,
        plain_at: CallAt,
        scope: Scope,
        when: float,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: Context,
    ) -> asyncio.TimerHandle:
        """Set a timer of the program; on replay one that is known to have struck strikes when it is its turn."""
        timer = _Timer(self, scope, callback, args, context)
        timer.handle = plain_at(when, timer.reached, context=self.run._outside)
        record = self.run.ops.get(timer.op_id)
        if record is not None and is_terminal(record) and self.run.recording:
            timer.calls = _calls(record)
            future = self.run.turn_of_timer(timer.op_id, timer.is_ripe)
            if future is not None:
                self.due += 1
                self.foretold.add(timer)
                future.add_done_callback(timer.take_effect, context=context)
                return timer.handle
        self._armed.add(timer)
        if len(self._armed) > self._prune_above:
            self._prune()
        return timer.handle

    def decides(self, timer: _Timer) -> bool:
        """Whether ``timer``, which strikes now, is first among several things that are under way."""
        self._armed.discard(timer)
        if self.run.is_under_way:
            return True
        self._prune()
        return bool(self._armed)

    def _prune(self) -> None:
        self._armed = {one for one in self._armed if not one.handle.cancelled()}
        self._prune_above = 2 * len(self._armed) + 64

    def governs(self, future: asyncio.Future[Any]) -> bool:
        """Whether ``future`` is what a sleep waits for that ends when its turn has come."""
        return any(future is arg for timer in self.foretold for arg in timer.args)


class _Timer:
    """A timer that the program has set.

    Attributes:
        calls: how many operations its scope had called when it struck in an earlier invocation.
    """

    __slots__ = ("args", "callback", "calls", "context", "handle", "op_id", "scope", "timers")

    handle: asyncio.TimerHandle

    def __init__(
        self, timers: Timers, scope: Scope, callback: Callable[..., Any], args: tuple[Any, ...], context: Context
    ) -> None:
        self.timers: Timers = timers
        self.scope: Scope = scope
        self.callback: Callable[..., Any] = callback
        self.args: tuple[Any, ...] = args
        self.context: Context = context
        self.op_id: str = scope.take_timer_id()
        self.calls: int = 0

    def is_ripe(self) -> bool:
        """Whether the program has come as far as when the timer struck."""
        return self.scope.count >= self.calls or self.handle.cancelled()

    def reached(self) -> None:
        """It is time, by the clock."""
        run, branch = self.timers.run, self.scope.branch
        if self in self.timers.foretold:
            run.release_timer(self.op_id)
        elif (
            run.recording
            and not (branch is not None and branch.is_over)
            and self._is_unknown()
            and self.timers.decides(self)
        ):
            self._record()
        else:
            self.context.run(self.callback, *self.args)

    def _is_unknown(self) -> bool:
        record = self.timers.run.ops.get(self.op_id)
        return record is None or not is_terminal(record)

    def _record(self) -> None:
        run = self.timers.run
        op = Op(run, self.scope, self.op_id, "STEP", SUB_TYPE, None, self.scope.owner._parent_id)
        if op.record() is None:
            op.post("START")
        flush = op.put("SUCCEED", json.dumps({"calls": self.scope.count}), None, True)
        self.timers.due += 1
        run.when_recorded(flush).add_done_callback(self.take_effect, context=self.context)

    def take_effect(self, told: asyncio.Future[None]) -> None:
        """Strike, unless the program has gone past what the timer was for."""
        self.timers.due -= 1
        foretold = self in self.timers.foretold
        self.timers.foretold.discard(self)
        if told.cancelled() or self.handle.cancelled():
            return
        if foretold:
            self.handle.cancel()
            if _is_anyio(self.callback):
                self.callback.__self__.cancel()  # type: ignore[attr-defined]  # it would look at the clock
                return
        self.callback(*self.args)


def _calls(record: Operation) -> int:
    try:
        return int(json.loads(record.get("StepDetails", {}).get("Result") or "{}")["calls"])
    except (ValueError, TypeError, KeyError):
        return 0  # a step of the program's own may have such a sub type


def _is_anyio(callback: Callable[..., Any]) -> bool:
    owner = getattr(callback, "__self__", None)
    return getattr(callback, "__name__", "") == "_timeout" and type(owner).__module__.startswith("anyio.")
