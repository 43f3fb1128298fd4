"""An invocation that lives on asks for everything that has fallen due, not only for the first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    FixedWait,
    RetryPresets,
    StepConfig,
    StepContext,
    WaitForConditionConfig,
    durable_execution,
)
from durably.testing import LocalRunner

THREE = timedelta(seconds=3)


async def waits(ctx: AsyncDurableContext) -> None:
    for number in range(3):
        await ctx.wait(THREE, name=f"wait {number}")


async def retries(ctx: AsyncDurableContext) -> None:
    def body(step: StepContext) -> None:
        if step.attempt < 4:
            raise ValueError("not yet")

    await ctx.step(body, name="flaky", config=StepConfig(retry_strategy=RetryPresets.fixed(THREE)))


async def polls(ctx: AsyncDurableContext) -> None:
    config = WaitForConditionConfig(FixedWait(until=lambda state: state == 4, delay=THREE), initial_state=0)
    await ctx.wait_for_condition(lambda state, check: state + 1, config, name="polls")


@pytest.mark.parametrize("flow", [waits, retries, polls])
def test_what_falls_due_again_and_again_beside_a_long_step(flow: Callable[[AsyncDurableContext], Any]) -> None:
    @durable_execution
    async def handler(event: None, ctx: AsyncDurableContext) -> float:
        async def timed() -> float:
            began = ctx.now()
            await flow(ctx)
            return (ctx.now() - began).total_seconds()

        async def long(step: StepContext) -> None:
            await asyncio.sleep(600)

        seconds, _ = await asyncio.gather(timed(), ctx.step(long, name="long"))
        return seconds

    assert LocalRunner(handler).run().value == 9
