"""Suite ``child``."""

from __future__ import annotations

import asyncio
import os
from typing import Never, TypedDict

from support.attempts import next_attempt
from support.replay_logging import log_in_replay_too
from support.retries import twice
from support.serdes import UppercaseText

from durably import (
    AsyncDurableContext,
    ChildConfig,
    ChildContextError,
    Duration,
    RetryPresets,
    StepConfig,
    StepContext,
    durable_execution,
    durable_step,
    durable_with_child_context,
)

NO_RETRY = StepConfig(retry_strategy=RetryPresets.none())


class NamedValue(TypedDict):
    name: str
    value: str


@durable_step
async def give(step: StepContext, value: str) -> str:
    return value


@durable_step
async def fail(step: StepContext) -> Never:
    raise RuntimeError("this step always fails")


@durable_with_child_context
async def one_step(child: AsyncDurableContext, value: str) -> str:
    return await child.step(give(value))


@durable_execution
async def basic(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.run_in_child_context(one_step(event))


@durable_execution
async def named(event: NamedValue, ctx: AsyncDurableContext) -> str:
    return await ctx.run_in_child_context(one_step(event["value"]), name=event["name"])


@durable_with_child_context
async def two_steps(child: AsyncDurableContext, value: str) -> str:
    first = await child.step(give(value))
    return await child.step(give(first))


@durable_execution
async def sequential_steps(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.run_in_child_context(two_steps(event))


@durable_with_child_context
async def failing_step(child: AsyncDurableContext) -> None:
    await child.step(fail(), config=NO_RETRY)


@durable_execution
async def failing(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.run_in_child_context(failing_step())


@durable_execution
async def failure_caught(event: str, ctx: AsyncDurableContext) -> str:
    try:
        await ctx.run_in_child_context(failing_step())
    except ChildContextError:
        return await ctx.step(give(event), name="recover")
    return "unexpected success"


@durable_with_child_context
async def outer(child: AsyncDurableContext, value: str) -> str:
    await child.step(give(value))
    return await child.run_in_child_context(one_step(value), name="inner")


@durable_execution
async def nested(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.run_in_child_context(outer(event))


@durable_with_child_context
async def step_that_recovers(child: AsyncDurableContext, value: str) -> str:
    async def give_on_second_attempt(step: StepContext) -> str:
        if step.attempt == 1:
            raise RuntimeError("the first attempt fails")
        return value

    return await child.step(give_on_second_attempt, config=StepConfig(retry_strategy=twice))


@durable_execution
async def step_retried(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.run_in_child_context(step_that_recovers(event))


@durable_with_child_context
async def step_that_never_recovers(child: AsyncDurableContext) -> None:
    await child.step(fail(), config=StepConfig(retry_strategy=twice))


@durable_execution
async def retries_exhausted(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.run_in_child_context(step_that_never_recovers())


@durable_execution
async def replayed(event: str, ctx: AsyncDurableContext) -> str:
    value = await ctx.run_in_child_context(one_step(event))
    await ctx.wait(Duration.from_seconds(1))
    return value


@durable_with_child_context
async def step_and_wait(child: AsyncDurableContext, value: str) -> str:
    given = await child.step(give(value))
    await child.wait(Duration.from_seconds(1))
    return given


@durable_execution
async def mixed_inside(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.run_in_child_context(step_and_wait(event))


@durable_with_child_context
async def large_result(child: AsyncDurableContext, value: str) -> str:
    log_in_replay_too(child, value)
    return await child.step(give("x")) * 300_000


@durable_execution
async def large_payload(event: str, ctx: AsyncDurableContext) -> int:
    built = await ctx.run_in_child_context(large_result(event))
    await ctx.wait(Duration.from_seconds(1))
    return len(built)


@durable_with_child_context
async def step_that_crashes_once(child: AsyncDurableContext, value: str) -> str:
    async def give_unless_first(step: StepContext) -> str:
        if next_attempt(child.execution_arn) == 1:
            await asyncio.sleep(1)  # long enough for the start of this step, sent in the background, to be recorded
            os._exit(1)
        return value

    return await child.step(give_unless_first)


@durable_execution
async def interrupted(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.run_in_child_context(step_that_crashes_once(event))


@durable_with_child_context
async def only_wait(child: AsyncDurableContext, value: str) -> str:
    await child.wait(Duration.from_seconds(1))
    return value


@durable_execution
async def wait_inside(event: str, ctx: AsyncDurableContext) -> str:
    value = await ctx.run_in_child_context(only_wait(event))
    return await ctx.step(give(value))


@durable_execution
async def custom_serdes(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.run_in_child_context(one_step(event), config=ChildConfig(serdes=UppercaseText()))


@durable_with_child_context
async def no_operation_but_error(child: AsyncDurableContext) -> Never:
    raise ValueError("raised in the body of the child")


@durable_execution
async def failing_without_step(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.run_in_child_context(no_operation_but_error())


@durable_with_child_context
async def nothing(child: AsyncDurableContext) -> None:
    return None


@durable_execution
async def null_result(event: None, ctx: AsyncDurableContext) -> None:
    return await ctx.run_in_child_context(nothing())


@durable_with_child_context
async def only_log(child: AsyncDurableContext, value: str) -> str:
    log_in_replay_too(child, value)
    return value


@durable_execution
async def logger_only(event: str, ctx: AsyncDurableContext) -> str:
    value = await ctx.run_in_child_context(only_log(event))
    await ctx.wait(Duration.from_seconds(1))
    return value


@durable_execution
async def mixed_inside_and_after(event: str, ctx: AsyncDurableContext) -> str:
    value = await ctx.run_in_child_context(step_and_wait(event))
    given = await ctx.step(give(value))
    await ctx.wait(Duration.from_seconds(1))
    return given
