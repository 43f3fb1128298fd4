"""The embedded durable execution service: its threads, its door, and what it asks of a worker.

Any thread may hand in a command; one at a time carries them out (see :mod:`~.writer` and :mod:`~.core`).
``start(thread=False)`` leaves the writer's thread out: whoever owns the service then calls :meth:`Service.step`, with
a :class:`~.clock.ManualClock` if time is to be virtual. It is the same machine.
"""

from __future__ import annotations

import asyncio
import base64
import threading
from asyncio import _get_running_loop
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from durably.wire.api_errors import ApiError
from durably.wire.shapes import CheckpointResponse, Event, ExecutionState, Operation, OperationUpdate

from .actions import Actions
from .chaining import make_facts
from .clock import Clock, Ids, RandomIds, SystemClock
from .config import ServiceConfig
from .core import Command, Core, Reply
from .dispatch import Dispatcher
from .invoke import InvokeRequest, answer_of_execution, checked_request
from .machine.env import Env, Target
from .machine.model import Execution
from .own_loops import is_idle
from .ports import FunctionSpec, Worker
from .recovery import recover
from .store.base import Store
from .writer import Writer

__all__ = ["Service", "ServiceConfig"]


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
        self.config: ServiceConfig = config or ServiceConfig()
        self._clock = clock or SystemClock()
        self._ids = ids or RandomIds()
        self._writer = Writer(self._clock)
        self._dispatcher = Dispatcher(self.config, self._clock, self._writer.put)
        self._dispatcher.worker = worker
        env = Env(self.config, self._ids, self._resolve_chained)
        self._core = Core(store, self._clock, env, self._dispatcher.dispatch, self._dispatcher.call_chained)
        self._dispatcher.core = self._writer.core = self._core
        self._actions = Actions(self._core)
        self._fast_checkpoint = self._actions.fast_checkpoint
        self._fast_state = self._actions.fast_state
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
            recover(self._core, self._dispatcher)
        except BaseException:
            self.close()
            raise
        if thread:
            self._writer.start()

    def close(self) -> None:
        """Finish what was handed in, answer who still waits, release the store. Idempotent. The worker stays open."""
        with self._lock:
            before, self._state = self._state, "closed"
        if before != "running":
            return
        self._writer.finish()
        waiters, self._core.waiters = self._core.waiters, {}
        refusal = ApiError("ServiceException", "the service was closed")
        for waiting in waiters.values():
            for tell in waiting:
                tell(refusal)

    def attach(self, worker: Worker) -> None:
        """Set or replace the worker. Invocations that found none begin now.

        What a worker before it still runs is given up: it begins again on this one, and what the old one reports or
        checkpoints of it is void. So attach first, then close the old one. A plain function may run twice then. New
        code alone needs no new worker: the workers' own ``replace`` lets what runs finish.
        """
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

    # ---- without a thread ------------------------------------------------------------------------------

    def step(self, timeout: float | None = 0.0) -> bool:
        """Carry out what has been handed in and what is due; the thread of a service started with ``thread=False``.

        Parameters:
            timeout: real seconds to wait for a command when there is none and no timer is due; None: for ever.

        Returns:
            whether there was anything to do.
        """
        return self._writer.step(timeout)

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

    def operations(self, arn: str) -> list[Operation]:
        """The operations of an execution as they stand, in the order of their last change. Raises ApiError.

        For whoever owns a service started with ``thread=False``; without the EXECUTION operation.
        """
        return [cast(Operation, op.view) for op in self._core.by_arn(arn).ops.values()]

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

        ``reply`` may be called before this returns: where the caller's thread may wait for the commit, it makes it.
        """
        command = Command(self._fast_checkpoint, (arn, token, updates, client_token), reply)
        if self._writer.threaded and self._state == "running" and self._may_wait():
            self._writer.put_and_help(command)
        else:
            self._put(command)

    def _may_wait(self) -> bool:
        """Whether this thread has nothing better to do than to make a commit itself."""
        loop = _get_running_loop()
        return loop is None or (self._dispatcher.in_flight == 1 and is_idle(loop))

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
        if self._state == "running":
            self._writer.put(command)
        else:
            command.refuse(f"the service is {self._state}, not running")

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        """Ask and wait for the answer. Raises ApiError."""
        answers: list[dict[str, Any] | ApiError] = []
        answered = threading.Lock()
        answered.acquire()

        def reply(answer: dict[str, Any] | ApiError) -> None:
            answers.append(answer)
            answered.release()

        self.submit(action, params, reply)
        if not self._writer.threaded and self._state == "running":
            while not answers:
                if not self.step():
                    if not self.in_flight:
                        break
                    self.step(timeout=1.0)
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

    def _resolve_chained(self, function_name: str) -> Target | ApiError | None:
        if self._dispatcher.worker is None:
            return None
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
            facts = make_facts(
                core.env,
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
