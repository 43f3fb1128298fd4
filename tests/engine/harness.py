"""Runs a handler against the real in-memory service, in virtual time, until its execution ends.

The service runs inline: nothing happens but in :meth:`World.run`, so a test decides what happens when. Between the
handler and the service stands :class:`Link`, a client that records every call and can be told to fail, to kill the
process, to answer late or to leave the token out.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import update_wrapper
from inspect import isawaitable, isgeneratorfunction
from typing import Any

from durably import durable_execution
from durably.execution import DurableFunction
from durably.service.clock import ManualClock, SequentialIds
from durably.service.kernel import Service, ServiceConfig
from durably.service.ports import FunctionSpec, Invocation, InvocationResult
from durably.service.store.memory import MemoryStore
from durably.wire.api_errors import ApiError

FAR_FUTURE_MS = 4_000_000_000_000
"""Virtual time starts here (in 2096), so that the engine, which looks at the real clock, finds nothing due."""


YEAR_MS = 365 * 86_400_000
"""An execution's own timeout is later: who waits for nothing else is stuck."""


class Killed(BaseException):
    """The process of the invocation was killed: nothing it does from now on has any effect."""


@dataclass
class Call:
    """One call of the handler's client."""

    invocation: int
    kind: str  # "checkpoint" or "get_state"
    token: str
    updates: list[dict[str, Any]]
    answer: Any = None
    """The service's answer or the ApiError; None while it is under way, or when it never arrived."""

    @property
    def actions(self) -> list[tuple[str, str, str | None]]:
        return [(one["Type"], one["Action"], one.get("Name")) for one in self.updates]


Fault = Callable[[Call], "BaseException | None"]


