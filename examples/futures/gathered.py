"""asyncio's own tools: gather and TaskGroup over durable operations, with steps and waits mixed.

    durably dev examples/futures/gathered.py
    durably invoke garden '["tomato", "bean"]'

Every task gets ids of its own, derived from the order in which the tasks were made and not from what was quicker.
"""

import asyncio
from datetime import timedelta

from durably import AsyncDurableContext, StepContext, durable_execution, durable_step


@durable_step
async def sow(step: StepContext, plant: str) -> str:
    return f"{plant} sown"


@durable_step
async def harvest(step: StepContext, plant: str) -> str:
    return f"{plant}s"


@durable_execution
async def garden(plants: list[str], ctx: AsyncDurableContext) -> list[str]:
    async def grow(plant: str, days: int) -> str:
        await ctx.step(sow(plant))
        await ctx.wait(timedelta(days=days), name=f"{plant} grows")
        return await ctx.step(harvest(plant))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(grow(plant, 60 + 10 * number)) for number, plant in enumerate(plants)]
    weeds, _ = await asyncio.gather(
        ctx.step(lambda step: "weeds", name="pull weeds"), ctx.wait(timedelta(days=1), name="rain")
    )
    return [task.result() for task in tasks] + [weeds]
