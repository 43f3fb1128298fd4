"""Suite ``wait``."""

from __future__ import annotations

from typing import TypedDict

from durably import AsyncDurableContext, Duration, durable_execution


class Waits(TypedDict):
    completedWaits: int


@durable_execution
async def basic(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.wait(Duration.from_seconds(2))


@durable_execution
async def named(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.wait(Duration.from_seconds(2), name="custom_wait_name")


@durable_execution
async def sequential(event: None, ctx: AsyncDurableContext) -> Waits:
    await ctx.wait(Duration.from_seconds(2), name="wait-1")
    await ctx.wait(Duration.from_seconds(2), name="wait-2")
    return {"completedWaits": 2}


@durable_execution
async def one_minute(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.wait(Duration.from_minutes(1))


@durable_execution
async def one_hour(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.wait(Duration.from_hours(1))
