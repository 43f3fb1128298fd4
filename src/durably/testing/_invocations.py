"""One invocation of a function under test, in whatever thread carries it out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

from durably.service.ports import FunctionSpec, Invocation, InvocationResult
from durably.workers._errors import crashed, from_exception, raised, timed_out
from durably.workers._json import Unmarshalable, durable_json, lambda_json, read_event
from durably.workers._lambda_context import LambdaContext

from ._link import Link, VirtualEnvironment
from ._scheduler import Aborted
from .calls import Crash
from .stand_ins import TimedOut

if TYPE_CHECKING:
    from ._world import ExecutionRecord, World

__all__ = ["Running", "invoke"]

_DEFAULT_TIMEOUT: Final = FunctionSpec("any").timeout_seconds


@dataclass(eq=False, slots=True)
class Running:
    """An invocation that has been asked for.

    Attributes:
        record: of the durable execution; None for a plain function.
        number: of the invocation within it, from 1.
        dead: its process was killed, or its time is over: nothing it does has any effect.
    """

    world: World
    invocation: Invocation
    record: ExecutionRecord | None
    number: int
    done: Callable[[InvocationResult], None]
    dead: bool = False
    finished: bool = False

    def finish(self, result: InvocationResult) -> None:
        with self.world.scheduler.lock:
            if not self.finished:
                self.finished = True
                self.done(result)
        if self.world.scheduler.real:
            self.world.scheduler.ring()  # others may go on moving for long

    def time_out(self) -> None:
        """It was not back in time: it is killed."""
        scheduler = self.world.scheduler
        with scheduler.lock:
            if not self.finished:
                self.dead = True
                self.finish(self.timed_out())
                scheduler.abort(self)

    def timed_out(self) -> InvocationResult:
        seconds = self.spec.timeout_seconds
        return timed_out(self.invocation.request_id, seconds, seconds or 0)

    @property
    def spec(self) -> FunctionSpec:
        return self.world.functions.served[self.invocation.function_name][1]


def invoke(running: Running) -> None:
    """Run the function and report how that ended. What only a test can understand becomes the world's failure."""
    world, invocation = running.world, running.invocation
    deadline = None
    if invocation.deadline_ms is not None:
        meant = running.spec.timeout_seconds != _DEFAULT_TIMEOUT
        deadline = world.scheduler.at(invocation.deadline_ms, running.time_out, meant=meant)
    try:
        text = _answer(running)
        world.returned(running)
        result = InvocationResult("returned", text)
    except Unmarshalable as error:
        result = raised(error.error_type, str(error))
    except TimedOut:
        with suppress(Aborted):  # raised at the deadline itself
            world.sleep(running.spec.timeout_seconds or 0)
        result = running.timed_out()
    except (Crash, Aborted):
        result = crashed(invocation.request_id, "signal: killed")
    except SystemExit as error:
        result = crashed(invocation.request_id, f"exit status {error.code}")
    except Exception as error:
        result = from_exception(error)
    except BaseException as failure:
        world.failure = failure
        result = crashed(invocation.request_id, type(failure).__name__)
    if deadline is not None:
        deadline.cancel()
    running.finish(result)
    world.scheduler.abort(running)  # threads that it has left behind


def _answer(running: Running) -> str:
    world, invocation = running.world, running.invocation
    handler, spec = world.functions.served[invocation.function_name]
    context = LambdaContext.of(invocation, spec, "testing", invocation.deadline_ms, world.now_ms)
    event = read_event(invocation.payload, durable=spec.durable)
    if spec.durable:
        client = Link(running, VirtualEnvironment(running))
        if not handler.is_async:
            return durable_json(handler.run_sync(event, context, client=client))
        return durable_json(_on_loop(world, lambda: handler.run_async(event, context, client=client), spec))
    value = handler(event, context)
    return lambda_json(_on_loop(world, lambda: awaited(value), spec) if isawaitable(value) else value)


def _on_loop(world: World, make: Callable[[], Any], spec: FunctionSpec) -> Any:
    loop = world.take_loop()
    loop.limit_is_meant = spec.timeout_seconds != _DEFAULT_TIMEOUT
    try:
        return loop.run(make())
    finally:
        world.give_loop(loop)


async def awaited(value: Any) -> Any:
    return await value
