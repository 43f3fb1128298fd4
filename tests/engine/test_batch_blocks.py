"""Explicit batches: what they send, and what they leave when something goes wrong inside."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    ContextMisuseError,
    DurableContext,
    Duration,
    StepConfig,
    StepSemantics,
)

from .harness import Flavour, Killed
from .modes import ModeWorld, Pair, Steps, go, names

SECOND = Duration.from_seconds(1)


@pytest.fixture
def steps() -> Steps:
    return Steps()


def test_the_steps_of_a_block_travel_together(flavour: Flavour, steps: Steps) -> None:
    def sync(event: Any, ctx: DurableContext) -> Any:
        steps(ctx, "before")
        with ctx.batch():
            found = [steps(ctx, f"s{n}") for n in range(10)]
            seen.append(steps.recorded())
        seen.append(steps.recorded())
        steps(ctx, "after")
        return found

    async def coroutine(event: Any, ctx: AsyncDurableContext) -> Any:
        await steps(ctx, "before")
        async with ctx.batch():
            found = [await steps(ctx, f"s{n}") for n in range(10)]
            seen.append(steps.recorded())
        seen.append(steps.recorded())
        await steps(ctx, "after")
        return found

    seen: list[set[str]] = []
    ten = [f"s{n}" for n in range(10)]
    world = go(flavour, steps, Pair(sync, coroutine))
    assert world.value == ten
    assert names(world) == [["before"], ten, ["after"]]
    assert seen == [{"before"}, {"before", *ten}]


def test_a_nested_block_is_sent_at_its_own_end_and_the_outer_one_goes_on(flavour: Flavour, steps: Steps) -> None:
    def sync(event: Any, ctx: DurableContext) -> None:
        with ctx.batch():
            steps(ctx, "a")
            with ctx.batch():
                steps(ctx, "b")
            steps(ctx, "c")
            steps(ctx, "d")
        steps(ctx, "e")
        steps(ctx, "f")

    async def coroutine(event: Any, ctx: AsyncDurableContext) -> None:
        async with ctx.batch():
            await steps(ctx, "a")
            async with ctx.batch():
                await steps(ctx, "b")
            await steps(ctx, "c")
            await steps(ctx, "d")
        await steps(ctx, "e")
        await steps(ctx, "f")

    world = go(flavour, steps, Pair(sync, coroutine))
    assert names(world) == [["a", "b"], ["c", "d"], ["e"], ["f"]]


def test_what_was_done_before_an_exception_is_sent_and_the_exception_goes_on(flavour: Flavour, steps: Steps) -> None:
    def sync(event: Any, ctx: DurableContext) -> Any:
        try:
            with ctx.batch():
                steps(ctx, "a")
                steps(ctx, "b")
                raise LookupError("inside")
        except LookupError as error:
            seen.append(steps.recorded())
            steps(ctx, "c")
            return str(error)

    async def coroutine(event: Any, ctx: AsyncDurableContext) -> Any:
        try:
            async with ctx.batch():
                await steps(ctx, "a")
                await steps(ctx, "b")
                raise LookupError("inside")
        except LookupError as error:
            seen.append(steps.recorded())
            await steps(ctx, "c")
            return str(error)

    seen: list[set[str]] = []
    world = go(flavour, steps, Pair(sync, coroutine))
    assert world.value == "inside"
    assert seen == [{"a", "b"}]
    assert names(world) == [["a", "b"], ["c"]]


def test_a_wait_inside_sends_what_was_done(flavour: Flavour, steps: Steps) -> None:
    def sync(event: Any, ctx: DurableContext) -> None:
        with ctx.batch():
            steps(ctx, "a")
            steps(ctx, "b")
            ctx.wait(SECOND)
            steps(ctx, "c")
            steps(ctx, "d")
        steps(ctx, "e")

    async def coroutine(event: Any, ctx: AsyncDurableContext) -> None:
        async with ctx.batch():
            await steps(ctx, "a")
            await steps(ctx, "b")
            await ctx.wait(SECOND)
            await steps(ctx, "c")
            await steps(ctx, "d")
        await steps(ctx, "e")

    world = go(flavour, steps, Pair(sync, coroutine))
    assert world.invocations == 2
    assert world.effects == ["a", "b", "c", "d", "e"]
    assert names(world) == [["a", "b"], ["c", "d"], ["e"]]
    assert not [output for output in world.outputs if isinstance(output, BaseException)]


def test_an_at_most_once_step_inside_is_recorded_before_it_runs(flavour: Flavour, steps: Steps) -> None:
    once = StepConfig(step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)

    def sync(event: Any, ctx: DurableContext) -> None:
        with ctx.batch():
            steps(ctx, "a")
            steps(ctx, "once", config=once)
            steps(ctx, "b")

    async def coroutine(event: Any, ctx: AsyncDurableContext) -> None:
        async with ctx.batch():
            await steps(ctx, "a")
            await steps(ctx, "once", config=once)
            await steps(ctx, "b")

    world = go(flavour, steps, Pair(sync, coroutine))
    assert world.batches[0] == [("STEP", "SUCCEED", "a"), ("STEP", "START", "once")]
    assert names(world) == [["a"], ["once"], ["b"]]


def test_a_crash_inside_repeats_the_block_as_far_as_it_was_not_sent(flavour: Flavour, steps: Steps) -> None:
    def sync(event: Any, ctx: DurableContext) -> None:
        steps(ctx, "a")
        with ctx.batch():
            steps(ctx, "b")
            ctx.flush()
            steps(ctx, "c")
            if steps.world.invocations == 1:
                steps.world.kill()

    async def coroutine(event: Any, ctx: AsyncDurableContext) -> None:
        await steps(ctx, "a")
        async with ctx.batch():
            await steps(ctx, "b")
            await ctx.flush()
            await steps(ctx, "c")
            if steps.world.invocations == 1:
                steps.world.kill()

    world = go(flavour, steps, Pair(sync, coroutine))
    assert world.status == "SUCCEEDED"
    assert world.effects == ["a", "b", "c", "c"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_while_the_block_is_sent(flavour: Flavour, steps: Steps, when: str) -> None:
    def sync(event: Any, ctx: DurableContext) -> None:
        with ctx.batch():
            steps(ctx, "a")
            steps(ctx, "b")
        steps(ctx, "c")

    async def coroutine(event: Any, ctx: AsyncDurableContext) -> None:
        async with ctx.batch():
            await steps(ctx, "a")
            await steps(ctx, "b")
        await steps(ctx, "c")

    steps.world = world = ModeWorld(Pair(sync, coroutine).of[flavour.name])
    setattr(world.link, when, lambda call: Killed() if len(world.link.calls) == 1 else None)
    world.run()
    assert world.status == "SUCCEEDED"
    assert world.effects == (["a", "b", "a", "b", "c"] if when == "before" else ["a", "b", "c"])


def test_child_contexts_and_branches_in_a_block_belong_to_it(flavour: Flavour, steps: Steps) -> None:
    def sync(event: Any, ctx: DurableContext) -> None:
        def inside(inner: DurableContext) -> None:
            steps(inner, "in 1")
            steps(inner, "in 2")

        def one(inner: DurableContext, item: int, *rest: Any) -> None:
            for n in range(10):
                steps(inner, f"{item}.{n}")

        with ctx.batch():
            steps(ctx, "a")
            ctx.run_in_child_context(inside, name="child")
            ctx.map([1, 2, 3], one)

    async def coroutine(event: Any, ctx: AsyncDurableContext) -> None:
        async def inside(inner: AsyncDurableContext) -> None:
            await steps(inner, "in 1")
            await steps(inner, "in 2")

        async def one(inner: AsyncDurableContext, item: int, *rest: Any) -> None:
            for n in range(10):
                await steps(inner, f"{item}.{n}")

        async with ctx.batch():
            await steps(ctx, "a")
            await ctx.run_in_child_context(inside, name="child")
            await ctx.map([1, 2, 3], one)

    world = go(flavour, steps, Pair(sync, coroutine))
    assert names(world)[0] == ["a", "in 1", "in 2", "child"]
    assert len(world.link.calls) < 12  # of 33 steps, a child, three branches and a map
    assert len(world.effects) == 33


def test_a_block_in_one_branch_leaves_the_others_alone(flavour: Flavour, steps: Steps) -> None:
    def sync(event: Any, ctx: DurableContext) -> None:
        def batched(inner: DurableContext) -> None:
            with inner.batch():
                for n in range(5):
                    steps(inner, f"batched {n}")
            ended.append(steps.recorded())

        def plain(inner: DurableContext) -> None:
            for n in range(5):
                steps(inner, f"plain {n}")
                seen.append(f"plain {n}" in steps.recorded())

        ctx.parallel([batched, plain])

    async def coroutine(event: Any, ctx: AsyncDurableContext) -> None:
        async def batched(inner: AsyncDurableContext) -> None:
            async with inner.batch():
                for n in range(5):
                    await steps(inner, f"batched {n}")
            ended.append(steps.recorded())

        async def plain(inner: AsyncDurableContext) -> None:
            for n in range(5):
                await steps(inner, f"plain {n}")
                seen.append(f"plain {n}" in steps.recorded())

        await ctx.parallel([batched, plain])

    seen: list[bool] = []
    ended: list[set[str]] = []
    go(flavour, steps, Pair(sync, coroutine))
    assert seen == [True] * 5
    assert {f"batched {n}" for n in range(5)} <= ended[0]


def test_blocks_of_tasks(steps: Steps) -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def one(n: int) -> Any:
            async with ctx.batch():
                found = [await steps(ctx, f"{n}.{k}") for k in range(3)]
                await ctx.wait(SECOND)
                found.append(await steps(ctx, f"{n}.end"))
            assert f"{n}.end" in steps.recorded()
            return found

        return await asyncio.gather(*[one(n) for n in range(4)])

    steps.world = world = ModeWorld(handler)
    world.link.turns = lambda: 2
    world.run()
    assert world.value == [[f"{n}.0", f"{n}.1", f"{n}.2", f"{n}.end"] for n in range(4)]
    assert len(world.effects) == 16


def test_a_block_that_is_cancelled_is_sent(steps: Steps) -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def inside(inner: AsyncDurableContext) -> None:
            async with inner.batch():
                await steps(inner, "a")
                task.cancel()
                await asyncio.sleep(0)

        task = asyncio.create_task(ctx.run_in_child_context(inside, name="child"))
        try:
            await task
        except asyncio.CancelledError:
            return sorted(steps.recorded())

    steps.world = world = ModeWorld(handler)
    world.run()
    assert world.value == ["a"]


# ---- misuse -----------------------------------------------------------------------------------------------------


def test_a_batch_object_serves_one_block(flavour: Flavour, steps: Steps) -> None:
    def sync(event: Any, ctx: DurableContext) -> None:
        block = ctx.batch()
        with block:
            steps(ctx, "a")
        with block:
            steps(ctx, "b")

    async def coroutine(event: Any, ctx: AsyncDurableContext) -> None:
        block = ctx.batch()
        async with block:
            await steps(ctx, "a")
        async with block:
            await steps(ctx, "b")

    world = go(flavour, steps, Pair(sync, coroutine))
    assert world.error["errorType"] == "durably.ContextMisuseError"
    assert "call ctx.batch() for each block" in world.error["errorMessage"]
    assert steps.recorded() == {"a"}


def test_neither_batches_nor_flushes_in_a_step(flavour: Flavour, steps: Steps) -> None:
    def sync(event: Any, ctx: DurableContext) -> list[str]:
        def body(step: Any) -> list[str]:
            found = []
            try:
                with ctx.batch():
                    pass
            except ContextMisuseError as error:
                found.append(str(error))
            try:
                ctx.flush()
            except ContextMisuseError as error:
                found.append(str(error))
            return found

        return ctx.step(body, name="s")

    async def coroutine(event: Any, ctx: AsyncDurableContext) -> list[str]:
        async def body(step: Any) -> list[str]:
            found = []
            try:
                async with ctx.batch():
                    pass
            except ContextMisuseError as error:
                found.append(str(error))
            try:
                await ctx.flush()
            except ContextMisuseError as error:
                found.append(str(error))
            return found

        return await ctx.step(body, name="s")

    world = go(flavour, steps, Pair(sync, coroutine))
    assert len(world.value) == 2
    assert all("was used inside Step 's'" in message for message in world.value)


def test_the_wrong_with(flavour: Flavour, steps: Steps) -> None:
    async def sync_body(ctx: Any) -> None:
        async with ctx.batch():
            pass

    def sync(event: Any, ctx: Any) -> None:
        sync_body(ctx).send(None)

    async def coroutine(event: Any, ctx: Any) -> None:
        with ctx.batch():
            pass

    world = go(flavour, steps, Pair(sync, coroutine))
    assert world.error["errorType"] == "TypeError"
    assert "context manager protocol" in world.error["errorMessage"]
    assert not world.link.calls


def test_a_block_that_is_left_without_being_entered(flavour: Flavour, steps: Steps) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        batch = ctx.batch()
        try:
            yield batch.__aexit__(None, None, None) if flavour.is_async else batch.__exit__(None, None, None)
        except ContextMisuseError as error:
            return str(error)

    assert "a batch was left that was not entered: write `with ctx.batch():`" in flavour.run(handler).value
