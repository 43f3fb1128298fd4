"""A time limit for each attempt of a step: the first dial-in hangs, the second works.

    durably dev examples/steps/time_limit.py
    durably invoke dial_in '"host-7"'

The attempt that takes too long fails with StepTimeoutError, which the retry strategy sees like any other error.
"""

import asyncio
from datetime import timedelta

from durably import AsyncDurableContext, FixedDelay, StepConfig, StepContext, durable_execution, durable_step

IMPATIENT = StepConfig(FixedDelay(timedelta(seconds=1), 3), timeout=timedelta(milliseconds=100))


@durable_step
async def connect(step: StepContext, host: str) -> str:
    if step.attempt == 1:
        await asyncio.sleep(3600)
    return f"{host} answers at attempt {step.attempt}"


@durable_execution
async def dial_in(host: str, ctx: AsyncDurableContext) -> str:
    return await ctx.step(connect(host), config=IMPATIENT)
