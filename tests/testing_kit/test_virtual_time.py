"""Time passes for everything at once, and only when nothing can run."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.to_thread
import pytest

from durably import (
    AsyncDurableContext,
    DurableContext,
    Duration,
    MapConfig,
    RetryPresets,
    StepConfig,
    WaitForConditionConfig,
    WaitForConditionDecision,
    durable_execution,
)
from durably.testing import LocalRunner

START = datetime(2026, 1, 1, tzinfo=UTC)
ONCE = RetryPresets.none()


def after(**span: float) -> datetime:
    return START + timedelta(**span)


# ---- steps ----------------------------------------------------------------------------------------------------


def test_a_step_reads_the_clock_and_takes_its_time() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> list[str]:
        def body(_: Any) -> str:
            began = runner.clock.now()
            runner.clock.sleep(timedelta(minutes=3))
            assert runner.clock.time() == (began + timedelta(minutes=3)).timestamp()
            return began.isoformat()

        ctx.wait(Duration.from_hours(1))
        return [ctx.step(body, name="work"), ctx.now().isoformat()]

    runner = LocalRunner(handler)
    result = runner.run()
    assert result.value == [after(hours=1).isoformat(), after(hours=1, minutes=3).isoformat()]
    assert result.step("work").duration == timedelta(minutes=3)


def test_asyncio_goes_by_virtual_time() -> None:
    @durable_execution
    async def handler(_: None, ctx: AsyncDurableContext) -> list[Any]:
        async def sleeps(_: Any) -> float:
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(600)
            return asyncio.get_running_loop().time() - began

        async def times_out(_: Any) -> str:
            try:
                async with asyncio.timeout(60):
                    await asyncio.get_running_loop().create_future()
            except TimeoutError:
                return "timed out"
            return "not"

        return [await ctx.step(sleeps, name="sleeps"), await ctx.step(times_out, name="limit")]

    result = LocalRunner(handler).run()
    slept, limited = result.value
    assert (round(slept, 3), limited) == (600, "timed out")
    assert (result.step("sleeps").duration, result.step("limit").duration) == (
        timedelta(minutes=10),
        timedelta(minutes=1),
    )


def test_concurrent_steps_share_the_time_sync() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> int:
        def work(child: DurableContext, minutes: int, *_: Any) -> int:
            def body(_: Any) -> int:
                runner.clock.sleep(timedelta(minutes=minutes))
                return minutes

            return child.step(body, name=f"{minutes} min")

        return sum(ctx.map([3, 5, 4], work, name="all").get_results())

    runner = LocalRunner(handler)
    result = runner.run()
    assert (result.value, result.duration) == (12, timedelta(minutes=5))
    assert [one.children[0].name for one in result.context("all").children] == ["3 min", "5 min", "4 min"]
    assert result.step("4 min").duration == timedelta(minutes=4)


def test_concurrent_steps_share_the_time_async() -> None:
    @durable_execution
    async def handler(_: None, ctx: AsyncDurableContext) -> list[int]:
        async def coroutine(_: Any) -> int:
            await asyncio.sleep(240)
            return 4

        def thread(_: Any) -> int:
            runner.clock.sleep(timedelta(minutes=5))
            return 5

        return await asyncio.gather(
            ctx.step(coroutine, name="a"), ctx.step(thread, name="b"), ctx.step(thread, name="c")
        )

    runner = LocalRunner(handler)
    result = runner.run()
    assert (result.value, result.duration) == ([4, 5, 5], timedelta(minutes=5))


def test_a_wait_that_falls_due_while_a_step_runs_is_seen_then() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> list[str]:
        def waits(child: DurableContext) -> str:
            child.wait(Duration.from_minutes(2))
            return child.step(lambda _: runner.clock.now().isoformat(), name="after the wait")

        def works(child: DurableContext) -> str:
            child.step(lambda _: runner.clock.sleep(timedelta(minutes=10)), name="long")
            return runner.clock.now().isoformat()

        return ctx.parallel([waits, works]).get_results()

    runner = LocalRunner(handler)
    result = runner.run()
    assert result.value == [after(minutes=2).isoformat(), after(minutes=10).isoformat()]
    assert len(result.invocations) == 1


@pytest.mark.parametrize("seconds", [30, None], ids=["limited", "unlimited"])
def test_step_timeouts_sync(seconds: int | None) -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> int:
        def body(_: Any) -> int:
            runner.clock.sleep(timedelta(seconds=100))
            return 1

        timeout = None if seconds is None else timedelta(seconds=seconds)
        return ctx.step(body, name="slow", config=StepConfig(retry_strategy=ONCE, timeout=timeout))

    runner = LocalRunner(handler)
    result = runner.run()
    step = result.step("slow")
    assert step.status == ("SUCCEEDED" if seconds is None else "FAILED")
    assert step.duration == timedelta(seconds=seconds or 100)
    assert step.error is None or step.error["ErrorType"] == "durably.StepTimeoutError"


@pytest.mark.parametrize("blocking", [False, True], ids=["coroutine", "thread"])
def test_step_timeouts_async(blocking: bool) -> None:
    @durable_execution
    async def handler(_: None, ctx: AsyncDurableContext) -> int:
        async def coroutine(_: Any) -> int:
            await asyncio.sleep(100)
            return 1

        def thread(_: Any) -> int:
            runner.clock.sleep(100)
            return 1

        config = StepConfig(retry_strategy=ONCE, timeout=timedelta(seconds=30))
        return await ctx.step(thread if blocking else coroutine, name="slow", config=config)

    runner = LocalRunner(handler)
    result = runner.run()
    assert (result.status, result.duration) == ("FAILED", timedelta(seconds=30))
    assert result.step("slow").error["ErrorType"] == "durably.StepTimeoutError"  # type: ignore[index]


def test_nothing_of_an_attempt_that_timed_out_goes_on_after_its_invocation() -> None:
    went_on: list[str] = []

    @durable_execution
    def handler(_: None, ctx: DurableContext) -> None:
        def body(_: Any) -> None:
            runner.clock.sleep(100)
            went_on.append("after its timeout")

        config = StepConfig(retry_strategy=lambda *_: ONCE(*_), timeout=timedelta(seconds=30))
        try:
            ctx.step(body, config=config)
        except Exception:
            ctx.wait(Duration.from_hours(1))

    runner = LocalRunner(handler)
    assert runner.run().status == "SUCCEEDED"
    assert went_on == []


# ---- invocations ----------------------------------------------------------------------------------------------------


def test_a_function_that_takes_too_long_is_killed_as_on_lambda() -> None:
    attempts: list[datetime] = []

    @durable_execution(timeout=timedelta(minutes=1))
    def handler(_: None, ctx: DurableContext) -> str:
        def body(_: Any) -> str:
            attempts.append(runner.clock.now())
            if len(attempts) < 3:
                runner.clock.sleep(timedelta(minutes=5))
            return "at last"

        return ctx.step(body)

    runner: LocalRunner[None, str] = LocalRunner(handler)
    result = runner.run()
    assert result.value == "at last"
    assert [one.error and one.error["ErrorType"] for one in result.invocations] == [
        "Sandbox.Timedout",
        "Sandbox.Timedout",
        None,
    ]
    assert result.invocations[0].end - result.invocations[0].start == timedelta(minutes=1)


def test_an_async_function_stops_by_itself_before_its_timeout() -> None:
    attempts: list[datetime] = []

    @durable_execution(timeout=timedelta(minutes=1))
    async def handler(_: None, ctx: AsyncDurableContext) -> str:
        async def body(_: Any) -> str:
            attempts.append(runner.clock.now())
            await asyncio.sleep(0 if len(attempts) == 3 else 300)
            return "at last"

        return await ctx.step(body)

    runner: LocalRunner[None, str] = LocalRunner(handler)
    assert runner.run().value == "at last"
    assert [attempts[1] - attempts[0] < timedelta(minutes=1, seconds=1), len(attempts)] == [True, 3]


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_what_takes_longer_than_an_invocation_goes_on_in_the_next(flavour: str) -> None:
    @durable_execution
    def steps(_: None, ctx: DurableContext) -> int:
        return sum(ctx.step(lambda _: runner.clock.sleep(60) or 1, name=f"{n}") for n in range(40))  # type: ignore[func-returns-value]

    @durable_execution
    async def asteps(_: None, ctx: AsyncDurableContext) -> int:
        async def body(_: Any) -> int:
            await asyncio.sleep(60)
            return 1

        return sum([await ctx.step(body, name=f"{n}") for n in range(40)])

    runner: LocalRunner[None, int] = LocalRunner(steps if flavour == "sync" else asteps)
    result = runner.run()
    assert result.value == 40
    assert len(result.invocations) == 3
    assert timedelta(minutes=40) <= result.duration < timedelta(minutes=43)  # what is cut off is done again


def test_an_invocation_that_raises_is_tried_again_with_backoff() -> None:
    began: list[datetime] = []

    @durable_execution
    def handler(_: None, ctx: DurableContext) -> str:
        began.append(runner.clock.now())
        if len(began) < 4:
            raise SystemExit(1)
        return "done"

    runner = LocalRunner(handler)
    assert runner.run().value == "done"
    assert [(one - START).total_seconds() for one in began] == [0, 0.25, 0.75, 1.75]


def test_conditions_are_polled_in_virtual_time() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> list[Any]:
        def check(state: int, _: Any) -> int:
            return state + 1

        def decide(state: int, attempt: int) -> WaitForConditionDecision:
            return WaitForConditionDecision(state < 5, Duration.from_hours(attempt))

        config = WaitForConditionConfig(wait_strategy=decide, initial_state=0)
        return [ctx.wait_for_condition(check, config, name="poll"), ctx.now().isoformat()]

    result = LocalRunner(handler).run()
    assert result.value == [5, after(hours=1 + 2 + 3 + 4).isoformat()]
    assert result.step("poll").attempt == 5


# ---- threads, pools, sockets -----------------------------------------------------------------------------------------


def _slow(event: threading.Event) -> str:
    event.wait(0.05)  # a thread that works, for real
    return "worked"


@pytest.mark.parametrize("how", ["executor", "pool", "thread"])
def test_time_stands_still_while_a_thread_works(how: str) -> None:
    @durable_execution
    async def handler(_: None, ctx: AsyncDurableContext) -> str:
        async def body(_: Any) -> str:
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(1):  # of virtual time
                if how == "thread":
                    return await asyncio.to_thread(_slow, threading.Event())
                with concurrent.futures.ThreadPoolExecutor(1) as pool:
                    if how == "executor":
                        return await loop.run_in_executor(pool, _slow, threading.Event())
                    return await asyncio.wrap_future(pool.submit(lambda: _busy() or "worked"))

        return await ctx.step(body, config=StepConfig(retry_strategy=ONCE))

    assert LocalRunner(handler).run().value == "worked"


def test_time_stands_still_while_a_worker_of_anyio_works() -> None:
    @durable_execution
    async def handler(_: None, ctx: AsyncDurableContext) -> list[str]:
        async def body(_: Any) -> str:
            with anyio.fail_after(1):  # of virtual time
                return await anyio.to_thread.run_sync(lambda: _busy() or "worked")

        async def sleeps(_: Any) -> str:
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 100)
                group.start_soon(anyio.sleep, 300)
            return "slept"

        once = StepConfig(retry_strategy=ONCE)
        return [await ctx.step(each, name=each.__name__, config=once) for each in (body, sleeps)]

    result = LocalRunner(handler).run()
    assert result.value == ["worked", "slept"]
    assert (result.step("body").duration, result.step("sleeps").duration) == (timedelta(0), timedelta(minutes=5))


def _busy() -> None:
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        pass


def test_time_stands_still_while_a_socket_may_answer() -> None:
    @durable_execution
    async def handler(_: None, ctx: AsyncDurableContext) -> str:
        async def body(_: Any) -> str:
            async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write((await reader.readline()).upper())
                await writer.drain()
                writer.close()
                await writer.wait_closed()

            async with asyncio.timeout(1):  # of virtual time
                server = await asyncio.start_server(echo, "127.0.0.1", 0)
                async with server:
                    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                    writer.write(b"hello\n")
                    answer = await reader.readline()
                    writer.close()
                    await writer.wait_closed()
                    return answer.decode()

        return await ctx.step(body, config=StepConfig(retry_strategy=ONCE))

    assert LocalRunner(handler).run().value == "HELLO\n"


def test_a_silent_socket_does_not_stop_the_time() -> None:
    @durable_execution
    async def handler(_: None, ctx: AsyncDurableContext) -> str:
        async def body(_: Any) -> str:
            async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await reader.read()
                writer.close()
                await writer.wait_closed()

            server = await asyncio.start_server(never, "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                try:
                    async with asyncio.timeout(60):
                        await reader.readline()
                except TimeoutError:
                    return "no answer"
                finally:
                    writer.close()
                    await writer.wait_closed()
                    await asyncio.sleep(0)
            return "an answer"

        return await ctx.step(body, name="ask", config=StepConfig(retry_strategy=ONCE))

    result = LocalRunner(handler).run()
    assert result.value == "no answer"
    assert result.step("ask").duration >= timedelta(seconds=60)  # type: ignore[operator]


def test_branches_that_wait_for_each_other_for_real_run_side_by_side() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> list[int]:
        barrier = threading.Barrier(3)

        def branch(child: DurableContext, number: int, *_: Any) -> int:
            def body(_: Any) -> int:
                barrier.wait(60)
                return number

            return child.step(body)

        return ctx.map([1, 2, 3], branch, config=MapConfig(max_concurrency=3)).get_results()

    assert LocalRunner(handler).run().value == [1, 2, 3]


def test_concurrent_branches_take_the_same_course_every_time() -> None:
    order: list[str] = []

    @durable_execution
    def handler(_: None, ctx: DurableContext) -> None:
        def branch(child: DurableContext, number: int, *_: Any) -> None:
            for step in range(3):
                name = f"{number}.{step}"
                child.step(lambda _, name=name: order.append(name), name=name)  # type: ignore[misc]
                child.wait(Duration.from_seconds(number))

        ctx.map([3, 1, 2, 1], branch)

    courses = []
    for _ in range(5):
        order.clear()
        runner = LocalRunner(handler)
        record = runner.run().execution_arn
        courses.append(([*order], [call.actions for call in runner.world.executions[record].calls]))
    assert courses == [courses[0]] * 5