class Link:
    """The client of the handler under test, for sync and async handlers.

    Attributes:
        before, after: asked for each call, before it reaches the service and after it was applied there. What they
            return is raised instead of answering; a :class:`Killed` also cuts the invocation off.
        edit: may change an answer.
        turns: of the event loop that pass before a call is applied and before it is answered (async only).
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.calls: list[Call] = []
        self.before: Fault | None = None
        self.after: Fault | None = None
        self.edit: Callable[[Call, Any], Any] | None = None
        self.turns: Callable[[], int] | None = None
        self.in_flight = 0
        self.dead = False

    # ---- the protocol, both worlds ---------------------------------------------------------------------

    def checkpoint(self, arn: str, token: str, updates: Sequence[Any], client_token: str | None) -> Any:
        return self._make("checkpoint", token, updates, lambda: self._checkpoint(arn, token, updates))

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> Any:
        return self._make("get_state", token, (), lambda: self._get_state(arn, token, marker, max_items))

    async def acheckpoint(self, arn: str, token: str, updates: Sequence[Any], client_token: str | None) -> Any:
        return await self._amake("checkpoint", token, updates, lambda: self._checkpoint(arn, token, updates))

    async def aget_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> Any:
        return await self._amake("get_state", token, (), lambda: self._get_state(arn, token, marker, max_items))

    # ---- inside ---------------------------------------------------------------------------------------------

    def _make(self, kind: str, token: str, updates: Sequence[Any], ask: Callable[[], Any]) -> Any:
        call = self._begin(kind, token, updates)
        try:
            return self._answer(call, ask)
        finally:
            self.in_flight -= 1

    async def _amake(self, kind: str, token: str, updates: Sequence[Any], ask: Callable[[], Any]) -> Any:
        call = self._begin(kind, token, updates)
        try:
            for _ in range(self.turns() if self.turns else 0):
                await asyncio.sleep(0)
            answer = self._answer(call, ask)
            for _ in range(self.turns() if self.turns else 0):
                await asyncio.sleep(0)
            return answer
        finally:
            self.in_flight -= 1

    def _begin(self, kind: str, token: str, updates: Sequence[Any]) -> Call:
        assert not self.in_flight, "law R4: one call at a time"
        self.in_flight += 1
        call = Call(self.world.invocations, kind, token, json.loads(json.dumps(list(updates))))
        self.calls.append(call)
        return call

    def _answer(self, call: Call, ask: Callable[[], Any]) -> Any:
        if self.dead:
            raise Killed
        self._fail(self.before, call)
        call.answer = ask()
        self._fail(self.after, call)
        if isinstance(call.answer, ApiError):
            raise call.answer
        return call.answer if self.edit is None else self.edit(call, call.answer)

    def _fail(self, fault: Fault | None, call: Call) -> None:
        failure = None if fault is None else fault(call)
        if failure is not None:
            if isinstance(failure, Killed):
                self.dead = True
            raise failure

    def _checkpoint(self, arn: str, token: str, updates: Sequence[Any]) -> Any:
        return self.world.ask(lambda reply: self.world.service.submit_checkpoint(arn, token, updates, None, reply))

    def _get_state(self, arn: str, token: str, marker: str | None, max_items: int) -> Any:
        page = min(max_items, self.world.page)
        return self.world.ask(lambda reply: self.world.service.submit_get_state(arn, token, marker, page, reply))


@dataclass
class Answer:
    """What somebody outside answers to a callback."""

    result: str | None = None
    failure: dict[str, Any] | None = None


@dataclass
class World:
    """A service, a clock and one durable function.

    Parameters:
        handler: decorated here; coroutine function or plain.
        input: of the execution.
        callbacks: answers, by the callback operation's name; given when nothing else can move.
        functions: plain functions that may be invoked, by name.
        page: how many operations a page holds.
    """

    handler: Callable[..., Any]
    input: Any = None
    callbacks: Mapping[str, Answer] = field(default_factory=dict)
    functions: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    page: int = 1000
    start_ms: int = FAR_FUTURE_MS
    max_invocations: int = 200
    outputs: list[Any] = field(default_factory=list)
    effects: list[Any] = field(default_factory=list)
    invocations: int = 0
    between: Callable[[], None] | None = None
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    """Makes the loop of each invocation; by default the process's own, as on Lambda."""

    def __post_init__(self) -> None:
        self.clock = ManualClock(self.start_ms)
        self.link = Link(self)
        self.function: DurableFunction[Any, Any] = durable_execution(client=self.link)(self.handler)
        self.lock = threading.Lock()
        self.waiting: deque[tuple[Invocation, Callable[[InvocationResult], None]]] = deque()
        self.result: dict[str, Any] | ApiError | None = None
        self.arn = ""
        self._answered: set[str] = set()
        config = ServiceConfig(page_operations=self.page)
        self.service = Service(MemoryStore(), _Worker(self), clock=self.clock, ids=SequentialIds(), config=config)

    # ---- running ---------------------------------------------------------------------------------------------

    def ask(self, submit: Callable[[Callable[[Any], None]], None]) -> Any:
        """The service's answer; it is the caller's thread that makes it move."""
        answers: list[Any] = []
        with self.lock:
            submit(answers.append)
            self.service.drain()
        assert len(answers) == 1, "the service answers once, at once"
        return answers[0]

    def run(self) -> World:
        """Invoke, and go on until the execution has ended or waits for what never comes."""
        if self.result is None and not self.invocations:
            self.service.start(thread=False)
            request = {"FunctionName": "under_test:$LATEST", "Payload": json.dumps(self.input)}
            self.service.submit("Invoke", request, self._ended)
        self.go_on()
        return self

    def go_on(self) -> None:
        while True:
            self.service.drain()
            if self.waiting:
                assert self.invocations < self.max_invocations, "the execution does not come to an end"
                self._invoke(*self.waiting.popleft())
            elif self.result is not None:
                return
            elif self._answer_callbacks():
                continue
            elif (due := self.service.next_timer_ms()) is not None and due < self.start_ms + YEAR_MS:
                self.clock.advance_to(due)
            else:
                return  # it waits for somebody outside

    def _ended(self, answer: Any) -> None:
        self.result = answer

    def _invoke(self, invocation: Invocation, done: Callable[[InvocationResult], None]) -> None:
        if invocation.function_name != "under_test":
            done(self._call_plain(invocation))
            return
        self.arn = invocation.execution_arn or ""
        self.invocations += 1
        self.link.dead = False
        if self.between is not None:
            self.between()
        try:
            output = self._call(json.loads(invocation.payload))
        except BaseException as failure:
            if not isinstance(failure, (Exception, Killed)):
                raise
            self.outputs.append(failure)
            kind = "crashed" if isinstance(failure, Killed) else "raised"
            done(InvocationResult(kind, error={"ErrorType": type(failure).__name__, "ErrorMessage": str(failure)}))  # type: ignore[arg-type]
        else:
            self.outputs.append(output)
            done(InvocationResult("returned", json.dumps(output)))
        finally:
            self.clock.advance(1)  # no two invocations in one millisecond

    def _call(self, event: Any) -> Any:
        if self.loop_factory is None:
            return self.function(event, None)
        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            return runner.run(self.function.run_async(event, None))

    def _call_plain(self, invocation: Invocation) -> InvocationResult:
        try:
            value = self.functions[invocation.function_name](json.loads(invocation.payload))
        except Exception as failure:
            error = {"ErrorType": type(failure).__name__, "ErrorMessage": str(failure)}
            return InvocationResult("raised", error=error)  # type: ignore[arg-type]
        return InvocationResult("returned", json.dumps(value))

    def _answer_callbacks(self) -> bool:
        for operation in self.operations.values():
            answer = self.callbacks.get(operation.get("Name", ""))
            if operation["Type"] != "CALLBACK" or operation["Status"] != "STARTED" or answer is None:
                continue
            callback_id = operation["CallbackDetails"]["CallbackId"]
            if callback_id in self._answered:
                continue
            self._answered.add(callback_id)
            if answer.failure is not None:
                self.service.call("SendDurableExecutionCallbackFailure", CallbackId=callback_id, Error=answer.failure)
            else:
                self.service.call("SendDurableExecutionCallbackSuccess", CallbackId=callback_id, Result=answer.result)
            return True
        return False

    def effect(self, what: Any) -> None:
        """A side effect of a step's body. A killed process has none."""
        if self.link.dead:
            raise Killed
        self.effects.append(what)

    def kill(self) -> None:
        """The process dies here."""
        self.link.dead = True
        raise Killed

    # ---- what was recorded ------------------------------------------------------------------------------------

    @property
    def operations(self) -> dict[str, dict[str, Any]]:
        """The service's records by id, without the EXECUTION, in the order of their last change."""
        if not self.arn:
            return {}
        execution = self.service._core.by_arn(self.arn)
        return {op_id: dict(op.view) for op_id, op in list(execution.ops.items())}

    @property
    def outcome(self) -> Outcome:
        return Outcome(self)

    @property
    def status(self) -> str:
        return Outcome(self).status

    @property
    def value(self) -> Any:
        outcome = Outcome(self)
        assert outcome.status == "SUCCEEDED", outcome
        return outcome.value

    @property
    def error(self) -> dict[str, Any]:
        outcome = Outcome(self)
        assert outcome.status == "FAILED", outcome
        return outcome.error

    @property
    def history(self) -> list[dict[str, Any]]:
        answer = self.service.call("GetDurableExecutionHistory", DurableExecutionArn=self.arn, MaxItems=1000)
        return list(answer["Events"])

    def named(self, name: str) -> dict[str, Any]:
        """The record of the only operation called ``name``."""
        (found,) = [view for view in self.operations.values() if view.get("Name") == name]
        return found

    @property
    def updates(self) -> list[dict[str, Any]]:
        return [update for call in self.link.calls for update in call.updates]

    @property
    def batches(self) -> list[list[tuple[str, str, str | None]]]:
        return [call.actions for call in self.link.calls if call.kind == "checkpoint"]


