"""What was given up leaves records that nobody asks for again. They hold up nothing that was recorded later (R9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeAlias

import pytest

from durably import AsyncDurableContext, StepContext, durable_execution
from durably.testing import LocalRunner, explore_crashes

Before: TypeAlias = "Callable[[AsyncDurableContext], Coroutine[Any, Any, Any]]"


async def loser(ctx: AsyncDurableContext) -> str:
    await ctx.step(lambda step: 1, name="first of the loser")
    await ctx.run_in_child_context(noted, name="second of the loser")
    await ctx.wait(timedelta(hours=1), name="the loser waits")
    return "lost"


async def noted(ctx: AsyncDurableContext) -> int:
    return await ctx.step(lambda step: 2, name="noted")


async def winner(ctx: AsyncDurableContext) -> str:
    await ctx.wait(timedelta(seconds=1), name="the winner waits")
    return "won"


async def of_functions(ctx: AsyncDurableContext) -> Any:
    return await ctx.race([winner, loser])


async def of_coroutines(ctx: AsyncDurableContext) -> Any:
    return await ctx.any([winner(ctx), loser(ctx)])


async def of_tasks_in_tasks(ctx: AsyncDurableContext) -> Any:
    async def several() -> Any:
        return await asyncio.gather(noted(ctx), asyncio.gather(noted(ctx), loser(ctx)))

    return await ctx.race([several(), winner(ctx)])


async def of_futures(ctx: AsyncDurableContext) -> Any:
    futures = [ctx.start(ctx.run_in_child_context, one) for one in (loser, winner)]
    return await ctx.race(futures)


async def one_cancelled(ctx: AsyncDurableContext) -> Any:
    future = ctx.start(ctx.run_in_child_context, loser)
    won = await winner(ctx)
    future.cancel()
    return won


async def a_race_in_a_loser(ctx: AsyncDurableContext) -> Any:
    async def inner(child: AsyncDurableContext) -> Any:
        await of_functions(child)
        return await loser(child)

    return await ctx.race([inner, lambda child: child.wait(timedelta(seconds=3))])


@pytest.mark.parametrize(
    "before",
    [of_functions, of_coroutines, of_tasks_in_tasks, of_futures, one_cancelled, a_race_in_a_loser],
)
def test_a_cancellation_after_it_repeats_itself(before: Before) -> None:
    @durable_execution
    async def handler(event: None, ctx: AsyncDurableContext) -> Any:
        async def long(step: StepContext) -> str:
            await asyncio.sleep(10)
            return "long"

        result = await before(ctx)
        tasks = [asyncio.create_task(ctx.step(long, name="long")), asyncio.create_task(winner(ctx))]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        last = await ctx.step(lambda step: "last", name="last")
        return [result, [tasks.index(task) for task in done], last]

    report = explore_crashes(LocalRunner(handler))
    outcomes = {(run.result.status, run.result.payload) for run in report.runs}
    assert {status for status, _ in outcomes} == {"SUCCEEDED"}, report
    # A crash while the long step runs delays the other task: then it may be the step that comes first.
    ends = [run for run in report.runs if run.point is not None and run.point.moment == "return"]
    assert ends[-1].result.payload == report.baseline.payload


def test_a_step_under_way_does_not_hold_up_what_was_recorded_before() -> None:
    """The loser's records come first. Nobody asks for them, so what follows need not wait until no step runs."""
    shown: list[list[str]] = []

    @durable_execution
    async def handler(event: None, ctx: AsyncDurableContext) -> Any:
        seen: list[str] = []
        shown.append(seen)
        await of_functions(ctx)

        async def slow(step: StepContext) -> None:
            await asyncio.sleep(100)
            seen.append("slow body")

        async def quick() -> None:
            for n in range(3):
                await ctx.step(lambda step: None, name=f"quick {n}")
                seen.append(f"quick {n}")

        await asyncio.gather(ctx.step(slow, name="slow"), quick())
        return seen

    report = explore_crashes(LocalRunner(handler))
    assert {run.result.status for run in report.runs} == {"SUCCEEDED"}, report
    assert all(seen[:3] == ["quick 0", "quick 1", "quick 2"] for seen in shown if "slow body" in seen)
