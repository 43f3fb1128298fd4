"""The embedded durable execution service: its threads, its door, and what it asks of a worker.

All state belongs to whoever holds the *turn* (see :mod:`~.core`). Commands are queued; normally the writer thread
takes the turn and carries out all that is queued. It sleeps until the bell rings or the next timer is due, never
polling. A thread that waits for its own checkpoint anyway (that is: one without a running event loop) takes the turn
itself when it is free, which saves two switches of threads. ``start(thread=False)`` leaves the writer thread out:
whoever owns the service then calls :meth:`Service.step`, with a :class:`~.clock.ManualClock` if time is to be
virtual. It is the same machine.
"""

from __future__ import annotations

import asyncio
import base64
import threading
from asyncio import _get_running_loop
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from durably.wire.api_errors import ApiError
from durably.wire.shapes import CheckpointResponse, Event, ExecutionState, OperationUpdate

from .actions import Actions
from .clock import Clock, Ids, RandomIds, SystemClock
from .config import ServiceConfig
from .core import Command, Core, Reply
from .dispatch import Dispatcher
from .invoke import InvokeRequest, answer_of_execution, checked_request
from .machine.env import Env, Target
from .machine.model import Execution
from .ports import FunctionSpec, Worker
from .recovery import recovery_commands
from .store.base import Store

__all__ = ["Service", "ServiceConfig"]

_BATCH: Final = 4096


