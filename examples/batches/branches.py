"""Parallel: independent branches side by side, with names, and with results of different types.

    durably dev examples/batches/branches.py
    durably invoke moving_day '{"boxes": 12}'

Each branch has a child context, and may wait, call and fan out in it. A wait in one holds up no other.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import (
    AsyncDurableContext,
    BatchResult,
    ParallelBranch,
    durable_execution,
    durable_parallel_branch,
    durable_with_child_context,
)


@dataclass(frozen=True)
class Household:
    boxes: int


@durable_with_child_context
async def pack(ctx: AsyncDurableContext, boxes: int) -> int:
    await ctx.wait(timedelta(hours=3), name="wrap the glasses")
    return await ctx.step(lambda step: boxes, name="count")


@durable_parallel_branch("van")
async def rent_van(ctx: AsyncDurableContext) -> str:
    return await ctx.step(lambda step: "a blue van", name="rent")


async def tell_neighbours(ctx: AsyncDurableContext) -> bool:
    return await ctx.step(lambda step: True, name="ring")


@durable_execution
async def moving_day(household: Household, ctx: AsyncDurableContext) -> list[int | str | bool]:
    boxes = ParallelBranch(pack(household.boxes), "boxes")
    done: BatchResult[int | str | bool] = await ctx.parallel([boxes, rent_van(), tell_neighbours], name="at once")
    return done.get_results()
