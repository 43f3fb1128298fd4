"""ctx.flush(): what it records, and what it does not wait for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durably import AsyncDurableContext, CheckpointMode, DurableContext

from .harness import Flavour
from .modes import ModeWorld, Pair, Steps, go


@pytest.fixture
def steps() -> Steps:
    return Steps()


def test_flush_records_what_was_done_and_costs_nothing_when_that_is_nothing(flavour: Flavour, steps: Steps) -> None:
    def sync(event: Any, ctx: DurableContext) -> None:
        ctx.flush()
        steps(ctx, "a")
        steps(ctx, "b")
        ctx.flush()
        seen.append(steps.recorded())
        ctx.flush()
        steps(ctx, "c")

    async def coroutine(event: Any, ctx: AsyncDurableContext) -> None:
        await ctx.flush()
        await steps(ctx, "a")
        await steps(ctx, "b")
        await ctx.flush()
        seen.append(steps.recorded())
        await ctx.flush()
        await steps(ctx, "c")

    seen: list[set[str]] = []
    world = go(flavour, steps, Pair(sync, coroutine), checkpointing=CheckpointMode.BATCHED)
    assert seen == [{"a", "b"}]
    assert world.batches == [
        [("STEP", "SUCCEED", "a"), ("STEP", "SUCCEED", "b")],
        [("STEP", "SUCCEED", "c")],
    ]


def test_flush_does_not_wait_for_a_step_that_runs_beside_it(steps: Steps) -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> None:
        flushed = asyncio.Event()

        async def long(step: Any) -> None:
            await flushed.wait()

        for n in range(3):
            await steps(ctx, f"s{n}")
        beside = asyncio.create_task(ctx.step(long, name="long"))
        await asyncio.sleep(0)
        await ctx.flush()
        flushed.set()
        await beside

    steps.world = world = ModeWorld(handler, checkpointing=CheckpointMode.BATCHED)
    world.run()
    assert world.status == "SUCCEEDED"
