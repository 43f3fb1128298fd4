"""The functions of durably that the cases about the service run: loops of steps, and executions that stay open."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import Any

from durably import AsyncDurableContext, DurableContext, StepContext, durable_execution, durable_step

HOLD = "DURABLY_BENCHMARK_HOLD"
"""While this environment variable is set, ``interrupted`` stays inside its step."""

inside = 0
"""How many executions of ``interrupted`` are inside their step."""


@durable_step
def add(step: StepContext, number: int) -> int:
    return number + 1


@durable_step
async def aadd(step: StepContext, number: int) -> int:
    return number + 1


@durable_execution
def blocking(event: dict[str, int], context: DurableContext) -> int:
    total = 0
    for number in range(event["steps"]):
        total += context.step(add(number))
    return total


@durable_execution
async def awaiting(event: dict[str, int], context: AsyncDurableContext) -> int:
    total = 0
    for number in range(event["steps"]):
        total += await context.step(aadd(number))
    return total


@durable_execution
async def sleeping(event: dict[str, int], context: AsyncDurableContext) -> int:
    total = await context.step(aadd(0))
    await context.wait(timedelta(hours=1))
    return total


@durable_execution
async def called(event: dict[str, int], context: AsyncDurableContext) -> int:
    total = await context.step(aadd(0))
    callback = await context.create_callback()
    await callback.result()
    return total


@durable_step
async def held(step: StepContext) -> int:
    global inside
    inside += 1
    if HOLD in os.environ:
        await asyncio.Event().wait()
    return 1


@durable_execution
async def interrupted(event: dict[str, int], context: AsyncDurableContext) -> int:
    return await context.step(aadd(0)) + await context.step(held())


FUNCTIONS: dict[str, Any] = {
    function.__name__: function for function in (blocking, awaiting, sleeping, called, interrupted)
}
