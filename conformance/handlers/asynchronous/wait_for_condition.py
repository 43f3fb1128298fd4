"""Suite ``wait_for_condition``."""

from __future__ import annotations

from typing import Never, TypedDict

from support.polling import at_fixed_delay, every_second_until
from support.serdes import Reversed

from durably import (
    AsyncDurableContext,
    StepContext,
    WaitForConditionCheckContext,
    WaitForConditionConfig,
    WaitForConditionError,
    durable_execution,
    durable_step,
)
from durably.waits import WaitStrategy


class Status(TypedDict):
    status: str
    attempts: int


async def count(state: int, check: WaitForConditionCheckContext) -> int:
    return state + 1


async def unchanged(state: int, check: WaitForConditionCheckContext) -> int:
    return state


async def broken(state: int, check: WaitForConditionCheckContext) -> Never:
    raise ConnectionError("nothing to ask")


async def nothing(state: None, check: WaitForConditionCheckContext) -> None:
    return None


async def longer(state: str, check: WaitForConditionCheckContext) -> str:
    return state + "x"


async def done_at_second(state: Status, check: WaitForConditionCheckContext) -> Status:
    attempts = state["attempts"] + 1
    return Status(status="DONE" if attempts == 2 else "PENDING", attempts=attempts)


@durable_step
async def times_ten(step: StepContext, value: int) -> int:
    return value * 10


def counting_to(threshold: int, start: int = 0) -> WaitForConditionConfig[int]:
    return WaitForConditionConfig(every_second_until(lambda state: state >= threshold), start)


@durable_execution
async def basic(event: int, ctx: AsyncDurableContext) -> int:
    return await ctx.wait_for_condition(count, counting_to(event))


@durable_execution
async def met_at_once(event: int, ctx: AsyncDurableContext) -> int:
    return await ctx.wait_for_condition(unchanged, counting_to(event, start=5))


@durable_execution
async def named(event: int, ctx: AsyncDurableContext) -> int:
    return await ctx.wait_for_condition(count, counting_to(event), name="poll-status")


@durable_execution
async def initial_state(event: int, ctx: AsyncDurableContext) -> int:
    return await ctx.wait_for_condition(count, counting_to(event, start=5))


@durable_execution
async def fixed_delay(event: int, ctx: AsyncDurableContext) -> int:
    strategy: WaitStrategy[int] = at_fixed_delay(2, lambda state: state < event)
    return await ctx.wait_for_condition(count, WaitForConditionConfig(strategy, 0))


@durable_execution
async def attempts_exhausted(event: int, ctx: AsyncDurableContext) -> int:
    strategy = at_fixed_delay(1, lambda state: True, attempts=3)
    return await ctx.wait_for_condition(count, WaitForConditionConfig(strategy, event))


@durable_execution
async def failing(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.wait_for_condition(broken, counting_to(1))


@durable_execution
async def failure_caught(event: None, ctx: AsyncDurableContext) -> str:
    try:
        await ctx.wait_for_condition(broken, counting_to(1))
    except WaitForConditionError:
        return "recovered"
    return "unexpected success"


@durable_execution
async def object_state(event: None, ctx: AsyncDurableContext) -> Status:
    strategy: WaitStrategy[Status] = every_second_until(lambda state: state["status"] == "DONE")
    return await ctx.wait_for_condition(
        done_at_second, WaitForConditionConfig(strategy, Status(status="PENDING", attempts=0))
    )


@durable_execution
async def null_state(event: None, ctx: AsyncDurableContext) -> None:
    return await ctx.wait_for_condition(nothing, WaitForConditionConfig(every_second_until(lambda state: True), None))


@durable_execution
async def custom_serdes(event: None, ctx: AsyncDurableContext) -> str:
    strategy: WaitStrategy[str] = every_second_until(lambda state: len(state) == 2)
    return await ctx.wait_for_condition(longer, WaitForConditionConfig(strategy, "", serdes=Reversed()))


@durable_execution
async def then_step(event: int, ctx: AsyncDurableContext) -> int:
    reached = await ctx.wait_for_condition(count, counting_to(event))
    return await ctx.step(times_ten(reached))


@durable_execution
async def sequential(event: None, ctx: AsyncDurableContext) -> int:
    reached = await ctx.wait_for_condition(count, counting_to(2))
    return await ctx.wait_for_condition(count, counting_to(4, start=reached))
