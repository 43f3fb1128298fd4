"""Crashes at every boundary find what is not safe, and leave alone what is."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    CompletionConfig,
    DurableContext,
    MapConfig,
    StepConfig,
    StepContext,
    StepSemantics,
    ValidationError,
    durable_execution,
)
from durably.testing import Answer, LocalRunner, Mock
from durably.testing.crashes import CrashesFoundError, aexplore_crashes, explore_crashes
from durably.testing.errors import TestingError

DAY = timedelta(days=1)
ONCE = StepConfig(step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)


class Bank:
    """Charges what it has not charged under the same key."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def charge(self, key: str) -> str:
        if key not in self.entries:
            self.entries.append(key)
        return key


# ---- what is safe ------------------------------------------------------------------------------------------------


def halves(event: Any, ctx: DurableContext) -> list[str]:
    """A batch that the first failure completes, whatever the others have done by then."""
    result = ctx.map([0, 1, 2], lambda c, n: 1 / c.step(lambda s: n, name=f"n{n}"), name="halves")
    ctx.step(lambda s: None, name="after")
    return [str(error) for error in result.get_errors()]


async def halves_async(event: Any, ctx: AsyncDurableContext) -> list[str]:
    async def one(c: AsyncDurableContext, n: int) -> float:
        return 1 / await c.step(lambda s: n, name=f"n{n}")

    result = await ctx.map([0, 1, 2], one, name="halves")
    await ctx.step(lambda s: None, name="after")
    return [str(error) for error in result.get_errors()]


def first_of_each(event: Any, ctx: DurableContext) -> list[int]:
    """Races among what takes no time."""

    def quick(n: int) -> Callable[[DurableContext], int]:
        return lambda c: c.step(lambda s: n, name=f"quick {n}")

    raced = ctx.race([quick(1), quick(2), lambda c: c.wait(DAY) or 3], name="race")
    config = MapConfig[int](completion_config=CompletionConfig.first_successful())
    mapped = ctx.map([1, 2, 3], lambda c, n: quick(n)(c), name="map", config=config)
    return [raced, len(mapped.get_results())]


@pytest.mark.parametrize("handler", [halves, halves_async, first_of_each])
def test_what_a_decision_was_taken_without_may_have_come_further_or_not(handler: Any) -> None:
    explore_crashes(durable_execution(handler)).check()


def test_what_ended_first_within_one_millisecond_has_won_with_a_crash_and_without() -> None:
    @durable_execution
    def handler(event: None, ctx: DurableContext) -> int:
        return ctx.race([lambda c: c.race([lambda d: 1]), lambda c: 2])  # the second ends first, and began last

    assert explore_crashes(handler).check().baseline.value == 2


def test_what_a_decision_was_taken_with_may_not() -> None:
    tries: list[int] = []

    @durable_execution
    def handler(event: Any, ctx: DurableContext) -> str:
        ctx.map([0, 1, 2], lambda c, n: 1 / n, name="halves")
        ctx.step(lambda s: None, name="before")
        tries.append(1)
        if len(tries) % 2:
            ctx.step(lambda s: None, name="sometimes")
        return "done"

    report = explore_crashes(handler, reset=tries.clear)
    assert not report.ok
    assert "'sometimes' SUCCEEDED is not recorded" in str(report)


def test_a_workflow_with_idempotent_steps_is_safe() -> None:
    bank = Bank()

    @durable_execution
    def order(event: str, ctx: DurableContext) -> list[str]:
        receipt = ctx.step(lambda s: bank.charge(event), name="charge")
        ctx.wait(DAY, name="cooling off")
        answer = ctx.wait_for_callback(lambda callback_id, c: None, name="approval")
        doubled = ctx.map([1, 2], lambda c, n, i, all: c.step(lambda s: bank.charge(f"item {n}"), name="item"))
        return [receipt, answer, *doubled.get_results()]

    report = explore_crashes(LocalRunner(order, callbacks={"approval": "yes"}), "A7", ledger=bank.entries).check()
    assert report.ok
    assert report.baseline.value == ["A7", "yes", "item 1", "item 2"]
    assert "charge" in report.repeatable
    assert "all as without a crash" in str(report)


