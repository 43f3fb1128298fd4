"""Functions run by this very process: no sockets, no start-up time, a debugger works.

Sync functions share a pool of threads, async ones a single long-lived event loop. Python can kill neither a thread
nor a coroutine, so the function's timeout works by letting go: the invocation is reported as timed out at its
deadline, its coroutine is cancelled, its thread is left behind and replaced. Whatever it still does is harmless
to the record, since the service has fenced its checkpoint token by then. A coroutine that blocks the loop itself
would hold up all others; so a loop that does not answer when a coroutine of it is cancelled is left behind too.

The time an invocation waits for a free thread is not the function's: what was left of its timeout when it was submitted
is left when it begins.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from durably.service.clock import Clock, SystemClock
from durably.service.own_loops import lend
from durably.service.ports import FunctionSpec, Invocation, InvocationResult

from ._deadlines import Deadline, Deadlines
from ._discover import LoadedFunction, is_durable_function, is_official_handler, spec_for
from ._errors import crashed, from_exception, raised, timed_out, unavailable, unknown_function
from ._json import Unmarshalable, durable_json, lambda_json, read_event
from ._lambda_context import LambdaContext
from ._loop_thread import LoopThread
from ._threads import Seat, ThreadPool

__all__ = ["InProcessWorker"]

_log: Final = logging.getLogger("durably.workers")
_GRACE_SECONDS: Final = 1.0


class InProcessWorker:
    """Runs functions on threads and an event loop of this process.

    Parameters:
        functions: handler objects (or what :func:`~durably.workers.loader.load_functions` found) by name.
        client_factory: makes the client that a durable function of durably checkpoints with. Handlers of the
            official SDK make their own, from the environment of this process (``AWS_ENDPOINT_URL_LAMBDA``).
        concurrency: how many sync functions run at once; more wait. Async functions have no limit.
        clock: what deadlines are told by.
    """

    def __init__(
        self,
        functions: Mapping[str, Any],
        *,
        client_factory: Callable[[], Any],
        concurrency: int = 64,
        clock: Clock | None = None,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        self._client_factory = client_factory
        self._clock = clock or SystemClock()
        self._pool = ThreadPool(concurrency, "durably-function")
        self._deadlines = Deadlines("durably-deadlines")
        self._lock = threading.Lock()
        self._loop: LoopThread | None = None
        self._wedged: list[LoopThread] = []
        self._closed = False
        self._log_stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{secrets.token_hex(16)}"
        self._functions: dict[str, _Function] = {}
        self._specs: dict[str, FunctionSpec] = {}
        self.replace(functions)

    def replace(self, functions: Mapping[str, Any]) -> None:
        """Serve these functions from now on; what runs goes on with the old ones."""
        made = {name: _Function(name, value) for name, value in functions.items()}
        self._functions, self._specs = made, {name: function.spec for name, function in made.items()}

    def functions(self) -> Mapping[str, FunctionSpec]:
        return self._specs

    def submit(self, invocation: Invocation, done: Callable[[InvocationResult], None]) -> None:
        function = self._functions.get(invocation.function_name)
        if function is None:
            done(unknown_function(invocation.function_name, list(self._functions)))
            return
        run = _Run(self, function, invocation, done)
        taken = self._current_loop(run.on_loop) if function.is_async else self._pool.submit(run.on_thread)
        if not taken:
            done(unavailable("ServiceException", "The worker is closed."))

    def close(self, timeout: float = 0.5) -> None:
        """Cancel coroutines and wait up to ``timeout`` seconds for what runs. Idempotent."""
        with self._lock:
            self._closed = True
            loop, self._loop = self._loop, None
        self._pool.close(timeout)
        if loop is not None:
            loop.close(timeout)
        for wedged in self._wedged:
            wedged.close(0)
        self._deadlines.close()

    def _current_loop(self, start: Callable[[LoopThread], None]) -> bool:
        with self._lock:
            if self._closed:
                return False
            if self._loop is None:
                self._loop = LoopThread("durably-async-functions")
                lend(self._loop.loop)
            loop = self._loop
        return loop.call(start, loop)

    def _leave_behind(self, loop: LoopThread, run: _Run) -> None:
        with self._lock:
            if self._loop is not loop:
                return
            self._loop = None
            self._wedged.append(loop)
        _log.warning(
            "The async function %s blocks the event loop (it did not react to being cancelled at its timeout). "
            "A new loop takes over; call what blocks through asyncio.to_thread.",
            run.function.name,
        )

    def _arm(self, seconds: float | None, callback: Callable[[], None]) -> Deadline | None:
        return None if seconds is None else self._deadlines.add(max(0.0, seconds), callback)


class _Function:
    """A handler and how to call it."""

    __slots__ = ("handler", "is_async", "is_ours", "name", "spec")

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        handler: Any = value.handler if isinstance(value, LoadedFunction) else value
        if not callable(handler):
            raise TypeError(f"the function {name!r} is a {type(handler).__name__}, which cannot be called")
        self.handler: Any = handler
        self.is_ours = is_durable_function(handler)
        self.is_async = _is_async(handler)
        if isinstance(value, LoadedFunction):
            self.spec = value.spec
        else:
            self.spec = spec_for(name, handler, durable=self.is_ours or is_official_handler(handler))


def _is_async(handler: Any) -> bool:
    return bool(handler.is_async) if is_durable_function(handler) else inspect.iscoroutinefunction(handler)


class _Run:
    """One invocation. Whoever calls :meth:`end` first, the function or its deadline, ends it."""

    __slots__ = ("_done", "_left_ms", "_worker", "function", "invocation")

    def __init__(
        self,
        worker: InProcessWorker,
        function: _Function,
        invocation: Invocation,
        done: Callable[[InvocationResult], None],
    ) -> None:
        self._worker = worker
        self._done = [done]
        self._left_ms = None if invocation.deadline_ms is None else invocation.deadline_ms - worker._clock.now_ms()
        self.function = function
        self.invocation = invocation

    def end(self, result: InvocationResult) -> bool:
        try:
            done = self._done.pop()
        except IndexError:
            return False
        try:
            done(result)
        except Exception:
            _log.exception("the result of %s could not be delivered", self.invocation.request_id)
        return True

    def on_thread(self, seat: Seat) -> None:
        context, seconds = self._begin()
        deadline = self._worker._arm(seconds, lambda: self._thread_timed_out(seat, seconds or 0))
        try:
            event = self._event()
            handler = self.function.handler
            if self.function.is_ours:
                result = self._answer(handler.run_sync(event, context, client=self._worker._client_factory()))
            else:
                result = self._answer(handler(event, context))
        except BaseException as exc:
            result = self._failed(exc)
        if deadline is not None:
            deadline.cancel()
        self.end(result)

    def on_loop(self, loop: LoopThread) -> None:
        context, seconds = self._begin()
        task = loop.loop.create_task(self._coroutine(context))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        deadline = self._worker._arm(seconds, lambda: self._task_timed_out(loop, task, seconds or 0))
        if deadline is not None:
            task.add_done_callback(lambda _: deadline.cancel())

    async def _coroutine(self, context: LambdaContext) -> None:
        try:
            event = self._event()
            handler = self.function.handler
            if self.function.is_ours:
                answer = await handler.run_async(event, context, client=self._worker._client_factory())
            else:
                answer = await handler(event, context)
            result = self._answer(answer)
        except BaseException as exc:
            if self._worker._closed:
                raise  # cancelled by close(): that is not how the function ended
            result = self._failed(exc)
        self.end(result)

    def _begin(self) -> tuple[LambdaContext, float | None]:
        """The context, and how many seconds the function has from now."""
        spec, invocation, now_ms = self.function.spec, self.invocation, self._worker._clock.now_ms
        deadline_ms = seconds = None
        if self._left_ms is not None:
            deadline_ms, seconds = now_ms() + self._left_ms, self._left_ms / 1000
        context = LambdaContext.of(invocation, spec, self._worker._log_stream, deadline_ms, now_ms)
        return context, seconds

    def _event(self) -> Any:
        return read_event(self.invocation.payload, durable=self.function.is_ours)

    def _answer(self, value: Any) -> InvocationResult:
        return InvocationResult("returned", durable_json(value) if self.function.is_ours else lambda_json(value))

    def _failed(self, exc: BaseException) -> InvocationResult:
        if isinstance(exc, Unmarshalable):
            return raised(exc.error_type, str(exc))
        if isinstance(exc, Exception):
            return from_exception(exc)
        if isinstance(exc, asyncio.CancelledError):
            return raised("CancelledError", "The function was cancelled.")
        if isinstance(exc, SystemExit):
            code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
            return crashed(self.invocation.request_id, f"exit status {code & 0xFF}" if code & 0xFF else "")
        return crashed(self.invocation.request_id, type(exc).__name__)

    def _time_out(self, seconds: float) -> bool:
        return self.end(timed_out(self.invocation.request_id, self.function.spec.timeout_seconds, seconds))

    def _thread_timed_out(self, seat: Seat, seconds: float) -> None:
        self._worker._pool.abandon(seat)
        if self._time_out(seconds):
            _log.warning("%s still runs after its timeout; its thread is left behind.", self.function.name)

    def _task_timed_out(self, loop: LoopThread, task: asyncio.Task[None], seconds: float) -> None:
        if not self._time_out(seconds):
            return
        reacted = threading.Event()

        def cancel() -> None:
            reacted.set()
            task.cancel()

        def check() -> None:
            if not reacted.is_set():
                self._worker._leave_behind(loop, self)

        if loop.call(cancel):
            self._worker._arm(_GRACE_SECONDS, check)


_tasks: Final[set[asyncio.Task[None]]] = set()
"""The event loop itself holds tasks only weakly."""
