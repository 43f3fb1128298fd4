"""Every operation through the kit: its outcome, its records, and a crash at every moment, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    CallbackConfig,
    CallbackTimeoutError,
    CompletionConfig,
    DurableContext,
    Duration,
    FixedDelay,
    FixedWait,
    InvokeError,
    MapConfig,
    RetryPresets,
    StepConfig,
    StepError,
    StepSemantics,
    WaitForCallbackConfig,
    WaitForConditionConfig,
    WithRetryConfig,
    durable_execution,
)
from durably.testing import NEVER, Answer, LocalRunner, RunResult, explore_crashes

ONCE = StepConfig(retry_strategy=RetryPresets.none())
HOURLY = StepConfig(retry_strategy=FixedDelay(Duration.from_hours(1), max_attempts=3))
ledger: set[str] = set()


@dataclass(frozen=True)
class Program:
    sync: Callable[[DurableContext], Any]
    coroutine: Callable[[AsyncDurableContext], Any]
    value: Any
    duration: timedelta = timedelta(0)
    names: list[str | None] = field(default_factory=list)
    """Of the operations at the root."""
    leaves_open: bool = False
    """What loses is given up where it is."""
    callbacks: Mapping[str | None, Any] = field(default_factory=dict)
    functions: Mapping[str, Any] = field(default_factory=dict)


def fails(message: str) -> Any:
    raise ValueError(message)


async def afails(message: str) -> Any:
    raise ValueError(message)


# ---- step ------------------------------------------------------------------------------------------------------------


def step(ctx: DurableContext) -> Any:
    def flaky(step: Any) -> int:
        ledger.add("charged")
        return int(step.attempt) if step.attempt == 3 else fails("not yet")

    first = ctx.step(flaky, name="flaky", config=HOURLY)
    try:
        ctx.step(lambda _: fails("never"), name="broken", config=ONCE)
    except StepError as error:
        return [first, str(error)]


async def astep(ctx: AsyncDurableContext) -> Any:
    async def flaky(step: Any) -> int:
        ledger.add("charged")
        return int(step.attempt) if step.attempt == 3 else fails("not yet")

    first = await ctx.step(flaky, name="flaky", config=HOURLY)
    try:
        await ctx.step(lambda _: afails("never"), name="broken", config=ONCE)
    except StepError as error:
        return [first, str(error)]


# ---- waits -----------------------------------------------------------------------------------------------------------


def waits(ctx: DurableContext) -> Any:
    ctx.wait(Duration.from_days(365), name="a year")
    long = ctx.start(ctx.wait, Duration.from_days(100), name="cancelled")
    ctx.wait(timedelta(hours=1), name="an hour")
    return [ctx.cancel_wait(long), (ctx.now() - ctx.execution_start_time).days]


async def awaits(ctx: AsyncDurableContext) -> Any:
    await ctx.wait(Duration.from_days(365), name="a year")
    long = ctx.start(ctx.wait, Duration.from_days(100), name="cancelled")
    await ctx.wait(timedelta(hours=1), name="an hour")
    return [await ctx.cancel_wait(long), (ctx.now() - ctx.execution_start_time).days]


# ---- callbacks -------------------------------------------------------------------------------------------------------


def callbacks(ctx: DurableContext) -> Any:
    bare = ctx.create_callback(name="bare", config=CallbackConfig(timeout=Duration.from_days(1)))
    ctx.step(lambda _: ledger.add("sent"), name="send")
    found = [bare.result()]
    found.append(ctx.wait_for_callback(lambda *_: ledger.add("asked"), name="approval", result_type=dict[str, int]))
    for config in (
        WaitForCallbackConfig(timeout=Duration.from_hours(2)),
        WaitForCallbackConfig(heartbeat_timeout=Duration.from_hours(3)),
    ):
        try:
            ctx.wait_for_callback(lambda *_: None, name="silent", config=config)
        except CallbackTimeoutError as error:
            found.append(str(error))
    return found


async def acallbacks(ctx: AsyncDurableContext) -> Any:
    async def submit(*_: Any) -> None:
        ledger.add("asked")

    async def send(_: Any) -> None:
        ledger.add("sent")

    bare = await ctx.create_callback(name="bare", config=CallbackConfig(timeout=Duration.from_days(1)))
    await ctx.step(send, name="send")
    found = [await bare.result()]
    found.append(await ctx.wait_for_callback(submit, name="approval", result_type=dict[str, int]))
    for config in (
        WaitForCallbackConfig(timeout=Duration.from_hours(2)),
        WaitForCallbackConfig(heartbeat_timeout=Duration.from_hours(3)),
    ):
        try:
            await ctx.wait_for_callback(submit, name="silent", config=config)
        except CallbackTimeoutError as error:
            found.append(str(error))
    return found


# ---- conditions ------------------------------------------------------------------------------------------------------


def condition(ctx: DurableContext) -> Any:
    config = WaitForConditionConfig(
        FixedWait(until=lambda state: state == "ready", delay=timedelta(minutes=10)), initial_state=""
    )
    return ctx.wait_for_condition(lambda state, _: state + "rea" if not state else "ready", config, name="poll")


async def acondition(ctx: AsyncDurableContext) -> Any:
    async def check(state: str, _: Any) -> str:
        return "rea" if not state else "ready"

    config = WaitForConditionConfig(
        FixedWait(until=lambda state: state == "ready", delay=timedelta(minutes=10)), initial_state=""
    )
    return await ctx.wait_for_condition(check, config, name="poll")


# ---- invoke ----------------------------------------------------------------------------------------------------------


@durable_execution
def double(number: int, ctx: DurableContext) -> int:
    ctx.wait(Duration.from_hours(1))
    return ctx.step(lambda _: 2 * number)


def invoke(ctx: DurableContext) -> Any:
    found = [ctx.invoke("double:prod", 4, name="durable"), ctx.invoke("plain", 4, name="plain")]
    try:
        ctx.invoke("broken", 4, name="broken")
    except InvokeError as error:
        found.append(str(error))
    return found


async def ainvoke(ctx: AsyncDurableContext) -> Any:
    found = [await ctx.invoke("double:prod", 4, name="durable"), await ctx.invoke("plain", 4, name="plain")]
    try:
        await ctx.invoke("broken", 4, name="broken")
    except InvokeError as error:
        found.append(str(error))
    return found


# ---- child contexts, map, parallel -----------------------------------------------------------------------------------


def nested(ctx: DurableContext) -> Any:
    def inner(child: DurableContext) -> int:
        child.wait(Duration.from_minutes(1), name="inside")
        return child.step(lambda _: 1, name="one") + child.run_in_child_context(
            lambda deep: deep.step(lambda _: 2, name="two"), name="deep"
        )

    return ctx.run_in_child_context(inner, name="outer")


async def anested(ctx: AsyncDurableContext) -> Any:
    async def give(number: int) -> int:
        return number

    async def deep(child: AsyncDurableContext) -> int:
        return await child.step(lambda _: give(2), name="two")

    async def inner(child: AsyncDurableContext) -> int:
        await child.wait(Duration.from_minutes(1), name="inside")
        return await child.step(lambda _: give(1), name="one") + await child.run_in_child_context(deep, name="deep")

    return await ctx.run_in_child_context(inner, name="outer")


def branches(ctx: DurableContext) -> Any:
    def item(child: DurableContext, number: int, *_: Any) -> int:
        child.wait(Duration.from_minutes(number), name="pause")
        return child.step(lambda _: number * 10, name="times ten")

    everything = ctx.map([3, 1, 2], item, name="all")
    first = ctx.map(
        [3, 1, 2], item, name="first", config=MapConfig(completion_config=CompletionConfig.first_successful())
    )
    side = ctx.parallel([lambda child: child.step(lambda _: "a"), lambda child: child.step(lambda _: "b")], name="two")
    return [everything.get_results(), first.get_results(), side.get_results()]


async def abranches(ctx: AsyncDurableContext) -> Any:
    async def give(value: Any) -> Any:
        return value

    async def item(child: AsyncDurableContext, number: int, *_: Any) -> int:
        await child.wait(Duration.from_minutes(number), name="pause")
        return await child.step(lambda _: give(number * 10), name="times ten")

    async def a(child: AsyncDurableContext) -> str:
        return await child.step(lambda _: give("a"))

    async def b(child: AsyncDurableContext) -> str:
        return await child.step(lambda _: give("b"))

    everything = await ctx.map([3, 1, 2], item, name="all")
    first = await ctx.map(
        [3, 1, 2], item, name="first", config=MapConfig(completion_config=CompletionConfig.first_successful())
    )
    side = await ctx.parallel([a, b], name="two")
    return [everything.get_results(), first.get_results(), side.get_results()]


# ---- futures, sagas, blocks ------------------------------------------------------------------------------------------


def race(ctx: DurableContext) -> Any:
    def deadline(child: DurableContext) -> str:
        child.wait(Duration.from_hours(1), name="deadline")
        return "too late"

    answer = ctx.start(ctx.wait_for_callback, lambda *_: None, name="answer")
    return ctx.race([answer, deadline], name="first")


async def arace(ctx: AsyncDurableContext) -> Any:
    async def deadline(child: AsyncDurableContext) -> str:
        await child.wait(Duration.from_hours(1), name="deadline")
        return "too late"

    answer = ctx.start(ctx.wait_for_callback, lambda *_: None, name="answer")
    return await ctx.race([answer, deadline], name="first")


def saga(ctx: DurableContext) -> Any:
    def undo(child: DurableContext, booking: str) -> None:
        child.step(lambda _: ledger.add(f"undone {booking}"), name=f"undo {booking}")
        child.wait(Duration.from_minutes(1))

    try:
        with ctx.saga() as saga:
            saga.step(lambda _: "flight", undo, name="flight")
            saga.step(lambda _: "hotel", undo, name="hotel")
            ctx.step(lambda _: fails("no car"), name="car", config=ONCE)
    except StepError as error:
        return str(error)


async def asaga(ctx: AsyncDurableContext) -> Any:
    async def give(value: str) -> str:
        return value

    async def cancel(booking: str) -> None:
        ledger.add(f"undone {booking}")

    async def undo(child: AsyncDurableContext, booking: str) -> None:
        await child.step(lambda _: cancel(booking), name=f"undo {booking}")
        await child.wait(Duration.from_minutes(1))

    try:
        async with ctx.saga() as saga:
            await saga.step(lambda _: give("flight"), undo, name="flight")
            await saga.step(lambda _: give("hotel"), undo, name="hotel")
            await ctx.step(lambda _: afails("no car"), name="car", config=ONCE)
    except StepError as error:
        return str(error)


def again(ctx: DurableContext) -> Any:
    def block(child: DurableContext, attempt: int) -> int:
        child.step(lambda _: ledger.add(f"attempt {attempt}"), name=f"attempt {attempt}")
        return attempt if attempt == 3 else fails("once more")

    config = WithRetryConfig(retry_strategy=RetryPresets.fixed(timedelta(hours=1)))
    return ctx.with_retry(block, "block", config)


async def aagain(ctx: AsyncDurableContext) -> Any:
    async def note(attempt: int) -> None:
        ledger.add(f"attempt {attempt}")

    async def block(child: AsyncDurableContext, attempt: int) -> int:
        await child.step(lambda _: note(attempt), name=f"attempt {attempt}")
        return attempt if attempt == 3 else fails("once more")

    config = WithRetryConfig(retry_strategy=RetryPresets.fixed(timedelta(hours=1)))
    return await ctx.with_retry(block, "block", config)


def early(ctx: DurableContext) -> Any:
    with ctx.batch():
        for number in range(3):
            ctx.step(lambda _, number=number: number, name=f"{number}")  # type: ignore[misc]
    ctx.run_in_child_context(lambda child: child.complete("early"), name="deep")
    return "never"


async def aearly(ctx: AsyncDurableContext) -> Any:
    async def give(number: int) -> int:
        return number

    async def deep(child: AsyncDurableContext) -> None:
        await child.complete("early")

    async with ctx.batch():
        for number in range(3):
            await ctx.step(lambda _, number=number: give(number), name=f"{number}")  # type: ignore[misc]
    await ctx.run_in_child_context(deep, name="deep")
    return "never"


PROGRAMS = {
    "step": Program(step, astep, [3, "never"], timedelta(hours=2), ["flaky", "broken"]),
    "waits": Program(
        waits,
        awaits,
        [True, 365],
        timedelta(days=365, hours=1),
        ["a year", "an hour", "cancelled"],
    ),
    "callbacks": Program(
        callbacks,
        acallbacks,
        ["text", {"ok": 1}, "Callback timed out", "Callback heartbeat timed out"],
        timedelta(hours=6),
        ["bare", "send", "approval", "silent", "silent"],
        callbacks={"bare": "text", "approval": Answer({"ok": 1}, after=timedelta(hours=1)), "silent": NEVER},
    ),
    "condition": Program(condition, acondition, "ready", timedelta(minutes=10), ["poll"]),
    "invoke": Program(
        invoke,
        ainvoke,
        [8, [4], "sunk"],
        timedelta(hours=1),
        ["durable", "plain", "broken"],
        functions={"double": double, "plain": lambda event: [event], "broken": ValueError("sunk")},
    ),
    "child contexts": Program(nested, anested, 3, timedelta(minutes=1), ["outer"]),
    "map and parallel": Program(
        branches,
        abranches,
        [[30, 10, 20], [10], ["a", "b"]],
        timedelta(minutes=4),
        ["all", "first", "two"],
        leaves_open=True,
    ),
    "race, lost": Program(race, arace, "too late", timedelta(hours=1), callbacks={"answer": NEVER}, leaves_open=True),
    "race, won": Program(
        race,
        arace,
        "in time",
        timedelta(minutes=59),
        callbacks={"answer": Answer("in time", timedelta(minutes=59))},
        leaves_open=True,
    ),
    "saga": Program(saga, asaga, "no car", timedelta(minutes=2), ["flight", "hotel", "car", "hotel", "flight"]),
    "with_retry": Program(again, aagain, 3, timedelta(hours=2), ["block"]),
    "batch, complete": Program(early, aearly, "early", timedelta(0), ["0", "1", "2", "deep"], leaves_open=True),
}


def runner_of(program: Program, flavour: str) -> LocalRunner[Any, Any]:
    def handler(_: Any, ctx: DurableContext) -> Any:
        return program.sync(ctx)

    async def ahandler(_: Any, ctx: AsyncDurableContext) -> Any:
        return await program.coroutine(ctx)

    function: Any = durable_execution(handler if flavour == "sync" else ahandler)
    return LocalRunner(function, callbacks=program.callbacks, functions=program.functions)


@pytest.mark.parametrize("flavour", ["sync", "async"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_operation(name: str, flavour: str) -> None:
    program = PROGRAMS[name]
    result: RunResult[Any] = runner_of(program, flavour).run()
    assert result.value == program.value, str(result)
    assert abs(result.duration - program.duration) < timedelta(seconds=1)
    assert not program.names or result.operations.names == program.names
    assert bool(result.operations.open) == program.leaves_open


@pytest.mark.parametrize("flavour", ["sync", "async"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_operation_with_a_crash_at_every_moment(name: str, flavour: str) -> None:
    report = explore_crashes(runner_of(PROGRAMS[name], flavour), ledger=ledger)
    report.check()
    assert len(report.runs) > 3


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_records_in_both_worlds(name: str) -> None:
    """Sync and async code of the same shape."""

    def records(flavour: str) -> list[Any]:
        operations = runner_of(PROGRAMS[name], flavour).run().operations
        return sorted((one.id, one.type, one.sub_type, one.name, one.parent_id, one.status) for one in operations.all)

    assert records("sync") == records("async")


def test_at_most_once_steps_are_interrupted_not_repeated() -> None:
    """An at-most-once step that a crash interrupts is handed to its retry strategy, which may say no."""

    @durable_execution
    def handler(_: None, ctx: DurableContext) -> str:
        config = StepConfig(step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY, retry_strategy=RetryPresets.none())
        try:
            return ctx.step(lambda _: "charged", name="charge", config=config)
        except StepError as error:
            return type(error.__cause__).__name__

    report = explore_crashes(LocalRunner(handler))
    report.check()
    assert report.baseline.value == "charged"


def test_a_chain_of_executions() -> None:
    @durable_execution
    def count(left: int, ctx: DurableContext) -> int:
        done = ctx.step(lambda _: min(left, 3), name="a part")
        return done if left <= 3 else done + int(ctx.recurse(left - done, name="next"))

    runner = LocalRunner(count)
    result = runner.run(10)
    assert result.value == 10
    assert len(runner.world.executions) == 4
    assert result.invoke("next").input == 7


def test_tasks_of_the_program() -> None:
    @durable_execution
    async def handler(_: None, ctx: AsyncDurableContext) -> list[str]:
        done: list[str] = []

        async def one(name: str, seconds: int) -> None:
            async def body(_: Any) -> None:
                await asyncio.sleep(seconds)

            await ctx.step(body, name=name)
            await ctx.wait(Duration.from_seconds(100 - seconds), name=f"after {name}")
            done.append(name)

        async with asyncio.TaskGroup() as group:
            for name, seconds in (("slow", 60), ("quick", 10)):
                group.create_task(one(name, seconds))
        return sorted(done)

    explore_crashes(handler).check()
    result = LocalRunner(handler).run()
    assert (result.value, result.duration) == (["quick", "slow"], timedelta(seconds=100))
