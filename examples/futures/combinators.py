"""all, all_settled, race and any: four ways to wait for several operations at once.

    durably dev examples/futures/combinators.py
    durably invoke letters '"all"'

What was decided is recorded: a race has the same winner on every replay, and its losers are given up.
"""

from datetime import timedelta

from durably import (
    AllFailedError,
    AsyncDurableContext,
    RetryPresets,
    StepConfig,
    StepContext,
    StepError,
    durable_execution,
    durable_step,
)

ONCE = StepConfig(RetryPresets.none())


@durable_step
async def write_to(step: StepContext, whom: str) -> str:
    if whom == "nobody":
        raise LookupError("nobody has no address")
    return f"{whom} answered"


async def slowly(ctx: AsyncDurableContext) -> str:
    await ctx.wait(timedelta(days=3), name="by sea")
    return await ctx.step(write_to("Robinson"))


@durable_execution
async def letters(way: str, ctx: AsyncDurableContext) -> list[str]:
    ada = ctx.start(ctx.step, write_to("Ada"), name="Ada")
    nobody = ctx.start(ctx.step, write_to("nobody"), name="nobody", config=ONCE)
    if way == "all":
        try:
            return await ctx.all([ada, nobody, slowly], name="all")
        except StepError as error:
            return [f"not all: {error}"]
    if way == "all_settled":
        sea = ctx.start(ctx.run_in_child_context, slowly, name="Robinson")
        settled = await ctx.all_settled([ada, nobody, sea], name="all settled")
        return [str(item.result) if item.error is None else f"no letter: {item.error.message}" for item in settled]
    if way == "race":
        return [await ctx.race([slowly, ada], name="race")]
    if way == "any":
        return [await ctx.any([nobody, slowly, ada], name="any")]
    try:
        return [await ctx.any([nobody], name="hopeless")]
    except AllFailedError as error:
        return [f"{len(error.errors)} failed: {error.errors[0]}"]