def test_async_workflows() -> None:
    done: set[str] = set()

    @durable_execution
    async def order(event: None, ctx: AsyncDurableContext) -> list[str]:
        async def work(step: StepContext) -> str:
            done.add(step.name or "")
            return step.name or ""

        both = await asyncio.gather(ctx.step(work, name="a"), ctx.step(work, name="b"))
        await ctx.wait(DAY)
        return [*both, await ctx.step(work, name="c")]

    report = explore_crashes(order, ledger=done).check()
    assert report.baseline.value == ["a", "b", "c"]
    assert {run.point.moment for run in report.runs if run.point} == {"before", "after", "return"}


def test_every_moment_is_tried() -> None:
    @durable_execution
    def two(event: None, ctx: DurableContext) -> None:
        ctx.step(lambda s: 1, name="one")
        ctx.wait(DAY, name="wait")

    report = explore_crashes(two)
    calls = {run.point.number for run in report.runs if run.point and run.point.moment != "return"}
    recorded = [action for run in report.runs if run.point for action in run.point.actions]
    returns = [run.point.number for run in report.runs if run.point and run.point.moment == "return"]
    assert calls == set(range(1, len(calls) + 1))
    assert set(recorded) == {"STEP START one", "STEP SUCCEED one", "WAIT START wait"}
    assert returns == [1, 2], "as the function begins to wait, and as it ends"
    assert len(report.runs) == 1 + 2 * len(calls) + len(returns)
    assert report.runs[0].point is None
    assert len(report.runs[0].result.invocations) > len(report.baseline.invocations)


def test_in_async_tests() -> None:
    @durable_execution
    async def one(event: int, ctx: AsyncDurableContext) -> int:
        return await ctx.step(lambda s: event + 1)

    async def main() -> int:
        return (await aexplore_crashes(one, 1)).check().baseline.value

    assert asyncio.run(main()) == 2


def test_invoked_functions_crash_too() -> None:
    charged: list[str] = []

    @durable_execution
    def pay(event: str, ctx: DurableContext) -> str:
        return ctx.step(lambda s: charged.append(event) or event, name="pay")

    @durable_execution
    def order(event: str, ctx: DurableContext) -> str:
        return str(ctx.invoke("pay:$LATEST", event, name="payment"))

    report = explore_crashes(LocalRunner(order, functions={"pay": pay}), "A7", ledger=charged)
    assert [run.point and run.point.actions for run in report.differing] == [("STEP SUCCEED pay",)]


# ---- what is not -------------------------------------------------------------------------------------------------


def test_a_side_effect_that_is_not_idempotent() -> None:
    charges: list[str] = []

    @durable_execution
    def order(event: str, ctx: DurableContext) -> str:
        return ctx.step(lambda s: charges.append(event) or event, name="charge")

    report = explore_crashes(order, "A7", ledger=charges)
    with pytest.raises(CrashesFoundError) as caught:
        report.check()
    assert [(run.point.moment, run.point.actions) for run in report.differing if run.point] == [
        ("before", ("STEP SUCCEED charge",))
    ]
    message = str(caught.value)
    assert "a crash before call 2 (STEP SUCCEED charge): the ledger differs: 'A7' too often" in message
    assert "ran again: 'charge'" in message
    assert "AT_MOST_ONCE_PER_RETRY" in message


def test_a_side_effect_outside_a_step() -> None:
    mails: list[str] = []

    @durable_execution
    def order(event: str, ctx: DurableContext) -> None:
        ctx.step(lambda s: 1, name="charge")
        mails.append(event)
        ctx.step(lambda s: 2, name="ship")

    report = explore_crashes(order, "A7", ledger=mails)
    assert not report.ok
    assert all(run.repeated in ((), ("charge",), ("ship",)) for run in report.differing)
    assert "'A7' too often" in str(report)


