"""Suite ``invoke``: the callers, and the functions they call."""

from __future__ import annotations

import os
from typing import Any, Never, TypedDict

from support.serdes import Shouting, UppercaseValues

from durably import (
    AsyncDurableContext,
    Duration,
    InvokeConfig,
    InvokeError,
    StepContext,
    durable_execution,
    durable_step,
    durable_with_child_context,
)


class NamedPayload(TypedDict):
    name: str
    payload: str


class TenantPayload(TypedDict):
    tenantId: str
    payload: str


def target() -> str:
    """The qualified name of the function to call, from the caller's environment."""
    return os.environ["TARGET_FUNCTION"]


# The functions that are called.


@durable_execution
async def echo(event: Any, ctx: AsyncDurableContext) -> Any:
    return event


@durable_execution
async def refuse(event: Any, ctx: AsyncDurableContext) -> Never:
    raise ValueError("refused by the invoked function")


@durable_execution
async def measure(event: str, ctx: AsyncDurableContext) -> int:
    return len(event)


# The callers.


@durable_execution
async def basic(event: Any, ctx: AsyncDurableContext) -> Any:
    return await ctx.invoke(target(), event)


@durable_execution
async def named(event: NamedPayload, ctx: AsyncDurableContext) -> str:
    return await ctx.invoke(target(), event["payload"], name=event["name"], result_type=str)


@durable_execution
async def null_payload(event: None, ctx: AsyncDurableContext) -> None:
    return await ctx.invoke(target(), None, result_type=type(None))


@durable_execution
async def failing(event: None, ctx: AsyncDurableContext) -> Any:
    return await ctx.invoke(target(), None)


@durable_execution
async def failure_caught(event: None, ctx: AsyncDurableContext) -> Any:
    try:
        return await ctx.invoke(target(), None)
    except InvokeError:
        return "fallback"


@durable_execution
async def large_payload(event: None, ctx: AsyncDurableContext) -> int:
    return await ctx.invoke(target(), "x" * 256_000, result_type=int)


@durable_execution
async def with_tenant(event: TenantPayload, ctx: AsyncDurableContext) -> str:
    config = InvokeConfig(tenant_id=event["tenantId"])
    return await ctx.invoke(target(), event["payload"], config=config, result_type=str)


@durable_execution
async def replay_of_success(event: None, ctx: AsyncDurableContext) -> Any:
    result = await ctx.invoke(target(), "once")
    await ctx.wait(Duration.from_seconds(1))
    return result


@durable_execution
async def replay_of_failure(event: None, ctx: AsyncDurableContext) -> Any:
    try:
        outcome = await ctx.invoke(target(), None)
    except InvokeError as error:
        outcome = str(error)
    await ctx.wait(Duration.from_seconds(1))
    return outcome


@durable_step
async def prepare(step: StepContext) -> str:
    return "prepared"


@durable_step
async def conclude(step: StepContext, answer: str) -> str:
    return f"{answer} and concluded"


@durable_execution
async def after_step(event: None, ctx: AsyncDurableContext) -> str:
    return await ctx.invoke(target(), await ctx.step(prepare()), result_type=str)


@durable_execution
async def before_step(event: None, ctx: AsyncDurableContext) -> str:
    answer = await ctx.invoke(target(), "answered", result_type=str)
    return await ctx.step(conclude(answer))


@durable_with_child_context
async def ask(child: AsyncDurableContext, question: str) -> str:
    return await child.invoke(target(), question, result_type=str)


@durable_execution
async def inside_child(event: None, ctx: AsyncDurableContext) -> str:
    return await ctx.run_in_child_context(ask("from a child"))


@durable_execution
async def sequential(event: None, ctx: AsyncDurableContext) -> list[str]:
    first = await ctx.invoke(target(), "first", result_type=str)
    second = await ctx.invoke(target(), "second", result_type=str)
    return [first, second]


@durable_execution
async def payload_serdes(event: dict[str, str], ctx: AsyncDurableContext) -> Any:
    return await ctx.invoke(target(), event, config=InvokeConfig(serdes_payload=UppercaseValues()))


@durable_execution
async def result_serdes(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.invoke(target(), event, config=InvokeConfig(serdes_result=Shouting()))
