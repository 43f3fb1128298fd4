"""Async invocations before the function's timeout: what is held back, what may finish, what is cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durably import (
    CheckpointMode,
    Duration,
    InvocationError,
    RetryDecision,
    StepConfig,
    StepInterruptedError,
    StepSemantics,
)

from .harness import Flavour
from .modes import ModeWorld
from .timed import LambdaContext, Timed, VirtualLoop, use_clock

HOUR = Duration.from_hours(1)
MODES = list(CheckpointMode)
ONCE = StepConfig(step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)


@pytest.fixture
def loop_timed(monkeypatch: pytest.MonkeyPatch) -> Timed:
    return Timed(Flavour("async"), use_clock(monkeypatch))


def test_a_running_step_is_cancelled_and_not_recorded_as_failed(loop_timed: Timed) -> None:
    timed = loop_timed

    async def handler(event: Any, ctx: Any) -> Any:
        async def long(step: Any) -> str:
            begun.append(step.attempt)
            try:
                await asyncio.sleep(30 if timed.world.invocations == 1 else 1)
            except asyncio.CancelledError:
                timed.world.effect("cancelled")
                raise
            return "done"

        return await ctx.step(long, name="long")

    begun: list[int] = []
    world = timed.run(handler)
    assert world.value == "done"
    assert world.effects == ["cancelled"]
    assert begun == [1, 1]
    assert [update["Action"] for update in world.updates] == ["START", "SUCCEED"]
    assert timed.left[0] == pytest.approx(0.5)


def test_an_at_most_once_step_that_was_cancelled_was_interrupted(loop_timed: Timed) -> None:
    timed = loop_timed

    def strategy(error: Exception, attempts: int) -> RetryDecision:
        asked.append(error)
        return RetryDecision(True, Duration.from_seconds(1))

    async def handler(event: Any, ctx: Any) -> Any:
        async def long(step: Any) -> str:
            await asyncio.sleep(30 if timed.world.invocations == 1 else 1)
            return f"attempt {step.attempt}"

        return await ctx.step(long, config=StepConfig(strategy, StepSemantics.AT_MOST_ONCE_PER_RETRY))

    asked: list[Exception] = []
    world = timed.run(handler)
    assert world.value == "attempt 2"
    assert [type(error) for error in asked] == [StepInterruptedError]


@pytest.mark.parametrize("mode", MODES)
def test_busy_tasks_cannot_hold_up_the_end(loop_timed: Timed, mode: CheckpointMode) -> None:
    """Calls take long, and every answer lets a task begin something new."""
    timed = loop_timed

    async def handler(event: Any, ctx: Any) -> Any:
        async def busy(n: int) -> int:
            for k in range(40):
                await timed.step(ctx, f"{n}.{k}", 0.1)
            return n

        return await asyncio.gather(*[busy(n) for n in range(5)])

    def context() -> LambdaContext:
        timed._ended()
        timed.contexts.append(LambdaContext(timed.clock, 10))
        return timed.contexts[-1]

    timed.world = world = ModeWorld(
        handler, checkpointing=mode, lambda_context=context, loop_factory=lambda: VirtualLoop(timed.clock)
    )
    acheckpoint = world.link.acheckpoint

    async def slow(*args: Any) -> Any:
        await asyncio.sleep(0.3)
        return await acheckpoint(*args)

    world.link.acheckpoint = slow  # type: ignore[method-assign]
    world.run()
    timed._ended()
    assert world.value == [0, 1, 2, 3, 4]
    assert 1 < world.invocations < 10
    assert min(timed.left) > 0.5
    repeated = len(world.effects) - len(set(world.effects))
    assert repeated == 0, "what was done before the end is recorded"


def test_a_wait_beside_held_back_work_does_not_end_the_invocation_as_pending(loop_timed: Timed) -> None:
    timed = loop_timed

    async def handler(event: Any, ctx: Any) -> Any:
        async def works() -> None:
            for n in range(12):
                await timed.step(ctx, f"s{n}", 0.9)

        await asyncio.gather(ctx.wait(HOUR, name="wait"), works())

    world = timed.run(handler)
    assert world.status == "SUCCEEDED"
    assert isinstance(world.outputs[0], InvocationError)
    assert world.outputs[1] == {"Status": "PENDING"}
    assert world.invocations == 3


def test_a_task_that_swallows_its_cancellation_records_nothing_more(loop_timed: Timed) -> None:
    timed = loop_timed

    async def handler(event: Any, ctx: Any) -> Any:
        n = 0
        while n < 12:
            try:
                await timed.step(ctx, f"s{n}", 0.9)
            except asyncio.CancelledError:
                if timed.world.invocations > 1:
                    raise
            n += 1
        return n

    world = timed.run(handler)
    assert world.value == 12
    assert world.effects == [f"s{n}" for n in range(12)]


@pytest.mark.parametrize("mode", MODES)
def test_a_step_that_runs_is_let_finish_and_is_recorded(loop_timed: Timed, mode: CheckpointMode) -> None:
    timed = loop_timed

    async def handler(event: Any, ctx: Any) -> None:
        await timed.step(ctx, "short", 7.5)
        await timed.step(ctx, "in the margin", 1.5, config=ONCE)
        await timed.step(ctx, "late", 0.1)

    world = timed.run(handler, mode=mode)
    assert world.effects == ["short", "in the margin", "late"]
    assert world.invocations == 2
    assert timed.left[0] == pytest.approx(1)
    first = [name for call in world.link.calls if call.invocation == 1 for _, _, name in call.actions]
    assert "late" not in first


def test_a_handler_that_returns_after_its_last_step_has_returned(loop_timed: Timed) -> None:
    timed = loop_timed

    async def handler(event: Any, ctx: Any) -> str:
        async def part() -> str:
            return await timed.step(ctx, "long", 9.2)

        (found,) = await asyncio.gather(part())
        return found

    world = timed.run(handler)
    assert world.value == "long"
    assert world.invocations == 1


def test_no_attempt_begins_in_the_margin(loop_timed: Timed) -> None:
    """The second attempt falls due while a step beside it is being let finish."""
    timed = loop_timed

    async def handler(event: Any, ctx: Any) -> None:
        async def flaky(step: Any) -> None:
            attempts.append((timed.world.invocations, step.attempt))
            if step.attempt == 1:
                await asyncio.sleep(7.5)
                raise OSError("away")

        async def polling(step: Any) -> str:
            await asyncio.sleep(1.2)
            timed.retries_fall_due()  # the answer to its own record brings the other's
            return "polled"

        async def beside() -> None:
            await timed.step(ctx, "long", 7.9)
            await ctx.step(polling, name="polling")

        retried = StepConfig(lambda error, n: RetryDecision(True, Duration.from_seconds(1)))
        await asyncio.gather(ctx.step(flaky, name="flaky", config=retried), beside())

    attempts: list[tuple[int, int]] = []
    world = timed.run(handler)
    assert world.status == "SUCCEEDED"
    assert attempts == [(1, 1), (2, 2)]


def test_what_was_collected_is_recorded_although_a_step_runs_on(loop_timed: Timed) -> None:
    timed = loop_timed

    async def handler(event: Any, ctx: Any) -> None:
        for n in range(3):
            await timed.step(ctx, f"s{n}", 0.1)
        await timed.step(ctx, "too long", 30 if timed.world.invocations == 1 else 1)

    world = timed.run(handler, mode=CheckpointMode.BATCHED)
    assert world.effects == ["s0", "s1", "s2", "too long"]
    assert world.flushed == [["s0", "s1", "s2"], ["too long"]]


def test_a_call_under_way_when_time_is_up_is_waited_for(loop_timed: Timed) -> None:
    """Nothing of an invocation is alive when the next begins, its last call included."""
    timed = loop_timed

    async def handler(event: Any, ctx: Any) -> Any:
        async def quick(step: Any) -> str:
            timed.world.effect("quick")
            return "quick"

        await timed.step(ctx, "long", 9.3)
        return await ctx.step(quick, name="quick")

    def context() -> LambdaContext:
        timed._ended()
        timed.contexts.append(LambdaContext(timed.clock, 10))
        return timed.contexts[-1]

    timed.world = world = ModeWorld(handler, lambda_context=context, loop_factory=lambda: VirtualLoop(timed.clock))
    acheckpoint = world.link.acheckpoint

    async def slow(*args: Any) -> Any:
        await asyncio.sleep(0.4)
        return await acheckpoint(*args)

    world.link.acheckpoint = slow  # type: ignore[method-assign]
    world.run()
    assert world.value == "quick"
    assert world.effects == ["long", "quick"]
    assert timed.left[0] == pytest.approx(0.3)