@pytest.mark.parametrize("is_async", [False, True])
def test_state_that_only_the_process_remembers(is_async: bool) -> None:
    """The closure is filled by the body of a step, which does not run on a replay."""

    @durable_execution
    def order(event: None, ctx: DurableContext) -> list[str]:
        seen: list[str] = []
        ctx.step(lambda s: seen.append("charged"), name="charge")
        ctx.step(lambda s: 1, name="ship")
        return seen

    @durable_execution
    async def aorder(event: None, ctx: AsyncDurableContext) -> list[str]:
        seen: list[str] = []
        await ctx.step(lambda s: seen.append("charged"), name="charge")
        await ctx.step(lambda s: 1, name="ship")
        return seen

    report = explore_crashes(aorder if is_async else order)
    assert report.differing[0].point is None, "a replay is enough to find it"
    assert 'the outcome is SUCCEEDED with [], not SUCCEEDED with ["charged"]' in str(report)


@pytest.mark.parametrize("kind", ["race", "map"])
def test_an_outcome_that_timing_decides(kind: str) -> None:
    """A callback that is answered as soon as nothing else is to do is first where a crash has stopped the rest."""
    first = MapConfig[Any](completion_config=CompletionConfig.first_successful())

    def approval(c: DurableContext, *_: Any) -> Any:
        return c.wait_for_callback(lambda callback_id, s: None, name="approval")

    def steps(c: DurableContext, *_: Any) -> str:
        c.step(lambda s: 1, name="look up")
        return c.step(lambda s: "rule", name="decide")

    @durable_execution
    def order(event: None, ctx: DurableContext) -> Any:
        if kind == "race":
            return ctx.race([approval, steps], "approval or rule")
        return ctx.map([approval, steps], lambda c, how: how(c), "approval or rule", first).get_results()[0]

    report = explore_crashes(LocalRunner(order, callbacks={"approval": "manager"}))
    assert not report.ok
    by = "by number 0, not by number 1" if kind == "race" else "without number 1, not without number 0"
    assert f"decided otherwise: {kind.capitalize()} 'approval or rule' {by}. A crash takes time" in str(report)
    assert "what the body of a step leaves behind" not in str(report)
    apart = LocalRunner(order, callbacks={"approval": Answer("manager", after=timedelta(hours=1))})
    assert explore_crashes(apart).check().baseline.value == "rule"


def test_an_order_that_timing_decides() -> None:
    @durable_execution
    async def order(event: None, ctx: AsyncDurableContext) -> list[str]:
        async def slow(step: StepContext) -> str:
            await asyncio.sleep(2)
            return "packed"

        async def paid() -> str:
            await ctx.wait(timedelta(seconds=2.5), name="until paid")
            return "paid"

        tasks = [asyncio.create_task(ctx.step(slow, name="pack")), asyncio.create_task(paid())]
        return [await one for one in asyncio.as_completed(tasks)]

    report = explore_crashes(order)
    assert not report.ok
    assert "another order: Wait 'until paid' ended before Step 'pack', not after it" in str(report)
    assert report.differing[0].course is not None


def test_state_that_only_the_process_remembers_beside_what_ends_in_any_order() -> None:
    @durable_execution
    async def order(event: None, ctx: AsyncDurableContext) -> list[str]:
        seen: list[str] = []

        def lasts(seconds: float) -> Callable[[StepContext], Any]:
            return lambda step: asyncio.sleep(seconds)

        await ctx.step(lambda s: seen.append("charged"), name="charge")
        until_paid = ctx.wait(timedelta(seconds=2.5), name="until paid")
        await asyncio.gather(ctx.step(lasts(2), name="pack"), until_paid, ctx.step(lasts(4), name="print"))
        return seen

    report = explore_crashes(order)
    assert any("another order: Wait 'until paid'" in str(run) for run in report.differing)
    lost = [run for run in report.differing if not run.repeated]
    assert lost
    assert all("what the body of a step leaves behind" in str(run) for run in lost)


