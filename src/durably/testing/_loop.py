"""An event loop in virtual time: it sleeps on the scheduler instead of in the operating system.

``asyncio.sleep``, ``asyncio.timeout`` and everything else that goes by the loop's clock takes no time; threads that
coroutines wait for are waited for. So are sockets: time stands still while an answer may be on its way, and goes on
when a moment of silence has shown that none is (a connection that is only kept open must not stop the clock).
"""

from __future__ import annotations

import asyncio
import atexit
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor, Future
from typing import Any, Final, TypeVar

from durably.engine.time_limit import TimeLimit

from ._scheduler import Aborted, Scheduler, Waiter

__all__ = ["VirtualLoop", "idle_loop", "release"]

T = TypeVar("T")

_SILENCE: Final = 0.25
"""Real seconds without a sign of life from sockets after which time goes on."""
_OWN_SOCKETS: Final = 1
"""What the loop itself has registered: the one that wakes it."""


class _Selector(selectors.BaseSelector):
    """The real selector, asked only when somebody has registered with it."""

    def __init__(self) -> None:
        self.real = selectors.DefaultSelector()
        self.loop: VirtualLoop

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.modify(fileobj, events, data)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self.real.get_key(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.real.get_map()

    def close(self) -> None:
        self.real.close()

    @property
    def in_use(self) -> bool:
        return len(self.real.get_map() or ()) > _OWN_SOCKETS

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return self.real.select(0) if self.in_use or self.loop.goes_by_real_time else []
        return self.loop.stand_still(timeout)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Belongs to one scheduler at a time; see :func:`idle_loop`."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        self._virtual.loop = self
        self._scheduler: Scheduler | None = None
        self._waiter = Waiter(is_loop=True)
        self._given_up = False
        self.limit_is_meant = False
        """The function was given a timeout of its own."""
        super().__init__(self._virtual)
        self._clock_resolution = 2e-6  # of the float that tells milliseconds since 1970

    def attach(self, scheduler: Scheduler | None) -> None:
        self._scheduler = scheduler
        self._given_up = False

    @property
    def goes_by_real_time(self) -> bool:
        return self._scheduler is None or self._scheduler.real

    # ---- what asyncio asks -----------------------------------------------------------------------------------

    def time(self) -> float:
        if self._scheduler is None or self.goes_by_real_time:
            return super().time()
        return self._scheduler.clock.now_ms() / 1000

    def _write_to_self(self) -> None:
        scheduler = self._scheduler
        if scheduler is not None:
            scheduler.wake(self._waiter)
        if scheduler is None or scheduler.real or self._virtual.in_use:
            super()._write_to_self()  # type: ignore[misc]

    def stand_still(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Nothing is ready: wait until something is, or for ``timeout`` virtual seconds."""
        if self._scheduler is None or self.goes_by_real_time:
            return self._virtual.real.select(timeout)
        if self._given_up:
            return []
        self._waiter.restless = self._virtual.in_use
        if self._waiter.restless:
            events = self._virtual.real.select(_SILENCE)
            if events or self._waiter.woken:
                self._waiter.reset()
                return events
        due_ms = None if timeout is None else self._scheduler.after(timeout)
        try:
            self._scheduler.park(self._waiter, due_ms, meant=self._expects())
        except Aborted:
            self._given_up = True
            raise
        finally:
            self._waiter.reset()
        return []

    def _expects(self) -> bool:
        """Whether a timer is set by the program, not only by the engine for the end of the invocation's time."""
        if self.limit_is_meant:
            return True
        handles: Any = getattr(self, "_scheduled", ())
        return any(
            not handle.cancelled() and not isinstance(getattr(handle._callback, "__self__", None), TimeLimit)
            for handle in handles
        )

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        if self._scheduler is None or self.goes_by_real_time:
            return super().run_in_executor(executor, func, *args)
        scheduler = self._scheduler
        if executor is not None:
            scheduler.enter()
            try:
                job = executor.submit(func, *args)
            except BaseException:
                scheduler.leave()
                raise
            wrapped = asyncio.wrap_future(job, loop=self)
            job.add_done_callback(lambda _: scheduler.leave())  # after the one that wakes the loop
            return wrapped
        result: Future[Any] = Future()
        waits = asyncio.wrap_future(result, loop=self)

        def run() -> None:
            if not result.set_running_or_notify_cancel():
                return
            try:
                value = func(*args)
            except BaseException as error:
                result.set_exception(error)
            else:
                result.set_result(value)

        scheduler.borrow(run)
        return waits

    # ---- its use ----------------------------------------------------------------------------------------------

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run ``coroutine``, and what it leaves behind to its cancellation."""
        try:
            return self.run_until_complete(coroutine)
        finally:
            executor = self._default_executor  # type: ignore[has-type]
            if executor is not None:
                self._default_executor = None  # the next invocation has one of its own
                executor.shutdown()
            left = asyncio.all_tasks(self)
            if left:
                for task in left:
                    task.cancel()
                self.run_until_complete(_settled(left))

    @property
    def clean(self) -> bool:
        """Whether nothing in it could be felt by whoever uses it next."""
        handles: Any = getattr(self, "_scheduled", ())
        return not self._virtual.in_use and all(handle.cancelled() for handle in handles)


async def _settled(tasks: set[asyncio.Task[Any]]) -> None:
    for _ in range(100):
        if all(task.done() for task in tasks):
            break
        await asyncio.sleep(0)
    await asyncio.sleep(0)  # for what was to happen when they are done
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # somebody has looked at it now


_idle: Final[list[VirtualLoop]] = []
"""Making a loop costs more than a run does."""


def idle_loop(scheduler: Scheduler) -> VirtualLoop:
    loop = _idle.pop() if _idle else VirtualLoop()
    loop.attach(scheduler)
    return loop


def release(loop: VirtualLoop) -> None:
    """``loop`` is not used any more: kept for somebody else, or closed if something is left in it."""
    loop.attach(None)
    if loop.clean and len(_idle) < 8:
        _idle.append(loop)
    else:
        loop.close()


def _close_all() -> None:
    while _idle:
        _idle.pop().close()


atexit.register(_close_all)
