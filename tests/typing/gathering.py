"""What type checkers infer through asyncio's own functions. Checked, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from typing import assert_type

from durably import AsyncDurableContext, StepContext


async def number(step: StepContext) -> int:
    return step.attempt


def text(step: StepContext) -> str:
    return step.execution_arn


async def child(ctx: AsyncDurableContext) -> bytes:
    return ctx.execution_arn.encode()


async def gathered(ctx: AsyncDurableContext) -> None:
    one, two, three = await asyncio.gather(ctx.step(number), ctx.step(text), ctx.run_in_child_context(child))
    assert_type(one, int)
    assert_type(two, str)
    assert_type(three, bytes)
    assert_type(await asyncio.gather(*[ctx.step(number) for _ in range(3)]), list[int])
    async with asyncio.timeout(3):
        assert_type(await asyncio.wait_for(ctx.step(number), 3), int)