class _Worker:
    """The service's worker: keeps invocations for :meth:`World.go_on`."""

    def __init__(self, world: World) -> None:
        self._waiting = world.waiting
        plain = {name: FunctionSpec(name, durable=False, timeout_seconds=None) for name in world.functions}
        self._specs = {"under_test": FunctionSpec("under_test", timeout_seconds=None), **plain}

    def functions(self) -> Mapping[str, FunctionSpec]:
        return self._specs

    def submit(self, invocation: Invocation, done: Callable[[InvocationResult], None]) -> None:
        self._waiting.append((invocation, done))

    def close(self) -> None:
        pass


class Outcome:
    """How an execution stands after :meth:`World.run`."""

    def __init__(self, world: World) -> None:
        self.world = world
        answer = world.result
        self.ended = answer is not None
        self.status = "WAITING"
        self.value: Any = None
        self.error: dict[str, Any] = {}
        if isinstance(answer, dict):
            payload = json.loads(answer["Payload"]) if answer.get("Payload") else None
            if "FunctionError" in answer:
                self.status, self.error = "FAILED", payload
            else:
                self.status, self.value = "SUCCEEDED", payload

    def __repr__(self) -> str:
        return f"<{self.status} {self.value if self.status == 'SUCCEEDED' else self.error}>"


