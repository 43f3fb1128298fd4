"""Replaying recorded executions against code: what follows them, and what does not, with the line that says why."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    CheckpointMode,
    CompletionConfig,
    DurableContext,
    MapConfig,
    ParallelConfig,
    RetryDecision,
    StepConfig,
    StepError,
    durable_execution,
)
from durably.testing import History, HistoryError, LocalRunner, ReplayFailedError, assert_replays, replay


@dataclass
class Count:
    number: int


HOUR = timedelta(hours=1)
RAN: list[str] = []
NO_RETRY = StepConfig(retry_strategy=lambda error, attempt: RetryDecision.no_retry())


def work(name: str) -> Callable[[Any], str]:
    def body(step: Any) -> str:
        RAN.append(name)
        return name

    return body


def order(event: Any, ctx: DurableContext) -> Any:
    reserved = ctx.step(work("reserve"), name="reserve")
    ctx.wait(HOUR, name="cool")

    def ship(child: DurableContext) -> str:
        child.step(work("pack"), name="pack")
        return child.step(work("send"), name="send")

    shipped = ctx.run_in_child_context(ship, name="ship")
    prices = ctx.map([1, 2], lambda branch, item: branch.step(lambda step: item * 2, name="price"), name="prices")
    approved = ctx.wait_for_callback(lambda callback_id, step: None, name="approval")
    return [reserved, shipped, prices.get_results(), approved]


async def order_async(event: Any, ctx: AsyncDurableContext) -> Any:
    first, second = await asyncio.gather(ctx.step(work("a"), name="a"), ctx.step(work("b"), name="b"))
    await ctx.wait(HOUR, name="cool")

    async def ship(child: AsyncDurableContext) -> str:
        return await child.step(work("send"), name="send")

    shipped = await ctx.run_in_child_context(ship, name="ship")
    approved = await ctx.wait_for_callback(lambda callback_id, step: None, name="approval")
    return [first, second, shipped, approved]


def recorded(handler: Any, **options: Any) -> History:
    runner: LocalRunner[Any, Any] = LocalRunner(handler, callbacks={"approval": "yes"}, **options)
    history = History.of_run(runner.run({"id": 7}))
    RAN.clear()
    return history


@pytest.fixture(scope="module")
def of_order() -> History:
    return recorded(order)


@pytest.fixture(scope="module")
def of_order_async() -> History:
    return recorded(order_async)


def bare(history: History) -> History:
    """As it comes from a service that tells events only."""
    return History({"DurableExecutionArn": history.arn}, history.events)


# ---- what follows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strip", [lambda history: history, bare])
def test_the_code_that_was_recorded_follows_and_nothing_runs(of_order: History, strip: Any) -> None:
    report = replay(order, strip(of_order))
    assert report.ok, str(report)
    assert report.exit_code == 0
    assert report.runs == 5  # three invocations, the whole record, and inside the finished contexts
    assert RAN == []


@pytest.mark.parametrize("strip", [lambda history: history, bare])
def test_async_code_follows(of_order_async: History, strip: Any) -> None:
    report = replay(order_async, strip(of_order_async))
    assert report.ok, str(report)
    assert RAN == []


def test_beside_a_running_loop(of_order_async: History) -> None:
    async def test() -> None:
        assert replay(order_async, of_order_async).ok

    asyncio.run(test())


def test_what_may_change_freely(of_order: History) -> None:
    """Bodies of recorded steps, durations and everything else that the engine does not hold code to."""

    def changed(event: Any, ctx: DurableContext) -> Any:
        reserved = ctx.step(lambda step: "another", name="reserve")
        ctx.wait(timedelta(days=3), name="cool")

        def ship(child: DurableContext) -> str:
            child.step(lambda step: 0, name="pack")
            child.step(lambda step: 0, name="send")
            return "another"

        shipped = ctx.run_in_child_context(ship, name="ship")
        prices = ctx.map([5, 6], lambda branch, item: branch.step(lambda step: 0, name="price"), name="prices")
        approved = ctx.wait_for_callback(lambda callback_id, step: None, name="approval")
        return [reserved, shipped, prices.get_results(), approved]

    assert replay(changed, of_order).ok


def test_a_failed_execution_is_followed_to_the_same_failure() -> None:
    def failing(event: Any, ctx: DurableContext) -> Any:
        def break_(step: Any) -> None:
            raise ValueError("no paper")

        ctx.wait(HOUR)
        ctx.step(break_, name="print", config=NO_RETRY)

    def caught(event: Any, ctx: DurableContext) -> Any:
        try:
            failing(event, ctx)
        except StepError:
            return "handled"

    history = recorded(failing)
    assert history.status == "FAILED"
    assert replay(failing, history).ok
    first = replay(caught, history).first
    assert first is not None
    assert first.message.startswith('the code now returns "handled"; the record ended FAILED with ')


def test_an_open_execution_goes_on_where_its_record_ends() -> None:
    def before(event: Any, ctx: DurableContext) -> Any:
        ctx.step(work("one"), name="one")
        ctx.wait(HOUR, name="cool")
        ctx.step(work("two"), name="two")

    def after(event: Any, ctx: DurableContext) -> Any:
        ctx.step(work("one"), name="one")
        ctx.wait(HOUR, name="cool")
        ctx.step(work("changed"), name="changed")

    runner: LocalRunner[Any, Any] = LocalRunner(before)
    execution = runner.start()
    history = History.of_run(execution.snapshot())
    execution.advance(HOUR)
    runner.close()
    RAN.clear()
    assert history.status == "RUNNING"
    waiting = replay(after, history)
    assert waiting.ok
    assert waiting.goes_on is None  # it still waits
    # The wait is over: the next invocation goes on.
    due = history.events[-2]["EventTimestamp"] + 3_600_000
    wait_id = next(one["Id"] for one in history.operations if one["Type"] == "WAIT")
    ended = {"EventType": "WaitSucceeded", "EventId": 99, "EventTimestamp": due, "Id": wait_id, "Name": "cool"}
    report = replay(after, History({"DurableExecutionArn": history.arn}, [*history.events, ended]))
    assert report.ok
    assert report.goes_on is not None
    assert report.goes_on.describe() == "Step 'changed'"
    assert "It would go on with Step 'changed'" in str(report)
    assert RAN == []


def test_a_step_between_attempts_does_not_run() -> None:
    def flaky(event: Any, ctx: DurableContext) -> Any:
        def body(step: Any) -> str:
            RAN.append("body")
            if step.attempt < 3:
                raise ValueError("not yet")
            return "done"

        return ctx.step(body, name="flaky")

    history = recorded(flaky)
    assert replay(flaky, history).ok
    assert replay(flaky, bare(history)).ok
    assert RAN == []


def test_early_completion_and_losers_follow() -> None:
    def race(event: Any, ctx: DurableContext) -> Any:
        def slow(branch: DurableContext) -> str:
            branch.wait(HOUR, name="slow")
            return "slow"

        def fast(branch: DurableContext) -> str:
            return branch.step(work("fast"), name="fast")

        config = MapConfig[Any](completion_config=CompletionConfig.first_successful())
        found = ctx.map([slow, fast], lambda branch, item: item(branch), name="first", config=config)
        winner = ctx.race([slow, fast], name="race")
        ctx.wait(HOUR, name="afterwards")
        return [len(found.succeeded()), winner]

    history = recorded(race)
    assert replay(race, history).ok, str(replay(race, history))
    assert replay(race, bare(history)).ok


def test_cancellation_by_the_program_itself_takes_no_time() -> None:
    async def impatient(event: Any, ctx: AsyncDurableContext) -> Any:
        async def long(step: Any) -> None:
            await asyncio.sleep(3600)

        try:
            async with asyncio.timeout(600):
                await ctx.step(long, name="long")
        except TimeoutError:
            await ctx.wait(HOUR, name="later")
        return "done"

    history = recorded(impatient)
    assert replay(impatient, history).ok, str(replay(impatient, history))


@pytest.mark.parametrize("also", ["a step", "another timer", "a callback"])
def test_timers_strike_where_the_record_has_it_however_little_an_invocation_was_given(also: str) -> None:
    async def ordered(event: Any, ctx: AsyncDurableContext) -> Any:
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def consume() -> None:
            while number := await queue.get():
                await ctx.step(work(f"took {number}"), name=f"took {number}")

        async def produce() -> None:
            if also == "another timer":
                await asyncio.sleep(0.5)
            elif also == "a callback":
                await ctx.wait_for_callback(lambda callback_id, step: None, name="approval")
            else:
                await ctx.step(work("first"), name="first")
            await queue.put(1)

        tasks = [asyncio.create_task(consume()), asyncio.create_task(produce())]
        await asyncio.sleep(2)
        await queue.put(2)
        await tasks[1]
        await queue.put(0)
        await tasks[0]
        await asyncio.sleep(1)
        await ctx.wait(HOUR, name="later")
        return "done"

    history = recorded(ordered)
    assert {"took 1", "took 2"} <= {one.get("Name") for one in history.operations}
    for cut in range(1, len(history.events) + 1):
        part = History({"DurableExecutionArn": history.arn}, history.events[:cut])
        assert replay(ordered, part, patience=timedelta(seconds=10)).ok, str(replay(ordered, part))


def test_a_timer_beside_an_operation_that_was_cancelled() -> None:
    async def impatient(event: Any, ctx: AsyncDurableContext) -> Any:
        async def long(step: Any) -> None:
            await asyncio.sleep(3600)

        task = asyncio.create_task(ctx.step(long, name="long"))
        await ctx.step(work("short"), name="short")
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(5)  # nothing is under way, so that this strikes is not recorded
        await ctx.step(work("last"), name="last")
        return "done"

    history = recorded(impatient)
    report = replay(impatient, history)
    assert report.ok, str(report)


def test_a_task_that_is_cancelled_before_it_begins_now() -> None:
    @durable_execution(checkpointing=CheckpointMode.BATCHED)
    async def hasty(event: Any, ctx: AsyncDurableContext) -> Any:
        async def long(child: AsyncDurableContext) -> None:
            await child.step(lambda step: asyncio.sleep(3600), name="long")

        async def branch(inner: AsyncDurableContext) -> None:
            async def begin() -> None:
                await inner.run_in_child_context(long, name="given up")

            task = asyncio.create_task(begin())
            await inner.flush()  # nothing to be sent when this is replayed, so that the task has not run yet
            task.cancel()
            await asyncio.wait([task])

        await ctx.parallel([branch], "parallel", ParallelConfig(max_concurrency=1))
        return "done"

    history = recorded(hasty)
    assert next(one for one in history.operations if one.get("Name") == "given up")["Status"] == "FAILED"
    assert replay(hasty, history).ok, str(replay(hasty, history))


def test_large_results_that_are_rebuilt_follow() -> None:
    def large(event: Any, ctx: DurableContext) -> Any:
        def inside(child: DurableContext) -> str:
            return child.step(lambda step: "x", name="x") * 300_000

        ctx.run_in_child_context(inside, name="large")
        found = ctx.map(range(2), lambda branch, item: inside(branch), name="many")
        ctx.wait(HOUR)
        return len(found.get_results()[1])

    history = recorded(large)
    assert replay(large, history).ok
    assert replay(large, bare(history)).ok


# ---- what does not ----------------------------------------------------------------------------------------------


def test_a_renamed_step(of_order: History) -> None:
    def renamed(event: Any, ctx: DurableContext) -> Any:
        ctx.step(work("reserve"), name="book")

    report = replay(renamed, of_order)
    assert report.exit_code == 1
    assert report.first is not None
    assert report.first.kind == "changed"
    assert report.first.message == (
        "the record has Step 'reserve', the code calls Step 'book' (Name was 'reserve' and is 'book')"
    )
    assert report.first.line is not None
    assert report.first.line.file == __file__
    text = str(report)
    assert "≠ Step 'reserve'" in text
    assert 'ctx.step(work("reserve"), name="book")' in text  # the line of the call
    assert RAN == []


def test_a_change_inside_a_context_that_has_finished(of_order: History) -> None:
    def changed(event: Any, ctx: DurableContext) -> Any:
        reserved = ctx.step(work("reserve"), name="reserve")
        ctx.wait(HOUR, name="cool")

        def ship(child: DurableContext) -> str:
            child.step(work("send"), name="send")  # swapped
            return child.step(work("pack"), name="pack")

        shipped = ctx.run_in_child_context(ship, name="ship")
        prices = ctx.map([1, 2], lambda branch, item: branch.step(lambda step: item, name="cost"), name="prices")
        approved = ctx.wait_for_callback(lambda callback_id, step: None, name="approval")
        return [reserved, shipped, prices.get_results(), approved]

    report = replay(changed, of_order)
    assert [one.call and one.call.describe() for one in report.differences] == ["Step 'send'"]
    assert report.first is not None
    assert report.first.recorded is not None
    assert report.first.recorded.get("Name") == "pack"


def test_a_change_inside_a_context_can_be_let_pass() -> None:
    def before(event: Any, ctx: DurableContext) -> Any:
        return ctx.run_in_child_context(lambda child: child.step(work("x"), name="x"), name="inside")

    def after(event: Any, ctx: DurableContext) -> Any:
        return ctx.run_in_child_context(lambda child: child.step(work("y"), name="y"), name="inside")

    history = recorded(before)
    assert not replay(after, history).ok
    # The only invocation met nothing recorded: in it, too, the step inside would have been another.
    assert [one.invocation for one in replay(after, history).differences] == [1]
    only_whole = replay(after, history, inside_contexts=False, max_invocations=1)
    assert not only_whole.ok


def test_an_added_operation(of_order: History) -> None:
    def longer(event: Any, ctx: DurableContext) -> Any:
        result = order(event, ctx)
        ctx.step(work("extra"), name="extra")
        return result

    report = replay(longer, of_order)
    assert report.first is not None
    assert report.first.kind == "new"
    assert report.first.message == "the code calls Step 'extra' where the record has no operation"
    assert "+ " in str(report)
    assert RAN == []


def test_a_removed_operation() -> None:
    def before(event: Any, ctx: DurableContext) -> Any:
        ctx.step(work("one"), name="one")
        ctx.step(work("two"), name="two")

    def after(event: Any, ctx: DurableContext) -> Any:
        ctx.step(work("one"), name="one")

    report = replay(after, recorded(before))
    assert report.first is not None
    assert report.first.kind == "missing"
    assert report.first.message == "the record has Step 'two', which the code does not call any more"


def test_another_result(of_order: History) -> None:
    def other(event: Any, ctx: DurableContext) -> Any:
        return [*order(event, ctx), "more"]

    first = replay(other, of_order).first
    assert first is not None
    assert first.kind == "outcome"
    assert '"more"' in first.message


def test_code_that_breaks_on_the_way_names_its_line(of_order: History) -> None:
    def broken(event: Any, ctx: DurableContext) -> Any:
        reserved = ctx.step(work("reserve"), name="reserve")
        return reserved["id"]

    first = replay(broken, of_order).first
    assert first is not None
    assert first.kind == "outcome"
    assert "TypeError" in first.message
    assert "where the record goes on with Wait 'cool'" in first.message
    assert first.line is not None
    assert 'return reserved["id"]' in str(replay(broken, of_order))


def test_a_result_that_no_longer_fits_its_type() -> None:
    def before(event: Any, ctx: DurableContext) -> Any:
        def count(step: Any) -> dict[str, int]:
            return {"many": 1}

        return ctx.step(count, name="count")

    def after(event: Any, ctx: DurableContext) -> Any:
        def count(step: Any) -> Count:
            return Count(3)

        return ctx.step(count, name="count")

    first = replay(after, recorded(before)).first
    assert first is not None
    assert "SerDesError" in first.message


def test_a_map_over_less_than_was_recorded() -> None:
    def over(items: list[int]) -> Any:
        def handler(event: Any, ctx: DurableContext) -> Any:
            ctx.map(items, lambda branch, item: branch.wait(HOUR, name="w"), name="m")

        return handler

    first = replay(over([1]), recorded(over([1, 2, 3]))).first
    assert first is not None
    assert first.kind == "refused"
    assert "began more branches" in first.message


def test_the_error_handler_decides_about_a_failure_but_is_not_told_of_others() -> None:
    told: list[str] = []

    def rename(error: Exception, info: Any) -> Exception:
        told.append(str(error))
        return LookupError("no such order")

    def failing(event: Any, ctx: DurableContext) -> Any:
        ctx.step(work("one"), name="one")
        raise ValueError("raw")

    def otherwise(event: Any, ctx: DurableContext) -> Any:
        ctx.step(work("one"), name="renamed")
        raise ValueError("raw")

    history = recorded(durable_execution(error_handler=rename)(failing))
    assert (history.error or {})["ErrorType"] == "LookupError"
    told.clear()
    assert replay(durable_execution(error_handler=rename)(failing), history).ok
    assert told == ["raw"]
    first = replay(failing, history).first
    assert first is not None
    assert "ValueError: raw; the record ended FAILED with LookupError: no such order" in first.message
    open_record = History({"DurableExecutionArn": history.arn}, history.events[:3])
    told.clear()
    assert not replay(durable_execution(error_handler=rename)(otherwise), open_record).ok
    assert told == []


def test_differences_that_are_alike_are_told_once() -> None:
    def over(name: str) -> Any:
        def handler(event: Any, ctx: DurableContext) -> Any:
            ctx.map(range(7), lambda branch, item: branch.step(work("x"), name=name), name="m")

        return handler

    report = replay(over("new"), recorded(over("old")))
    assert len(report.differences) == 7
    assert str(report).count("the code calls Step 'new'") == 1
    assert "7 times" in str(report)


# ---- misuse, and the pytest side -----------------------------------------------------------------------------------


def test_only_the_first_differences_are_shown_unless_all_are_wanted() -> None:
    def steps(prefix: str) -> Any:
        def handler(event: Any, ctx: DurableContext) -> Any:
            for number in range(40):
                ctx.step(work("x"), name=f"{prefix}{number if prefix == 'a' or number < 35 else 'x'}")

        return handler

    def later(event: Any, ctx: DurableContext) -> Any:
        for number in range(40):
            ctx.step(work("x"), name=f"a{number}" if number < 35 else "changed")

    history = recorded(steps("a"))
    report = replay(later, history)
    assert "… 23 rows before" in str(report)
    assert "rows before" not in report.text(everything=True)


def test_a_folder_of_histories(of_order: History, of_order_async: History, tmp_path: Path) -> None:
    of_order.save(tmp_path / "one.json")
    of_order.save(tmp_path / "more" / "two.json")
    assert len(assert_replays(order, tmp_path)) == 2
    of_order_async.save(tmp_path / "other.json")
    with pytest.raises(ReplayFailedError, match="DIFFERS") as failure:
        assert_replays(durable_execution(order), tmp_path)
    assert len(failure.value.reports) == 1
    assert isinstance(failure.value, AssertionError)


def test_an_empty_folder_is_no_test(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="there is no history"):
        assert_replays(order, tmp_path)


def test_a_history_without_data_cannot_be_replayed(of_order: History) -> None:
    cut = History({**of_order.execution, "ExecutionDataIncluded": False}, of_order.events)
    with pytest.raises(HistoryError, match="without the execution's data"):
        replay(order, cut)
    events: list[Any] = [dict(event) for event in of_order.events]
    position = next(n for n, event in enumerate(events) if event["EventType"] == "StepSucceeded")
    events[position]["StepSucceededDetails"] = {"Result": {"Payload": '"re', "Truncated": True}}
    with pytest.raises(HistoryError, match=f"event {events[position]['EventId']} .StepSucceeded. holds only the begin"):
        replay(order, History(of_order.execution, events))


def test_what_is_no_handler_and_no_history(of_order: History) -> None:
    with pytest.raises(TypeError, match="@durable_execution"):
        replay(object(), of_order)
    with pytest.raises(TypeError, match="is no history"):
        replay(order, 7)


def test_as_json(of_order: History) -> None:
    shape = replay(order, of_order).to_dict()
    assert shape["Follows"] is True
    assert shape["Operations"][0] == {
        "Mark": "=",
        "Depth": 0,
        "Recorded": "Step 'reserve'",
        "Status": "SUCCEEDED",
        "Now": "Step 'reserve'",
        "Line": shape["Operations"][0]["Line"],
    }


@pytest.mark.parametrize("how", ["blocks", "awaits"])
def test_code_that_does_not_go_on_is_reported(how: str) -> None:
    released = threading.Event()
    is_replay = False

    @durable_execution
    def blocks(_: None, ctx: DurableContext) -> Any:
        ctx.wait(HOUR)
        if is_replay:
            released.wait(60)
        return 1

    @durable_execution
    async def awaits(_: None, ctx: AsyncDurableContext) -> Any:
        await ctx.wait(HOUR)
        if is_replay:
            await asyncio.to_thread(released.wait, 60)
        return 1

    handler: Any = {"blocks": blocks, "awaits": awaits}[how]
    history = History.of_run(LocalRunner(handler).run())
    is_replay = True
    try:
        report = replay(handler, history, patience=1)
    finally:
        released.set()
    assert [one.kind for one in report.differences] == ["stuck"]
    assert "neither ends nor comes to an operation" in str(report)
    if how == "blocks":
        assert report.first is not None
        assert report.first.line is not None
        assert report.first.line.file == __file__
