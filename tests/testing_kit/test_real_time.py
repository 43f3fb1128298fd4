"""By the wall clock: everything takes the time that it takes, and comes out as in virtual time."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from durably import AsyncDurableContext, DurableContext, Duration, FixedDelay, StepConfig, durable_execution
from durably.testing import Answer, ExecutionStuck, LocalRunner

RETRY = StepConfig(retry_strategy=FixedDelay(Duration(1)), timeout=timedelta(seconds=1))


@durable_execution
def handler(_: None, ctx: DurableContext) -> list[Any]:
    def body(step: Any) -> int:
        time.sleep(5 if step.attempt == 1 else 0)  # the first attempt takes too long
        return int(step.attempt)

    def works(child: DurableContext) -> int:
        return child.step(body, name="work", config=RETRY)

    def asks(child: DurableContext) -> Any:
        return child.wait_for_callback(lambda *_: None, name="approval")

    return [*ctx.parallel([works, asks]).get_results(), ctx.invoke("ship", 1, name="ship")]


@durable_execution
async def handler_async(_: None, ctx: AsyncDurableContext) -> list[Any]:
    async def body(step: Any) -> int:
        await asyncio.sleep(5 if step.attempt == 1 else 0)
        return int(step.attempt)

    work, answer = await asyncio.gather(
        ctx.step(body, name="work", config=RETRY), ctx.wait_for_callback(lambda *_: None, name="approval")
    )
    return [work, answer, await ctx.invoke("ship", 1, name="ship")]


@pytest.fixture(params=["sync", "async"])
def program(request: pytest.FixtureRequest) -> Any:
    return handler if request.param == "sync" else handler_async


def test_a_run(program: Any) -> None:
    runner = LocalRunner(
        program,
        real_time=True,
        callbacks={"approval": Answer("yes", after=0.1)},
        functions={"ship": lambda event: event + 1},
    )
    with runner:
        result = runner.run(timeout=60)
    assert result.value == [2, "yes", 2]
    assert timedelta(seconds=1) < result.duration
    assert [attempt.error and attempt.error["ErrorType"] for attempt in result.step("work").attempts] == [
        "durably.StepTimeoutError",
        None,
    ]


def test_by_hand() -> None:
    @durable_execution
    def waits(_: None, ctx: DurableContext) -> Any:
        return ctx.wait_for_callback(lambda *_: None, name="approval")

    with LocalRunner(waits, real_time=True) as runner:
        execution = runner.start()
        execution.advance(0.02)
        execution.callback("approval").succeed("yes")
        assert execution.result().value == "yes"
        assert abs(runner.clock.time() - time.time()) < 60


def test_stuck() -> None:
    @durable_execution
    def waits(_: None, ctx: DurableContext) -> Any:
        return ctx.wait_for_callback(lambda *_: None, name="approval")

    with LocalRunner(waits, real_time=True) as runner, pytest.raises(ExecutionStuck, match="approval"):
        runner.run()


def test_plain_steps_of_a_coroutine_run_in_every_invocation() -> None:
    """In threads, which end with the invocation."""

    @durable_execution
    async def in_threads(_: None, ctx: AsyncDurableContext) -> list[int]:
        def blocks(step: Any) -> int:
            return threading.get_ident()

        before = await ctx.step(blocks, name="before")
        await ctx.wait_for_callback(lambda *_: None, name="approval")
        return [before, await ctx.step(blocks, name="after")]

    with LocalRunner(in_threads, real_time=True, callbacks={"approval": Answer("yes", after=0.01)}) as runner:
        result = runner.run(timeout=60)
    assert len(result.invocations) == 2
    assert threading.get_ident() not in result.value


@pytest.mark.parametrize("in_branch", [False, True])
def test_plain_code_that_blocks_is_killed_at_the_timeout_of_the_function(in_branch: bool) -> None:
    released = threading.Event()
    ran: list[int] = []

    def blocks(step: Any) -> int:
        ran.append(1)
        if len(ran) == 1:
            released.wait(60)
        return len(ran)

    @durable_execution(timeout=timedelta(seconds=1))
    def slow(_: None, ctx: DurableContext) -> Any:
        if in_branch:
            return ctx.map([1], lambda inner, _: inner.step(blocks)).get_results()[0]
        return ctx.step(blocks)

    with LocalRunner(slow, real_time=True) as runner:
        result = runner.run(timeout=60)
        released.set()
    assert result.value == 2
    assert [one.error and one.error["ErrorType"] for one in result.invocations] == ["Sandbox.Timedout", None]