def test_what_a_program_cancels_may_differ() -> None:
    @durable_execution
    async def order(event: None, ctx: AsyncDurableContext) -> str:
        async def body(step: StepContext) -> None:
            await asyncio.sleep(0.9)

        offer = asyncio.create_task(ctx.step(body, name="offer"))
        patience = asyncio.create_task(ctx.wait(timedelta(seconds=1), name="patience"))
        await asyncio.wait([offer, patience], return_when=asyncio.FIRST_COMPLETED)
        for task in (offer, patience):
            task.cancel()
        await asyncio.gather(offer, patience, return_exceptions=True)
        return "offered"

    report = explore_crashes(order)
    statuses = {run.result.operations.get("offer").status for run in report.runs}
    assert statuses == {"SUCCEEDED", "FAILED"}
    report.check()


def test_which_strikes_of_timers_the_engine_has_noted_may_differ() -> None:
    @durable_execution
    async def order(event: None, ctx: AsyncDurableContext) -> str:
        wait = asyncio.create_task(ctx.wait(timedelta(seconds=2), name="wait"))
        await asyncio.sleep(1.9)
        await ctx.step(lambda s: None, name="step")
        await wait
        return "done"

    report = explore_crashes(order)
    timers = {sum(one.sub_type == "Timer" for one in run.result.operations.all) for run in report.runs}
    assert timers == {0, 1}
    report.check()


def test_a_branch_that_depends_on_how_often_it_ran() -> None:
    runs: list[int] = []

    @durable_execution
    def order(event: None, ctx: DurableContext) -> None:
        runs.append(1)
        ctx.step(lambda s: 1, name="first" if len(runs) == 1 else "other")
        ctx.step(lambda s: 1, name="second")

    report = explore_crashes(order, reset=runs.clear)
    assert not report.ok
    assert "NonDeterministicExecutionError" in str(report)


def test_swapped_operations_after_a_crash() -> None:
    first = True

    def reset() -> None:
        nonlocal first
        first = True

    @durable_execution
    def order(event: None, ctx: DurableContext) -> None:
        nonlocal first
        names, first = (["a", "b"] if first else ["b", "a"]), False
        for name in names:
            ctx.step(lambda s: 1, name=name)

    report = explore_crashes(order, reset=reset)
    assert "the outcome is FAILED with" in str(report)


# ---- at most once ------------------------------------------------------------------------------------------------


def test_an_interrupted_step_is_excused_and_listed() -> None:
    charges: list[str] = []

    @durable_execution
    def order(event: str, ctx: DurableContext) -> str:
        return ctx.step(lambda s: charges.append(event) or event, name="charge", config=ONCE)

    report = explore_crashes(order, "A7", ledger=charges).check()
    interrupted = [run for run in report.runs if run.interrupted]
    assert interrupted
    assert all(run.interrupted == ("charge",) for run in interrupted)
    assert all(run.excused for run in interrupted)
    assert report.repeatable == []


# ---- what cannot be compared -------------------------------------------------------------------------------------


def test_an_outcome_that_varies_is_not_compared() -> None:
    @durable_execution
    def order(event: None, ctx: DurableContext) -> str:
        return ctx.step(lambda s: uuid.uuid4().hex, name="id")

    report = explore_crashes(order).check()
    assert len(report.unstable) == 1
    assert "varies without crashes: the outcome" in str(report)


def test_runs_that_record_other_operations_without_any_crash() -> None:
    names = iter("abcdefgh")

    @durable_execution
    def order(event: None, ctx: DurableContext) -> None:
        ctx.step(lambda s: 1, name=next(names))

    with pytest.raises(TestingError, match="two runs without a crash record different operations"):
        explore_crashes(order)


def test_reset_and_a_function_as_ledger() -> None:
    stock = {"apples": 3}

    @durable_execution
    def order(event: None, ctx: DurableContext) -> int:
        def take(step: StepContext) -> int:
            stock["apples"] -= 1
            return stock["apples"]

        return ctx.step(take, name="take")

    report = explore_crashes(order, ledger=lambda: stock["apples"], reset=lambda: stock.update(apples=3))
    assert "the ledger is 1, not 2" in str(report)


