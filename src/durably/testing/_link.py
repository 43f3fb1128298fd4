"""The client of a function under test: it asks the service inline, and lets others see and disturb every call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from durably.engine.environment import Environment, Waiter
from durably.wire.api_errors import ApiError
from durably.wire.shapes import CheckpointResponse, ExecutionState, OperationUpdate

from ._scheduler import Aborted, VirtualWaiter
from .calls import Crash, ServiceCall

if TYPE_CHECKING:
    from durably.engine.operation import Op

    from ._invocations import Running
    from ._scheduler import Scheduler
    from ._world import World

__all__ = ["Link", "VirtualEnvironment"]


class VirtualEnvironment(Environment):
    """Time by the scheduler's clock, threads that it counts, and stand-ins for steps."""

    sends_at_once = True

    def __init__(self, running: Running) -> None:
        self._running = running
        self._scheduler: Scheduler = running.world.scheduler

    def now_ms(self) -> int:
        return self._scheduler.clock.now_ms()

    def monotonic(self) -> float:
        return self._scheduler.clock.now_ms() / 1000

    def waiter(self) -> Waiter:
        return VirtualWaiter(self._scheduler)

    def borrow(self, job: Callable[[], None]) -> None:
        self._scheduler.borrow(job)

    def body(self, op: Op, attempt: int, func: Callable[..., Any], timeout: float | None) -> Callable[..., Any]:
        return self._running.world.body(self._running, op, attempt, func, timeout)


class Link:
    """Both worlds' calls of one invocation."""

    def __init__(self, running: Running, environment: Environment) -> None:
        self.environment = environment
        self._running = running
        self._world: World = running.world

    # ---- the protocol --------------------------------------------------------------------------------------

    def checkpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None
    ) -> CheckpointResponse:
        call = self._begin("checkpoint", updates)
        self._wait(self._before(call))
        self._apply(call, lambda reply: self._submit_checkpoint(arn, token, updates, client_token, reply))
        self._wait(self._after(call))
        answer: CheckpointResponse = self._answer(call)
        return answer

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        call = self._begin("get_state", ())
        self._wait(self._before(call))
        self._apply(call, lambda reply: self._submit_get_state(arn, token, marker, max_items, reply))
        self._wait(self._after(call))
        state: ExecutionState = self._answer(call)
        return state

    async def acheckpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None
    ) -> CheckpointResponse:
        call = self._begin("checkpoint", updates)
        await self._await(self._before(call))
        self._apply(call, lambda reply: self._submit_checkpoint(arn, token, updates, client_token, reply))
        await self._await(self._after(call))
        answer: CheckpointResponse = self._answer(call)
        return answer

    async def aget_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        call = self._begin("get_state", ())
        await self._await(self._before(call))
        self._apply(call, lambda reply: self._submit_get_state(arn, token, marker, max_items, reply))
        await self._await(self._after(call))
        state: ExecutionState = self._answer(call)
        return state

    # ---- inside --------------------------------------------------------------------------------------------

    def _begin(self, kind: str, updates: Sequence[OperationUpdate]) -> ServiceCall:
        running = self._running
        if running.dead:
            raise Aborted
        if updates:
            json.dumps(updates)  # what cannot travel fails here as it does on its way to AWS
        return self._world.new_call(running, kind, updates)

    def _before(self, call: ServiceCall) -> float:
        """Ask the interceptors; seconds to wait until the call arrives."""
        return self._ask("before", call)

    def _after(self, call: ServiceCall) -> float:
        return self._ask("after", call)

    def _ask(self, moment: str, call: ServiceCall) -> float:
        delay = 0.0
        for interceptor in self._world.interceptors:
            try:
                delay += getattr(interceptor, moment)(call) or 0.0
            except Crash:
                self._running.dead = True
                raise
        return delay

    def _wait(self, seconds: float) -> None:
        if seconds:
            self._world.sleep(seconds)
            self._check()

    async def _await(self, seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds)
            self._check()

    def _check(self) -> None:
        if self._running.dead:
            raise Aborted

    def _apply(self, call: ServiceCall, submit: Callable[[Callable[[Any], None]], None]) -> None:
        call.answer = self._world.ask(submit)
        call.applied = not isinstance(call.answer, ApiError)
        if call._revoked:
            self._world.call("ResumeDurableExecution", DurableExecutionArn=call.execution_arn)

    def _answer(self, call: ServiceCall) -> Any:
        if isinstance(call.answer, ApiError):
            raise call.answer
        return call.answer

    def _submit_checkpoint(
        self,
        arn: str,
        token: str,
        updates: Sequence[OperationUpdate],
        client_token: str | None,
        reply: Callable[[Any], None],
    ) -> None:
        self._world.service.submit_checkpoint(arn, token, updates, client_token, reply)

    def _submit_get_state(
        self, arn: str, token: str, marker: str | None, max_items: int, reply: Callable[[Any], None]
    ) -> None:
        self._world.service.submit_get_state(arn, token, marker, max_items, reply)
