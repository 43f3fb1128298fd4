"""Async groups wider than what begins at once: every branch begins in the end, none is made before it is needed."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

from durably import AsyncDurableContext, CompletionConfig, Duration, MapConfig

from .harness import run

WIDE = 700
SECOND = Duration.from_seconds(1)
request: ContextVar[str] = ContextVar("request", default="unknown")


def test_what_the_handler_has_set_is_seen_by_branches_that_begin_later() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        request.set("r1")

        async def one(inner: AsyncDurableContext, item: int) -> str:
            await inner.step(lambda step: item)
            return request.get()

        return sorted(set((await ctx.map(range(WIDE), one)).get_results()))

    assert run(handler).value == ["r1"]


def test_a_branch_may_wait_for_one_that_begins_later() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        last_ran = asyncio.Event()

        async def one(inner: AsyncDurableContext, item: int) -> int:
            if item == WIDE - 1:
                last_ran.set()
            await last_ran.wait()
            return await inner.step(lambda step: item)

        return (await ctx.map(range(WIDE), one)).success_count

    assert run(handler).value == WIDE


def test_branches_that_wait_for_the_service_do_not_keep_others_from_beginning() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def one(inner: AsyncDurableContext, item: int) -> int:
            await inner.wait(SECOND)
            return await inner.step(lambda step: item)

        return (await ctx.map(range(WIDE), one)).get_results()

    world = run(handler)
    assert world.value == list(range(WIDE))
    assert world.invocations == 2, "all of them waited in one suspension"


def test_groups_inside_branches() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def inner_one(inner: AsyncDurableContext, item: int) -> int:
            return await inner.step(lambda step: item)

        async def one(inner: AsyncDurableContext, item: int) -> int:
            return sum((await inner.map([item, 1], inner_one)).get_results())

        return sum((await ctx.map(range(WIDE), one)).get_results())

    assert run(handler).value == sum(range(WIDE)) + WIDE


def test_a_decision_that_falls_early_leaves_the_rest_unbegun() -> None:
    begun: list[int] = []

    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def one(inner: AsyncDurableContext, item: int) -> int:
            begun.append(item)
            return await inner.step(lambda step: item)

        config: MapConfig[int] = MapConfig(completion_config=CompletionConfig.first_successful())
        result = await ctx.map(range(10 * WIDE), one, config=config)
        await ctx.wait(SECOND)
        return [result.success_count >= 1, result.completion_reason.name]

    world = run(handler)
    assert world.value == [True, "MIN_SUCCESSFUL_REACHED"]
    assert begun == sorted(begun), "in the order of their indexes, in one invocation"
    assert len(begun) < WIDE


def test_a_failure_ends_the_wait_of_a_group_whose_branches_have_not_all_begun() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def one(inner: AsyncDurableContext, item: int) -> int:
            if item == 0:
                raise KeyError("no")
            await inner.wait(SECOND)
            return item

        config: MapConfig[int] = MapConfig(completion_config=CompletionConfig.all_successful())
        result = await ctx.map(range(WIDE), one, config=config)
        return [result.failure_count, result.completion_reason.name]

    assert run(handler).value == [1, "FAILURE_TOLERANCE_EXCEEDED"]
