"""Executions driven by hand, and callbacks answered while a run goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    CallbackConfig,
    DurableContext,
    Duration,
    WaitForCallbackConfig,
    durable_execution,
)
from durably.testing import (
    Answer,
    CallbackNotReady,
    ExecutionStuck,
    LocalExecution,
    LocalRunner,
    RunTimeout,
    TestingError,
)
from durably.wire.api_errors import ApiError

START = datetime(2026, 1, 1, tzinfo=UTC)
ONE_DAY = WaitForCallbackConfig(timeout=Duration.from_days(1), heartbeat_timeout=Duration.from_hours(2))


@durable_execution
def approval(wait: int, ctx: DurableContext) -> list[Any]:
    ctx.step(lambda _: None, name="prepare")
    if wait:
        ctx.wait(Duration.from_hours(wait), name="first")
    answer = ctx.wait_for_callback(lambda callback_id, _: None, name="approval", config=ONE_DAY)
    ctx.wait(Duration.from_hours(1), name="last")
    return [answer, ctx.now().isoformat()]


@durable_execution
async def approval_async(wait: int, ctx: AsyncDurableContext) -> list[Any]:
    await ctx.step(lambda _: None, name="prepare")
    if wait:
        await ctx.wait(Duration.from_hours(wait), name="first")
    answer = await ctx.wait_for_callback(lambda callback_id, _: None, name="approval", config=ONE_DAY)
    await ctx.wait(Duration.from_hours(1), name="last")
    return [answer, ctx.now().isoformat()]


@pytest.fixture(params=["sync", "async"])
def asks(request: pytest.FixtureRequest) -> Any:
    return approval if request.param == "sync" else approval_async


def at(**span: float) -> str:
    return (START + timedelta(**span)).isoformat()


# ---- by hand ----------------------------------------------------------------------------------------------------


def test_time_stands_still_until_it_is_let_go(asks: Any) -> None:
    runner = LocalRunner(asks)
    execution = runner.start(2)
    assert (execution.status, runner.clock.now()) == ("RUNNING", START)
    assert [(one.name, one.status) for one in execution.operations] == [("prepare", "SUCCEEDED"), ("first", "STARTED")]
    execution.advance(timedelta(hours=1))
    assert execution.operations["first"].is_open
    execution.advance(Duration.from_hours(1))
    assert execution.operations["first"].end == START + timedelta(hours=2)
    assert execution.callback("approval").is_open
    execution.callback("approval").succeed("yes")
    assert execution.operations["last"].is_open
    assert execution.result().value == ["yes", at(hours=3)]
    assert execution.ended


def test_advancing_passes_everything_on_the_way(asks: Any) -> None:
    runner = LocalRunner(asks, callbacks={"approval": Answer("late", after=timedelta(hours=1))})
    execution = runner.start(2)
    execution.advance_to(START + timedelta(days=30))
    assert runner.clock.now() == START + timedelta(days=30)
    assert execution.ended
    assert execution.result().value == ["late", at(hours=4)]


def test_a_callback_is_waited_for(asks: Any) -> None:
    execution = LocalRunner(asks).start(5)
    handle = execution.callback("approval")
    assert not handle.is_open
    handle.succeed({"by": "ann"})
    assert execution.result().value == ['{"by":"ann"}', at(hours=6)]


def test_failing_a_callback(asks: Any) -> None:
    execution = LocalRunner(asks).start(0)
    execution.callback("approval").fail(ValueError("no"))
    result = execution.result()
    assert result.error is not None
    assert (result.error["ErrorType"], result.error["ErrorMessage"]) == ("durably.CallbackExternalError", "no")
    assert result.callback("approval").error == {"ErrorType": "ValueError", "ErrorMessage": "no"}


def test_heartbeats_keep_a_callback_alive(asks: Any) -> None:
    execution = LocalRunner(asks).start(0)
    handle = execution.callback("approval")
    for _ in range(3):
        execution.advance(timedelta(hours=1, minutes=59))
        handle.heartbeat()
    execution.advance(timedelta(hours=2))
    result = execution.result()
    assert result.error is not None
    assert (result.error["ErrorType"], result.error["ErrorMessage"]) == (
        "durably.CallbackTimeoutError",
        "Callback heartbeat timed out",
    )
    assert result.end == START + 3 * timedelta(hours=1, minutes=59) + timedelta(hours=2)


def test_promised_heartbeats(asks: Any) -> None:
    answer = Answer("yes", after=timedelta(hours=20), heartbeat_every=timedelta(hours=1))
    assert LocalRunner(asks, callbacks={"approval": answer}).run(0).value == ["yes", at(hours=21)]


def test_a_callback_that_never_comes() -> None:
    execution = LocalRunner(approval).start(0)
    with pytest.raises(CallbackNotReady, match=r"'refusal' is open: the execution has ended(.|\n)*approval"):
        execution.callback("refusal").wait()


def test_a_callback_can_be_answered_once(asks: Any) -> None:
    execution = LocalRunner(asks).start(0)
    callback = execution.callback("approval").wait()
    callback_id = callback.callback_id
    callback.succeed(1)
    with pytest.raises(ApiError, match="has been completed already"):
        execution._world.send_callback("Success", callback_id, Result="2")


def test_callbacks_of_one_name_have_numbers() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> list[Any]:
        asked = [ctx.create_callback(name="vote", config=CallbackConfig()) for _ in range(3)]
        return [one.result() for one in asked]

    execution = LocalRunner(handler).start()
    execution.callback("vote", 2).succeed("c")
    execution.callback("vote", 0).succeed("a")
    execution.callback().succeed("b")
    assert execution.result().value == ["a", "b", "c"]


def test_it_stays_open_when_it_is_stuck(asks: Any) -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> Any:
        return ctx.create_callback(name="vote").result()

    execution = LocalRunner(handler).start()
    with pytest.raises(ExecutionStuck, match=r"execution\.callback\('vote'\)\.succeed\(\.\.\.\)"):
        execution.result()
    execution.callback("vote").succeed("x")
    assert execution.result().value == "x"


def test_stopped_from_outside(asks: Any) -> None:
    execution = LocalRunner(asks).start(3)
    result = execution.stop(RuntimeError("not needed"))
    assert (result.status, result.error) == (
        "STOPPED",
        {"ErrorType": "RuntimeError", "ErrorMessage": "not needed"},
    )


def test_paused_and_resumed(asks: Any) -> None:
    execution = LocalRunner(asks).start(3)
    execution.pause()
    execution.advance(timedelta(hours=10))
    assert (execution.status, execution.operations.names) == ("PAUSED", ["prepare", "first"])
    execution.resume()
    assert "approval" in execution.operations
    execution.callback("approval").succeed("yes")
    assert execution.result().value == ["yes", at(hours=11)]


def test_an_invocation_may_be_under_way_while_time_stands_still() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> list[Any]:
        def works(child: DurableContext) -> int:
            return child.step(lambda _: runner.clock.sleep(600) or 1, name="work")  # type: ignore[func-returns-value]

        def asks(child: DurableContext) -> Any:
            return child.wait_for_callback(lambda *_: None, name="approval")

        return ctx.parallel([works, asks], name="both").get_results()

    with LocalRunner(handler) as runner:
        execution = runner.start()
        assert execution.operations.step("work").is_open
        execution.callback("approval").succeed("while it works")
        execution.advance(300)
        assert len(execution.snapshot().invocations) == 0
        assert execution.result().value == [1, "while it works"]


def test_what_is_under_way_ends_with_the_runner() -> None:
    ended = threading.Event()

    @durable_execution
    def handler(_: None, ctx: DurableContext) -> None:
        def body(_: Any) -> None:
            try:
                runner.clock.sleep(600)
            finally:
                ended.set()

        ctx.step(body)

    runner = LocalRunner(handler)
    execution = runner.start()
    runner.close()
    assert ended.wait(60)
    with pytest.raises(TestingError, match="closed"):
        execution.result()


def test_by_hand_in_async_tests(asks: Any) -> None:
    async def test() -> None:
        async with LocalRunner(asks) as runner:
            execution = await runner.astart(2)
            handle = execution.callback("approval")
            assert not handle.is_open
            await execution.advance(timedelta(hours=2))
            assert (await handle.wait()).is_open
            assert await handle.callback_id()
            await handle.heartbeat()
            await handle.succeed("yes")
            assert (await execution.result()).value == ["yes", at(hours=3)]
            other = await runner.astart(1)
            await other.callback("approval").fail("no")
            assert (await other.result()).status == "FAILED"
            third = await runner.astart(1)
            await third.pause()
            await third.resume()
            await third.settle()
            await third.advance_to(runner.clock.now() + timedelta(hours=1))
            assert third.operations.names == ["prepare", "first", "approval"]
            assert (await third.stop()).status == third.status == "STOPPED"
            assert third.ended
            assert third.snapshot().execution_arn == third.arn

    asyncio.run(test())


# ---- during a run -----------------------------------------------------------------------------------------------


def test_handles_in_another_thread(asks: Any) -> None:
    runner = LocalRunner(asks)
    handle = runner.callback("approval")
    given: list[str] = []

    def somebody() -> None:
        handle.wait()
        given.append(handle.callback_id)
        handle.heartbeat()
        handle.succeed("yes")

    thread = threading.Thread(target=somebody)
    thread.start()
    result = runner.run(1)
    thread.join()
    assert result.value == ["yes", at(hours=2)]
    assert given == [result.callback("approval").callback_id]


def test_handles_in_another_task(asks: Any) -> None:
    async def test() -> None:
        runner = LocalRunner(asks)
        first, second = runner.acallback("approval"), runner.acallback("approval")
        run = asyncio.create_task(runner.arun(1))
        await (await first.wait()).fail("no")
        assert (await run).status == "FAILED"
        run = asyncio.create_task(runner.arun(1))
        assert await second.callback_id()
        await second.heartbeat()
        await second.succeed("yes")
        assert (await run).value[0] == "yes"

    asyncio.run(test())


def test_a_released_handle_is_not_waited_for(asks: Any) -> None:
    async def test() -> None:
        runner = LocalRunner(asks)
        handle = runner.acallback("approval")
        run = asyncio.create_task(runner.arun(0))
        await handle.wait()
        handle.release()
        assert (await run).end == START + timedelta(hours=2)

    asyncio.run(test())


def test_a_handle_for_what_does_not_come() -> None:
    async def test() -> None:
        runner = LocalRunner(approval, callbacks={"approval": "yes"})
        handle = runner.acallback("other")
        run = asyncio.create_task(runner.arun(0))
        with pytest.raises(CallbackNotReady, match="no callback 'other' is open: the run has ended"):
            await handle.wait()
        assert (await run).value[0] == "yes"

    asyncio.run(test())


def test_the_submitter_may_be_answered_at_once(asks: Any) -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> Any:
        def submit(callback_id: str, _: Any) -> None:
            runner.world.send_callback("Success", callback_id, Result="at once")

        return ctx.wait_for_callback(submit, name="approval")

    runner = LocalRunner(handler)
    result = runner.run()
    assert (result.value, len(result.invocations)) == ("at once", 1)


# ---- misuse -------------------------------------------------------------------------------------------------------


def test_a_run_within_a_run_of_the_same_runner() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> str:
        def body(_: Any) -> str:
            with pytest.raises(TestingError, match="use another LocalRunner"):
                runner.run()
            return "refused"

        return ctx.step(body)

    runner = LocalRunner(handler)
    assert runner.run().value == "refused"


def test_a_run_within_a_run_of_another_runner() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> int:
        return ctx.step(lambda _: len(LocalRunner(approval, callbacks={"approval": 1}).run(1).invocations))

    assert LocalRunner(handler).run().value == 4


def test_an_async_run_within_a_run() -> None:
    @durable_execution
    async def handler(_: None, ctx: AsyncDurableContext) -> Any:
        async def body(_: Any) -> Any:
            async with asyncio.timeout(1):  # of the outer run's time
                return (await LocalRunner(approval, callbacks={"approval": 1}).arun(1)).value[0]

        return await ctx.step(body)

    assert LocalRunner(handler).run().value == "1"


def test_runs_of_one_runner_side_by_side(asks: Any) -> None:
    async def test() -> list[Any]:
        runner = LocalRunner(asks, callbacks={"approval": "yes"})
        return await asyncio.gather(*(runner.arun(hours) for hours in (1, 2, 3)))

    results = asyncio.run(test())
    assert [one.value[0] for one in results] == ["yes"] * 3
    assert len({one.execution_arn for one in results}) == 3


def test_a_run_that_blocks_is_given_up() -> None:
    let_go = threading.Event()

    @durable_execution
    def blocks(_: None, ctx: DurableContext) -> None:
        ctx.step(lambda _: let_go.wait(60), name="blocks for ever")

    runner = LocalRunner(blocks)
    with pytest.raises(RunTimeout, match=r"within 1\.5 s of real time(.|\n)*let_go\.wait(.|\n)*blocks for ever"):
        runner.run(timeout=1.5)  # time enough to get there
    with pytest.raises(TestingError, match="did not end in time"):
        runner.run()
    let_go.set()


def test_a_run_in_time(asks: Any) -> None:
    assert LocalRunner(asks, callbacks={"approval": 1}).run(0, timeout=timedelta(seconds=30)).succeeded


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda execution: execution.advance("an hour"), "pass a Duration, a timedelta or seconds"),
        (lambda execution: execution.advance(-1), "cannot be negative"),
    ],
)
def test_bad_spans(use: Callable[[LocalExecution[Any]], None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        use(LocalRunner(approval).start(0))


def test_a_test_that_takes_its_handles_one_after_the_other_is_waited_for() -> None:
    """Between two of them nothing is left to do, and yet the run is not stuck."""

    @durable_execution
    async def survey(people: list[str], ctx: AsyncDurableContext) -> list[Any]:
        return [await ctx.wait_for_callback(lambda callback_id, context: None, name=person) for person in people]

    async def ask() -> list[Any]:
        runner = LocalRunner(survey)
        run = asyncio.create_task(runner.arun(["ann", "bob"]))
        await runner.acallback("ann").succeed("yes")
        await asyncio.to_thread(threading.Event().wait, 0.05)  # the test thinks about it
        await runner.acallback("bob").succeed("no")
        return (await run).value

    assert asyncio.run(ask()) == ["yes", "no"]


def test_a_handle_that_is_taken_when_the_run_is_over_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("durably.testing.handles._LATER_RUN", 0.05)

    @durable_execution
    def nothing(event: Any, ctx: DurableContext) -> int:
        return 1

    runner = LocalRunner(nothing)
    assert runner.run().value == 1
    with pytest.raises(CallbackNotReady):
        runner.callback("nobody").succeed()


def test_one_handle_after_another() -> None:
    """Between two answers of a test time does not pass for the callback that is next."""

    @durable_execution
    async def survey(people: list[str], ctx: AsyncDurableContext) -> list[Any]:
        async def ask(callback_id: str, _: Any) -> None: ...

        return [await ctx.wait_for_callback(ask, name=person, config=ONE_DAY) for person in people]

    async def test() -> Any:
        runner = LocalRunner(survey)
        run = asyncio.create_task(runner.arun(["ann", "bob", "eve"]))
        for person in ("ann", "bob", "eve"):
            await runner.acallback(person).succeed(person)
        return (await run).value

    assert asyncio.run(test()) == ["ann", "bob", "eve"]