def test_mocks_begin_anew_in_each_run() -> None:
    asked = Mock.each("no", "yes")

    @durable_execution
    def order(event: None, ctx: DurableContext) -> list[Any]:
        return [ctx.invoke("ask", 1, name="first"), ctx.invoke("ask", 2, name="second")]

    report = explore_crashes(LocalRunner(order, functions={"ask": asked})).check()
    assert report.baseline.value == ["no", "yes"]
    assert asked.calls == []


def test_only_so_many_runs() -> None:
    @durable_execution
    def many(event: None, ctx: DurableContext) -> None:
        for n in range(20):
            ctx.step(lambda s: 1, name=f"s{n}")

    report = explore_crashes(many, max_runs=7)
    assert len(report.runs) == 7
    assert report.skipped > 70
    assert "raise max_runs= to try them all" in str(report)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda handler: explore_crashes(handler, ledger="charges"), "ledger is 'charges'; it must be a list"),
        (lambda handler: explore_crashes(handler, max_runs=0), "max_runs is 0"),
    ],
)
def test_bad_arguments(call: Callable[[Any], Any], message: str) -> None:
    @durable_execution
    def nothing(event: None, ctx: DurableContext) -> None:
        pass

    with pytest.raises(ValidationError, match=message):
        call(nothing)


@pytest.mark.parametrize("seed", range(8))
def test_random_workflows_are_safe(seed: int) -> None:
    """What the engine promises: whatever is made of operations alone survives every crash."""

    def build(dice: random.Random, depth: int) -> Callable[[DurableContext], Any]:
        def step(ctx: DurableContext) -> Any:
            return ctx.step(lambda s: 7, name="step")

        def wait(ctx: DurableContext) -> Any:
            return ctx.wait(DAY, name="wait")

        def parts(ctx: DurableContext) -> Any:
            return [part(ctx) for part in chosen]

        def child(ctx: DurableContext) -> Any:
            return ctx.run_in_child_context(parts, name="child")

        def parallel(ctx: DurableContext) -> Any:
            return ctx.parallel(chosen, name="parallel").get_results()

        chosen = [build(dice, depth - 1) for _ in range(dice.randint(1, 3))] if depth else []
        return dice.choice([child, parallel, parts] if depth else [step, wait])

    program = build(random.Random(seed), 3)

    @durable_execution
    def handler(event: None, ctx: DurableContext) -> Any:
        return program(ctx)

    assert explore_crashes(handler, max_runs=60).check().baseline.succeeded


@pytest.mark.parametrize("in_map", [False, True])
def test_what_was_under_way_when_the_execution_was_completed(in_map: bool) -> None:
    """How far the others had come is a matter of timing."""

    @durable_execution
    async def handler(_: None, ctx: AsyncDurableContext) -> Any:
        async def branch(inner: AsyncDurableContext, number: int) -> None:
            await inner.step(lambda step: number, name=f"step {number}")
            if number == 1:
                await inner.complete("done")
            await inner.wait(100 * DAY)

        if in_map:
            await ctx.map([0, 1, 2], branch)
        else:
            await asyncio.gather(*[branch(ctx, number) for number in range(3)])

    assert explore_crashes(handler).check().baseline.value == "done"


@pytest.mark.parametrize("forgets", [False, True])
def test_an_interruption_excuses_only_what_follows_from_it(forgets: bool) -> None:
    """The retry comes to the same result, so what the process has forgotten is not the interruption's doing."""
    mails: list[str] = []

    @durable_execution
    def order(event: None, ctx: DurableContext) -> list[str]:
        seen: list[str] = []
        ctx.step(lambda s: seen.append("charged"), name="charge")
        ctx.step(lambda s: mails.append("mail"), name="mail", config=ONCE)
        return seen if forgets else []

    runs = [run for run in explore_crashes(order, ledger=mails).runs if run.interrupted]
    assert runs
    assert any(run.differences for run in runs)
    assert all(run.excused is not forgets for run in runs)
