"""Functions that reach the service through a proxy that loses answers, with boto3 and with the client of durably."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import boto3
from botocore.config import Config

from durably import AsyncDurableContext, DurableContext, LambdaClient, durable_execution

from .app import ONCE, SECOND, add, add_slowly, careful, tell

_PROXY = os.environ["CRASH_PROXY"]
_BOTO3 = boto3.client(
    "lambda", endpoint_url=_PROXY, config=Config(retries={"mode": "standard", "total_max_attempts": 9}, read_timeout=20)
)
_OURS = LambdaClient(endpoint_url=_PROXY, max_attempts=9, read_timeout=20)


def _sync(n: int, ctx: DurableContext) -> list[Any]:
    for number in range(20):
        n = ctx.step(add(n, number), name=f"{number}")
    paid = ctx.step(careful(n), name="no retry", config=ONCE)
    callback = ctx.create_callback(name="early")
    ctx.step(tell(callback.callback_id), name="tell")
    ctx.wait(SECOND, name="rest")

    def inside(child: DurableContext) -> int:
        return child.step(add(n, 1), name="a") + child.step(add(n, 2), name="b")

    return [n, paid, ctx.run_in_child_context(inside, name="child"), callback.result()]


async def _async(n: int, ctx: AsyncDurableContext) -> list[Any]:
    async def flow(start: int) -> int:
        value = await ctx.step(add_slowly(n, start), name=f"begin {start}")
        await ctx.wait(SECOND, name=f"rest {start}")
        return await ctx.step(add(value, 1), name=f"end {start}")

    callback = await ctx.create_callback(name="early")
    await ctx.step(tell(callback.callback_id), name="tell")
    flows = await asyncio.gather(*(flow(start) for start in range(5)))
    paid = await ctx.step(careful(n), name="no retry", config=ONCE)
    return [*flows, paid, await callback.result()]


@durable_execution(boto3_client=_BOTO3)
def boto3_sync(n: int, ctx: DurableContext) -> list[Any]:
    return _sync(n, ctx)


@durable_execution(boto3_client=_BOTO3)
async def boto3_async(n: int, ctx: AsyncDurableContext) -> list[Any]:
    return await _async(n, ctx)


@durable_execution(client=_OURS)
def ours_sync(n: int, ctx: DurableContext) -> list[Any]:
    return _sync(n, ctx)


@durable_execution(client=_OURS)
async def ours_async(n: int, ctx: AsyncDurableContext) -> list[Any]:
    return await _async(n, ctx)
