"""The program under test, once per SDK and in that SDK's own idiom: a loop of steps that add one to their number.

Each builder returns a Program: ``invoke(service)`` runs one invocation exactly as Lambda would (event and context
in, answer out) against the execution of its face. The handler is decorated once, so that what an SDK keeps between
invocations (a loop, a client) is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .fake_service import (
    AsyncBotoFace,
    AsyncDurablyFace,
    BotoFace,
    DurablyFace,
    Face,
    FakeService,
    asleep_exactly,
    lambda_context,
    sleep_exactly,
)
from .model import check


class Program:
    """A decorated handler with its face, and how often step bodies ran."""

    def __init__(self, face: Face) -> None:
        self.face = face
        self.executed = 0
        self.handler: Callable[[Any, Any], Any] = lambda event, context: None
        self._context = lambda_context()

    def prepare(self, steps: int, recorded: int = 0) -> Callable[[], Any]:
        """A new execution of ``steps`` steps, ``recorded`` of them finished before. Returns its invocation."""
        service = self.face.new_execution({"steps": steps})
        service.record_steps(("add", str(i + 1)) for i in range(recorded))
        event = service.event()
        self.executed = 0
        handler, context = self.handler, self._context
        return lambda: handler(event, context)

    def verify(self, output: Any, steps: int, recorded: int = 0) -> FakeService:
        """The answer is right, each step's result is recorded, and each body ran as often as it should have."""
        expected = {"Status": "SUCCEEDED", "Result": str(steps * (steps + 1) // 2)}
        check(dict(output) == expected, f"answered {output}, expected {expected}")
        check(self.executed == steps - recorded, f"{self.executed} bodies ran, expected {steps - recorded}")
        results = self.face.service.step_results()
        check(results == [str(i + 1) for i in range(steps)], "the recorded results are not those of the steps")
        return self.face.service


def official(latency: float = 0.0, body: float = 0.0) -> Program:
    from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution, durable_step

    face = BotoFace(latency)
    program = Program(face)

    @durable_step
    def add(step: StepContext, number: int) -> int:
        program.executed += 1
        sleep_exactly(body)
        return number + 1

    @durable_execution(boto3_client=face)
    def handler(event: dict[str, int], context: DurableContext) -> int:
        total = 0
        for number in range(event["steps"]):
            total += context.step(add(number))
        return total

    program.handler = handler
    return program


def async_sdk(latency: float = 0.0, body: float = 0.0) -> Program:
    from async_durable_execution import durable_callable, durable_execution, step

    face = AsyncBotoFace(latency)
    program = Program(face)

    @durable_callable
    async def add(number: int) -> int:
        program.executed += 1
        await asleep_exactly(body)
        return number + 1

    @durable_execution(boto3_client=face)
    async def handler(event: dict[str, int]) -> int:
        total = 0
        for number in range(event["steps"]):
            total += await step(add(number))
        return total

    program.handler = handler
    return program


def durably_sync(latency: float = 0.0, body: float = 0.0) -> Program:
    from durably import DurableContext, StepContext, durable_execution, durable_step

    face = DurablyFace(latency)
    program = Program(face)

    @durable_step
    def add(step: StepContext, number: int) -> int:
        program.executed += 1
        sleep_exactly(body)
        return number + 1

    @durable_execution(client=face)
    def handler(event: dict[str, int], context: DurableContext) -> int:
        total = 0
        for number in range(event["steps"]):
            total += context.step(add(number))
        return total

    program.handler = handler
    return program


def durably_async(latency: float = 0.0, body: float = 0.0) -> Program:
    from durably import AsyncDurableContext, StepContext, durable_execution, durable_step

    face = AsyncDurablyFace(latency)
    program = Program(face)

    @durable_step
    async def add(step: StepContext, number: int) -> int:
        program.executed += 1
        await asleep_exactly(body)
        return number + 1

    @durable_execution(client=face)
    async def handler(event: dict[str, int], context: AsyncDurableContext) -> int:
        total = 0
        for number in range(event["steps"]):
            total += await context.step(add(number))
        return total

    program.handler = handler
    return program