def run(handler: Callable[..., Any], input: Any = None, **options: Any) -> World:
    """A world in which ``handler`` has run; ``world.outcome`` says how it ended."""
    world = World(handler, input, **options)
    world.run()
    return world


def identities(world: World) -> set[tuple[str, str | None, str, str | None]]:
    """What law R2 promises to be the same on every schedule."""
    return {(op_id, view.get("Name"), view["Type"], view.get("ParentId")) for op_id, view in world.operations.items()}


class Flavour:
    """Writes a test once for both worlds.

    Handlers and child functions are generators that yield what has to be awaited: ``x = yield ctx.step(...)``. In the
    sync world the operation has happened (or raised) by the time it is yielded; in the async world it is awaited there.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_async = name == "async"

    def __call__(self, source: Callable[..., Any]) -> Callable[..., Any]:
        """The function of this flavour for a generator function, or for a plain one (a step's body)."""
        if not isgeneratorfunction(source):
            return _coroutine_function(source) if self.is_async else source
        return _driven_async(source) if self.is_async else _driven_sync(source)

    def run(self, source: Callable[..., Any], input: Any = None, **options: Any) -> World:
        """A world in which the handler has run."""
        world = self.world(source, input, **options)
        world.run()
        return world

    def world(self, source: Callable[..., Any], input: Any = None, **options: Any) -> World:
        return World(self(source), input, **options)


def _driven_sync(source: Callable[..., Any]) -> Callable[..., Any]:
    def driven(*args: Any, **kwargs: Any) -> Any:
        generator = source(*args, **kwargs)
        try:
            value = generator.send(None)
            while True:
                value = generator.send(value)
        except StopIteration as stop:
            return stop.value

    return update_wrapper(driven, source)


def _driven_async(source: Callable[..., Any]) -> Callable[..., Any]:
    async def driven(*args: Any, **kwargs: Any) -> Any:
        generator = source(*args, **kwargs)
        try:
            waited = generator.send(None)
            while True:
                try:
                    value = (await waited) if isawaitable(waited) else waited
                except BaseException as error:
                    waited = generator.throw(error)
                else:
                    waited = generator.send(value)
        except StopIteration as stop:
            return stop.value

    return update_wrapper(driven, source)


def _coroutine_function(source: Callable[..., Any]) -> Callable[..., Any]:
    async def driven(*args: Any, **kwargs: Any) -> Any:
        return source(*args, **kwargs)

    return update_wrapper(driven, source)