class Service:
    """A durable execution service in this process.

    Parameters:
        store: where executions are kept; the service opens and closes it.
        worker: who runs functions. Without one, executions wait until :meth:`attach`.
        clock, ids: time and randomness; the real ones by default.
        config: limits and names.

    Parameters and results of the actions are those of the service model, with timestamps in milliseconds. What an
    answer holds is shared with the service: read it, do not change it.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker | None = None,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        config: ServiceConfig | None = None,
    ) -> None:
        self.config = config or ServiceConfig()
        self._clock = clock or SystemClock()
        self._ids = ids or RandomIds()
        self._queue: deque[Command] = deque()
        self._turn = threading.Lock()
        self._bell = threading.Lock()
        """Held but for the moment between being rung and being heard."""
        self._bell.acquire()
        self._asleep_until: int | None = 0
        """When the writer wakes of its own accord (None: never); 0 while it is awake."""
        self._dispatcher = Dispatcher(self.config, self._clock, self._enqueue)
        self._dispatcher.worker = worker
        env = Env(self.config, self._ids, self._resolve_chained)
        self._core = Core(store, self._clock, env, self._dispatcher.dispatch, self._dispatcher.call_chained)
        self._dispatcher.core = self._core
        self._actions = Actions(self._core)
        self._fast_checkpoint = self._actions.fast_checkpoint
        self._fast_state = self._actions.fast_state
        self._thread: threading.Thread | None = None
        self._state = "new"
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Service {self._state}, {self._core.store!r}>"

    # ---- its life --------------------------------------------------------------------------------------

    def start(self, *, thread: bool = True) -> None:
        """Open the store and take up what was going on. Raises StoreLocked and the other StoreErrors.

        With ``thread=False`` nothing happens but in :meth:`step`.
        """
        with self._lock:
            if self._state != "new":
                raise RuntimeError(f"this service is {self._state}; make another one")
            self._core.open()
            self._state = "running"
        try:
            for commands in recovery_commands(self._core, self._dispatcher):
                self._core.run(commands)
        except BaseException:
            self.close()
            raise
        if thread:
            self._thread = threading.Thread(target=self._loop, name="durably-service", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Finish what was handed in, answer who still waits, release the store. Idempotent. The worker stays open."""
        with self._lock:
            before, self._state = self._state, "closed"
        if before != "running":
            return
        if self._thread is not None and self._thread is not threading.current_thread():
            self._ring()
            self._thread.join()
        with self._turn:
            self._run_queued()
            waiters, self._core.waiters = self._core.waiters, {}
            self._core.store.close()
            self._refuse_queued()
        refusal = ApiError("ServiceException", "the service was closed")
        for waiting in waiters.values():
            for tell in waiting:
                tell(refusal)

    def _refuse_queued(self) -> None:
        """Answer what came too late."""
        while self._queue:
            with suppress(IndexError):
                command = self._queue.popleft()
                if command.reply is not None:
                    command.reply(ApiError("ServiceException", "the service was closed"))

    def attach(self, worker: Worker) -> None:
        """Set or replace the worker. Invocations that found none begin now."""
        self._dispatcher.attach(worker)

    def functions(self) -> Mapping[str, FunctionSpec]:
        """The functions that can be invoked now, by name; none without a worker."""
        worker = self._dispatcher.worker
        return worker.functions() if worker is not None else {}

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # ---- the writer --------------------------------------------------------------------------------------

    def _loop(self) -> None:
        core, clock, queue = self._core, self._clock, self._queue
        while True:
            with self._turn:
                self._run_queued()
                core.run(())
                # From here on whoever queues a command rings; what was queued before is seen below.
                wake = self._asleep_until = core.next_wake_ms()
            if not queue:
                if self._state != "running":
                    return
                if wake is None:
                    self._bell.acquire()
                elif (left := wake - clock.now_ms()) > 0:
                    self._bell.acquire(timeout=left / 1000)
            self._asleep_until = 0

    def _ring(self) -> None:
        with suppress(RuntimeError):  # it rings already
            self._bell.release()

    def _enqueue(self, command: Command) -> None:
        self._queue.append(command)
        if self._asleep_until != 0:
            self._ring()

    def _run_queued(self) -> None:
        """Carry out all that is queued, one batch after the other. Needs the turn."""
        queue = self._queue
        while queue:
            self._core.run([queue.popleft() for _ in range(min(len(queue), _BATCH))])

    def _run_mine(self) -> None:
        """Take the turn, if it is free, for one batch."""
        if not self._turn.acquire(blocking=False):
            return  # whoever has it looks at the queue again before giving it up
        queue, core = self._queue, self._core
        try:
            if queue and self._state == "running":
                core.run([queue.popleft() for _ in range(min(len(queue), _BATCH))])
            wake = core.next_wake_ms()
        finally:
            self._turn.release()
        asleep = self._asleep_until
        if asleep != 0 and (queue or (wake is not None and (asleep is None or wake < asleep))):
            self._ring()

    def step(self, timeout: float | None = 0.0) -> bool:
        """Carry out what has been handed in and what is due; the thread of a service started with ``thread=False``.

        Parameters:
            timeout: real seconds to wait for a command when there is none and no timer is due; None: for ever.

        Returns:
            whether there was anything to do.
        """
        due = self._core.next_wake_ms()
        queue = self._queue
        if not queue and (due is None or due > self._clock.now_ms()):
            if timeout == 0:
                return False
            self._asleep_until = due
            if not queue:
                self._bell.acquire(timeout=-1 if timeout is None else timeout)
            self._asleep_until = 0
            if not queue:
                return False
        with self._turn:
            self._core.run([queue.popleft() for _ in range(min(len(queue), _BATCH))])
        return True

    def drain(self) -> None:
        """:meth:`step` until there is nothing to do at this moment."""
        while self.step():
            pass

    def next_timer_ms(self) -> int | None:
        """When the next timer of any execution is due; None when there is none."""
        return self._core.next_timer_ms()

    @property
    def in_flight(self) -> int:
        """Invocations handed to the worker and not yet reported finished."""
        return self._dispatcher.in_flight

    # ---- the door ----------------------------------------------------------------------------------------

    def submit(self, action: str, params: dict[str, Any], reply: Callable[[dict[str, Any] | ApiError], None]) -> None:
        """Ask for ``action``. Thread-safe; returns at once. ``reply`` is called exactly once, after the commit.

        ``reply`` runs on a thread of the service; it must neither block nor raise.
        """
        try:
            if action == "Invoke":
                self._submit_invoke(params, reply)
                return
            handler = self._actions.handler(action)
        except ApiError as refusal:
            reply(refusal)
            return
        self._put(Command(handler, (params,), reply))

    def submit_checkpoint(
        self,
        arn: str,
        token: str,
        updates: Sequence[OperationUpdate],
        client_token: str | None,
        reply: Callable[[CheckpointResponse | ApiError], None],
    ) -> None:
        """CheckpointDurableExecution for a function in this process.

        ``reply`` may be called before this returns, when the caller's thread is not an event loop's.
        """
        command = Command(self._fast_checkpoint, (arn, token, updates, client_token), reply)
        if self._thread is None or _get_running_loop() is not None:
            self._put(command)
        elif self._state == "running":
            self._queue.append(command)
            self._run_mine()
            if self._state != "running":
                self._refuse_late()
        else:
            self._put(command)

    def submit_get_state(
        self,
        arn: str,
        token: str,
        marker: str | None,
        max_items: int,
        reply: Callable[[ExecutionState | ApiError], None],
    ) -> None:
        """GetDurableExecutionState for a function in this process."""
        self._put(Command(self._fast_state, (arn, token, marker, max_items), reply))

    def _put(self, command: Command) -> None:
        if self._state != "running":
            assert command.reply is not None
            command.reply(ApiError("ServiceException", f"the service is {self._state}, not running"))
            return
        self._enqueue(command)
        if self._state != "running":
            self._refuse_late()

    def _refuse_late(self) -> None:
        """The service was closed while a command was handed in; nobody may be left to take it."""
        if self._thread is None or not self._thread.is_alive():
            self._refuse_queued()

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        """Ask and wait for the answer. Raises ApiError."""
        answers: list[dict[str, Any] | ApiError] = []
        answered = threading.Lock()
        answered.acquire()

        def reply(answer: dict[str, Any] | ApiError) -> None:
            answers.append(answer)
            answered.release()

        self.submit(action, params, reply)
        if self._thread is None and self._state == "running":
            while not answers and (self.step() or (self.in_flight and self.step(timeout=1.0))):
                pass
            if not answers:
                raise RuntimeError(f"{action} has no answer at this moment: the clock must move first")
        answered.acquire()
        answer = answers[0]
        if isinstance(answer, ApiError):
            raise answer
        return answer

    async def acall(self, action: str, **params: Any) -> dict[str, Any]:
        """Ask and await the answer, on any running asyncio loop. Raises ApiError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[dict[str, Any] | ApiError] = loop.create_future()

        def settle(answer: dict[str, Any] | ApiError) -> None:
            if not future.done():
                future.set_result(answer)

        def reply(answer: dict[str, Any] | ApiError) -> None:
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(settle, answer)

        self.submit(action, params, reply)
        answer = await future
        if isinstance(answer, ApiError):
            raise answer
        return answer

    def subscribe(self, listener: Callable[[str, list[Event]], None]) -> Callable[[], None]:
        """Hear of every committed history event, as (execution ARN, events). Returns what ends it.

        ``listener`` runs on the writer's thread and must return at once.
        """
        self._core.listeners = [*self._core.listeners, listener]

        def unsubscribe() -> None:
            self._core.listeners = [known for known in self._core.listeners if known is not listener]

        return unsubscribe

    # ---- Invoke ------------------------------------------------------------------------------------------

    def _resolve_chained(self, function_name: str) -> Target | ApiError:
        try:
            return self._dispatcher.resolve(function_name)
        except ApiError as refusal:
            return refusal

    def _submit_invoke(self, params: dict[str, Any], reply: Reply) -> None:
        request = checked_request(params, self.config, self._dispatcher.resolve)
        if request.kind == "DryRun":
            reply({"StatusCode": 204, "ExecutedVersion": request.target.version})
        elif self._state != "running" or request.target.spec.durable:
            self._put(Command(self._invoke_durable, (request, reply), reply))
        else:
            self._dispatcher.call_function(request, self._ids.request_id(), reply)

    def _invoke_durable(self, request: InvokeRequest, reply: Reply) -> dict[str, Any] | None:
        """Start the execution, or find the one that has its name. None: the answer comes when it has ended."""
        core = self._core
        spec, name = request.target.spec, request.execution_name
        ex = None if name is None else core.named(spec.name, name)
        if ex is None:
            execution_id = self._ids.execution_id()
            sync = request.kind == "RequestResponse"
            facts = core.facts(
                spec,
                request.target.arn,
                execution_id,
                name or execution_id,
                request.payload,
                sync,
                request.tenant_id,
                request.trace_id,
            )
            ex = core.create(facts)
        elif ex.facts.input != request.payload:
            raise ApiError(
                "DurableExecutionAlreadyStartedException",
                f"an execution of {spec.name} named {name} was started with another payload; use another name",
            )
        arn, version = ex.facts.arn, ex.facts.version
        if request.kind == "Event":
            return {"StatusCode": 202, "DurableExecutionArn": arn, "ExecutedVersion": version}
        if ex.ended:
            return answer_of_execution(ex, None)
        core.after_commit(self._wait_for_end, ex.key, request, reply)
        return None

    def _wait_for_end(self, key: int, request: InvokeRequest, reply: Reply) -> None:
        def tell(ended: Execution | ApiError) -> None:
            if isinstance(ended, ApiError):
                reply(ended)
                return
            log = self._dispatcher.take_log(key) if request.tail else None
            tail = None if log is None else base64.b64encode(log.encode()[-4096:]).decode()
            reply(answer_of_execution(ended, tail))

        if request.tail:
            self._dispatcher.keep_log(key)
        self._core.waiters.setdefault(key, []).append(tell)
