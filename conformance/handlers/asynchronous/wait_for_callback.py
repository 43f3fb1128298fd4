"""Suite ``wait_for_callback``."""

from __future__ import annotations

from typing import Never

from support.retries import twice

from durably import (
    AsyncDurableContext,
    CallbackError,
    Duration,
    JsonSerDes,
    StepContext,
    WaitForCallbackConfig,
    WaitForCallbackContext,
    durable_execution,
    durable_step,
    durable_wait_for_callback,
    durable_with_child_context,
)


async def submit(callback_id: str, submission: WaitForCallbackContext) -> None:
    """Where a real function hands the id to whoever will answer. Here the requirement's runner finds it by itself."""


@durable_wait_for_callback
async def submit_to(callback_id: str, submission: WaitForCallbackContext, recipient: str) -> None:
    submission.logger.info("asking %s", recipient)


@durable_wait_for_callback
async def fail_to_submit(callback_id: str, submission: WaitForCallbackContext) -> Never:
    raise ConnectionError("nobody to ask")


@durable_step
async def give_fixed_data(step: StepContext) -> str:
    return "fixed data"


@durable_execution
async def basic(event: str, ctx: AsyncDurableContext) -> str | None:
    return await ctx.wait_for_callback(submit, name=event)


@durable_execution
async def named(event: None, ctx: AsyncDurableContext) -> str | None:
    return await ctx.wait_for_callback(submit_to("the manager"), name="approval")


@durable_execution
async def anonymous(event: None, ctx: AsyncDurableContext) -> str | None:
    return await ctx.wait_for_callback(lambda callback_id, submission: None)


@durable_execution
async def timing_out(event: str, ctx: AsyncDurableContext) -> str | None:
    config = WaitForCallbackConfig(timeout=Duration.from_seconds(3))
    return await ctx.wait_for_callback(submit, name=event, config=config)


@durable_execution
async def failure_caught(event: str, ctx: AsyncDurableContext) -> str | None:
    try:
        return await ctx.wait_for_callback(submit, name=event)
    except CallbackError:
        return "recovered"


@durable_execution
async def submitter_exhausted(event: str, ctx: AsyncDurableContext) -> str | None:
    return await ctx.wait_for_callback(fail_to_submit(), name=event, config=WaitForCallbackConfig(retry_strategy=twice))


@durable_with_child_context
async def wrapped(child: AsyncDurableContext, name: str) -> str | None:
    return await child.wait_for_callback(submit, name=name)


@durable_execution
async def inside_child(event: str, ctx: AsyncDurableContext) -> str | None:
    return await ctx.run_in_child_context(wrapped(event), name="wrapper")


@durable_execution
async def sequential(event: None, ctx: AsyncDurableContext) -> str | None:
    await ctx.wait_for_callback(submit, name="first")
    return await ctx.wait_for_callback(submit, name="second")


@durable_execution
async def after_wait_and_step(event: str, ctx: AsyncDurableContext) -> str | None:
    await ctx.wait(Duration.from_seconds(1))
    await ctx.step(give_fixed_data())
    return await ctx.wait_for_callback(submit, name=event)


@durable_execution
async def structured_result(event: str, ctx: AsyncDurableContext) -> str:
    decision = await ctx.wait_for_callback(submit, name=event, config=WaitForCallbackConfig(serdes=JsonSerDes()))
    return decision["status"]


@durable_execution
async def heartbeat_missed(event: str, ctx: AsyncDurableContext) -> str | None:
    config = WaitForCallbackConfig(heartbeat_timeout=Duration.from_seconds(5))
    return await ctx.wait_for_callback(submit, name=event, config=config)


@durable_execution
async def heartbeat_kept(event: str, ctx: AsyncDurableContext) -> str | None:
    config = WaitForCallbackConfig(heartbeat_timeout=Duration.from_seconds(10))
    return await ctx.wait_for_callback(submit, name=event, config=config)


@durable_execution
async def timeout_caught(event: str, ctx: AsyncDurableContext) -> str | None:
    config = WaitForCallbackConfig(timeout=Duration.from_seconds(3))
    try:
        return await ctx.wait_for_callback(submit, name=event, config=config)
    except CallbackError:
        return "timed-out-handled"
