"""Child contexts: a tour with stages, each with operations of its own, one inside the other.

    durably dev examples/child_contexts/nested.py
    durably invoke tour '["Graz", "Vienna"]'

A child context is one operation for the code around it: once it is recorded, a replay does not enter it any more.
Inside, use the context that the function receives.
"""

from datetime import timedelta

from durably import AsyncDurableContext, StepContext, durable_execution, durable_step, durable_with_child_context


@durable_step
async def play(step: StepContext, city: str, evening: int) -> str:
    return f"{city}, evening {evening}"


@durable_with_child_context
async def evenings(ctx: AsyncDurableContext, city: str, count: int) -> list[str]:
    return [await ctx.step(play(city, evening), name=f"evening {evening}") for evening in range(1, count + 1)]


@durable_with_child_context
async def stay(ctx: AsyncDurableContext, city: str) -> list[str]:
    await ctx.step(lambda step: None, name="build the stage")
    played = await ctx.run_in_child_context(evenings(city, 2))
    await ctx.wait(timedelta(days=1), name="day off")
    return played


@durable_execution
async def tour(cities: list[str], ctx: AsyncDurableContext) -> list[str]:
    return [concert for city in cities for concert in await ctx.run_in_child_context(stay(city), name=city)]
