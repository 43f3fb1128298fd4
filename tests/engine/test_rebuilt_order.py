"""A context whose result is rebuilt takes its place in the order of completions as one whose result is stored (R9)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durably import AsyncDurableContext, Duration, MapConfig

from .harness import run

LARGE = "x" * 300_000


async def large(ctx: AsyncDurableContext) -> str:
    await ctx.step(lambda step: None, name="inner")
    return LARGE


async def large_map(ctx: AsyncDurableContext) -> Any:
    return (await ctx.map([1], lambda branch, item: large(branch), "inner", MapConfig())).get_results()[0]


@pytest.mark.parametrize("block", [large, large_map])
def test_what_follows_a_rebuilt_context_is_not_kept_waiting_for_it(block: Any) -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def slow(child: AsyncDurableContext) -> None:
            await (await child.create_callback("never")).result()

        async def quick() -> int:
            length = len(await ctx.run_in_child_context(block, name="large"))
            await ctx.step(lambda step: None, name="after")
            return length

        slow_task = asyncio.create_task(ctx.run_in_child_context(slow, name="slow"))
        quick_task = asyncio.create_task(quick())
        await asyncio.wait([slow_task, quick_task], return_when=asyncio.FIRST_COMPLETED)
        slow_task.cancel()  # a decision that is recorded, and has to fall again when the steps of quick() are replayed
        await asyncio.wait([slow_task])
        await ctx.wait(Duration.from_seconds(1))
        return quick_task.result()

    world = run(handler)
    assert world.value == 300_000
    assert world.invocations == 2
