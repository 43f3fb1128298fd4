"""Suite ``callback``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from support.serdes import Message, MessageFromJson, Number

from durably import (
    AsyncDurableContext,
    CallbackConfig,
    CallbackError,
    Duration,
    StepContext,
    durable_execution,
    durable_step,
)


@dataclass(frozen=True)
class Received:
    received: Message


class Doubled(TypedDict):
    count: int
    doubled: int


@durable_step
async def notify(step: StepContext, callback_id: str) -> str:
    return f"sent {callback_id}"


@durable_execution
async def basic(event: str, ctx: AsyncDurableContext) -> str | None:
    callback = await ctx.create_callback(name=event)
    return await callback.result()


@durable_execution
async def named(event: None, ctx: AsyncDurableContext) -> str | None:
    callback = await ctx.create_callback(name="approval")
    return await callback.result()


@durable_execution
async def timing_out(event: str, ctx: AsyncDurableContext) -> str | None:
    callback = await ctx.create_callback(name=event, config=CallbackConfig(timeout=Duration.from_seconds(5)))
    return await callback.result()


@durable_execution
async def heartbeat_missed(event: str, ctx: AsyncDurableContext) -> str | None:
    config = CallbackConfig(heartbeat_timeout=Duration.from_seconds(5))
    callback = await ctx.create_callback(name=event, config=config)
    return await callback.result()


@durable_execution
async def heartbeat_kept(event: str, ctx: AsyncDurableContext) -> str | None:
    config = CallbackConfig(heartbeat_timeout=Duration.from_seconds(10))
    callback = await ctx.create_callback(name=event, config=config)
    return await callback.result()


@durable_execution
async def after_step(event: str, ctx: AsyncDurableContext) -> str | None:
    callback = await ctx.create_callback(name=event)
    await ctx.step(notify(callback.callback_id))
    return await callback.result()


@durable_execution
async def after_step_timing_out(event: str, ctx: AsyncDurableContext) -> str | None:
    callback = await ctx.create_callback(name=event, config=CallbackConfig(timeout=Duration.from_seconds(5)))
    await ctx.step(notify(callback.callback_id))
    return await callback.result()


@durable_execution
async def after_wait(event: str, ctx: AsyncDurableContext) -> str | None:
    callback = await ctx.create_callback(name=event)
    await ctx.wait(Duration.from_seconds(5))
    return await callback.result()


@durable_execution
async def after_wait_timing_out(event: str, ctx: AsyncDurableContext) -> str | None:
    callback = await ctx.create_callback(name=event, config=CallbackConfig(timeout=Duration.from_seconds(3)))
    await ctx.wait(Duration.from_seconds(6))
    return await callback.result()


@durable_execution
async def before_wait(event: str, ctx: AsyncDurableContext) -> str | None:
    callback = await ctx.create_callback(name=event)
    answer = await callback.result()
    await ctx.wait(Duration.from_seconds(2))
    return answer


@durable_execution
async def failure_caught(event: str, ctx: AsyncDurableContext) -> str | None:
    callback = await ctx.create_callback(name=event)
    try:
        outcome = await callback.result()
    except CallbackError as error:
        outcome = f"refused: {error}"
    await ctx.wait(Duration.from_seconds(2))
    return outcome


@durable_execution
async def timeout_caught(event: str, ctx: AsyncDurableContext) -> str | None:
    callback = await ctx.create_callback(name=event, config=CallbackConfig(timeout=Duration.from_seconds(3)))
    try:
        outcome = await callback.result()
    except CallbackError as error:
        outcome = f"too late: {error}"
    await ctx.wait(Duration.from_seconds(2))
    return outcome


@durable_execution
async def typed_result(event: str, ctx: AsyncDurableContext) -> Received:
    callback = await ctx.create_callback(name=event, config=CallbackConfig(serdes=MessageFromJson()))
    message = await callback.result()
    return Received(message)


@durable_execution
async def numeric_result(event: str, ctx: AsyncDurableContext) -> Doubled:
    callback = await ctx.create_callback(name=event, config=CallbackConfig(serdes=Number()))
    count = await callback.result()
    return {"count": count, "doubled": count * 2}


@durable_execution
async def one_after_the_other(event: list[str], ctx: AsyncDurableContext) -> list[str | None]:
    first = await ctx.create_callback(name=event[0])
    answer_of_first = await first.result()
    second = await ctx.create_callback(name=event[1])
    return [answer_of_first, await second.result()]


@durable_execution
async def both_in_order(event: list[str], ctx: AsyncDurableContext) -> list[str | None]:
    first = await ctx.create_callback(name=event[0])
    second = await ctx.create_callback(name=event[1])
    return [await first.result(), await second.result()]


@durable_execution
async def both_in_reverse(event: list[str], ctx: AsyncDurableContext) -> list[str | None]:
    first = await ctx.create_callback(name=event[0])
    second = await ctx.create_callback(name=event[1])
    answer_of_second = await second.result()
    return [await first.result(), answer_of_second]
