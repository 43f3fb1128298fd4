"""Long histories do not fill the memory of coroutine handlers: records that nothing asks for again are dropped."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from durably import Duration, durable_execution
from durably.engine.branch import Branch
from durably.plugin import DurableInstrumentationPlugin

from .harness import Answer, World, run

SECOND = Duration.from_seconds(1)


async def number(step: Any) -> int:
    return 1


async def item(ctx: Any, n: int) -> int:
    async def inner(child: Any) -> int:
        return (await child.step(number)) + (await child.step(number))

    return (await ctx.step(number)) + (await ctx.run_in_child_context(inner))


@pytest.mark.parametrize("waits", [False, True])
def test_a_wide_map_leaves_nothing_behind(waits: bool) -> None:
    async def one(ctx: Any, n: int) -> int:
        if waits and n % 10 == 0:
            await ctx.wait(SECOND)
        return await item(ctx, n)

    async def handler(event: Any, ctx: Any) -> list[int]:
        results = await ctx.map(range(300), one)
        kept.append(len(ctx.run.ops))
        await ctx.wait(SECOND)
        kept.append(len(ctx.run.ops))
        return [sum(results.get_results()), len(results)]

    kept: list[int] = []
    world = run(handler)
    assert world.value == [900, 300]
    assert kept[0] < (400 if waits else 10)  # what an earlier invocation has recorded is in the state of this one
    assert len(world.operations) > 1200


def test_a_long_history_is_not_kept_while_it_grows() -> None:
    async def handler(event: Any, ctx: Any) -> int:
        total = 0
        for _ in range(100):
            total += await ctx.step(number)
        kept.append(len(ctx.run.ops))
        await ctx.wait(SECOND)
        kept.append(len(ctx.run.ops))
        return total

    kept: list[int] = []
    assert run(handler).value == 100
    first, *replayed = kept
    assert first == 1
    assert max(replayed) <= 102  # what earlier invocations have recorded is there already


def test_a_callback_may_be_asked_for_again() -> None:
    async def one(ctx: Any, n: int) -> list[str]:
        callback = await ctx.create_callback(name="approval")
        return [await callback.result(), await callback.result()]

    async def handler(event: Any, ctx: Any) -> Any:
        return (await ctx.map([1], one)).get_results()

    assert World(handler, callbacks={"approval": Answer("yes")}).run().value == [["yes", "yes"]]


def test_decisions_inside_a_branch_are_taken_from_the_record() -> None:
    """By futures, by tasks and by coroutines that are raced."""

    async def one(ctx: Any, n: int) -> list[Any]:
        started = [ctx.start(ctx.step, number), ctx.start(ctx.wait, SECOND)]
        first = await ctx.race(started)
        second = await ctx.race([ctx.wait(SECOND), ctx.step(number)])
        both = await asyncio.gather(ctx.step(number), ctx.run_in_child_context(lambda child: item(child, n)))
        everything = await ctx.all([ctx.start(ctx.step, number), ctx.step(number)])
        await ctx.wait(SECOND)
        return [first, second, *both, *everything]

    async def handler(event: Any, ctx: Any) -> Any:
        return (await ctx.map([1, 2], one)).get_results()

    world = run(handler)
    assert world.value == [[1, 1, 1, 3, 1, 1]] * 2
    assert world.invocations > 1


def test_plugins_that_only_ask_at_the_end_see_all_of_it() -> None:
    class AtTheEnd(DurableInstrumentationPlugin):
        def on_invocation_end(self, info: Any) -> None:
            seen.append(set(info.operations))

    class Factory:
        def create_plugin(self, info: Any) -> AtTheEnd:
            return AtTheEnd()

    async def handler(event: Any, ctx: Any) -> Any:
        return len(await ctx.map(range(3), item))

    seen: list[set[str]] = []
    world = World(handler)
    world.function = durable_execution(client=world.link, plugins=[Factory()])(handler)
    assert world.run().value == 3
    assert len(world.operations) > 12
    assert len(seen) == 1
    assert seen[0] >= set(world.operations)


def test_ended_branches_are_not_left_to_the_garbage_collector() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        results = await ctx.map(range(500), item)
        alive.append(branches())
        return len(results)

    def branches() -> int:
        return sum(type(one) is Branch for one in gc.get_objects())

    alive: list[int] = []
    world = World(handler)
    gc.collect()
    gc.disable()
    before = branches()  # what other tests have left
    try:
        world.run()
    finally:
        gc.enable()
    assert world.value == 500
    assert alive[0] - before < 20
