"""Early completion ends early: losers are not waited for, record nothing more and leak nowhere."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from durably import (
    CompletionConfig,
    ContextMisuseError,
    Duration,
    NestingType,
    ParallelConfig,
    RetryDecision,
    StepConfig,
)

from .harness import Flavour, World, run

SECOND = Duration.from_seconds(1)
MONTH = Duration.from_days(30)
FIRST = ParallelConfig(completion_config=CompletionConfig.first_successful())
RETRY = StepConfig(retry_strategy=lambda error, n: RetryDecision.retry(MONTH))


def nothing_after(world: World, name: str) -> None:
    """Below the batch ``name`` nothing was sent once it was complete."""
    batch_id = world.named(name)["Id"]
    family, over = {batch_id}, False
    for update in world.updates:
        if update.get("ParentId") in family:
            family.add(update["Id"])
            assert not over, update
        if update["Id"] == batch_id and update["Action"] in ("SUCCEED", "FAIL"):
            over = True
    assert over


# ---- losers that wait for the service -------------------------------------------------------------------


@pytest.mark.parametrize("nesting", NestingType)
@pytest.mark.parametrize("kind", ["wait", "callback", "retry", "child", "parallel", "condition"])
def test_a_loser_that_waits_is_not_waited_for(flavour: Flavour, kind: str, nesting: NestingType) -> None:
    def handler(event, ctx):
        def fail(step):
            raise OSError

        def loser(inner):
            try:
                if kind == "wait":
                    yield inner.wait(MONTH, name="long")
                elif kind == "callback":
                    yield (yield inner.create_callback(name="never")).result()
                elif kind == "retry":
                    yield inner.step(flavour(fail), config=RETRY)
                elif kind == "child":

                    def deeper(context):
                        yield context.wait(MONTH)

                    yield inner.run_in_child_context(flavour(deeper))
                else:

                    def waiting(context):
                        yield context.wait(MONTH)

                    yield inner.parallel([flavour(waiting), flavour(waiting)])
            finally:
                unwound.append(kind)
            world.effect("went on")

        def winner(inner):
            yield inner.wait(SECOND)
            return (yield inner.step(flavour(lambda step: "won")))

        config = ParallelConfig(completion_config=CompletionConfig.first_successful(), nesting_type=nesting)
        result = yield ctx.parallel([flavour(loser), flavour(winner)], name="race", config=config)
        seen.append(result)
        after = yield ctx.step(flavour(lambda step: "after"))
        yield ctx.wait(SECOND)
        return [result.get_results(), [item.status.value for item in result], result.completion_reason.value, after]

    seen: list[Any] = []
    unwound: list[str] = []
    world = flavour.world(handler)
    start = world.clock.now_ms()
    world.run()
    assert world.value == [["won"], ["STARTED", "SUCCEEDED"], "MIN_SUCCESSFUL_REACHED", "after"]
    assert seen[0] == seen[1]
    assert world.effects == []
    assert world.clock.now_ms() - start < 60_000
    nothing_after(world, "race")


# ---- losers that run ------------------------------------------------------------------------------------


def test_a_running_loser_can_record_nothing_more_sync() -> None:
    """Its body ends after the parallel is over; what it returns, and every operation it calls, is refused."""
    started, over, done = threading.Event(), threading.Event(), threading.Event()
    refused: list[str] = []

    def handler(event, ctx):
        def body(step):
            started.set()
            assert over.wait(60)
            return "late"

        def loser(inner):
            try:
                inner.step(body, name="slow")
                refused.append("went on")
            except BaseException as error:
                refused.append(type(error).__name__)
            for operation in (
                lambda: inner.step(lambda step: refused.append("ran")),
                lambda: inner.wait(SECOND),
                lambda: inner.create_callback(),
                lambda: inner.run_in_child_context(lambda deeper: refused.append("ran")),
                lambda: inner.map([1], lambda deeper, item: refused.append("ran")),
            ):
                try:
                    operation()
                    refused.append("went on")
                except BaseException as error:
                    refused.append(type(error).__name__)
            done.set()
            return "swallowed"

        def winner(inner):
            assert started.wait(60)
            return "won"

        result = ctx.parallel([loser, winner], name="race", config=FIRST)
        over.set()
        assert done.wait(60)
        after = ctx.step(lambda step: "after", name="after")
        return [result.get_results(), [item.status.value for item in result], after]

    world = run(handler)
    assert world.value == [["won"], ["STARTED", "SUCCEEDED"], "after"]
    assert refused == ["SuspendExecution"] * 6
    assert "slow" not in [name for batch in world.batches for kind, action, name in batch if action == "SUCCEED"]
    nothing_after(world, "race")


def test_a_loser_of_an_earlier_invocation_cannot_reach_the_next_one_sync() -> None:
    started, release, gone = threading.Event(), threading.Event(), threading.Event()
    outcome: list[str] = []

    def handler(event, ctx):
        def loser(inner):
            started.set()
            assert release.wait(60)
            try:
                inner.step(lambda step: outcome.append("ran"))
            except BaseException as error:
                outcome.append(type(error).__name__)
            gone.set()

        def winner(inner):
            assert started.wait(60)

        ctx.parallel([loser, winner], name="race", config=FIRST)
        ctx.wait(SECOND)
        release.set()
        assert gone.wait(60)
        return ctx.step(lambda step: "end")

    world = run(handler)
    assert world.value == "end"
    assert world.invocations == 2
    assert outcome == ["SuspendExecution"]


def test_losers_are_cancelled_async() -> None:
    fates: list[Any] = []

    async def handler(event, ctx):
        async def body(step):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                fates.append("body cancelled")
                raise

        async def loser(inner):
            try:
                await inner.step(body, name="slow")
            finally:
                fates.append("branch cancelled")

        async def stubborn(inner):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                try:
                    await inner.step(lambda step: fates.append("ran"), name="late")
                except asyncio.CancelledError:
                    fates.append("refused")
                return "swallowed"

        async def winner(inner):
            return await inner.step(lambda step: "won")

        result = await ctx.parallel([loser, stubborn, winner], name="race", config=FIRST)
        after = await ctx.step(lambda step: "after")
        return [result.get_results(), [item.status.value for item in result], after]

    world = run(handler)
    assert world.value == [["won"], ["STARTED", "STARTED", "SUCCEEDED"], "after"]
    assert sorted(fates) == ["body cancelled", "branch cancelled", "refused"]
    nothing_after(world, "race")


def test_tasks_that_a_loser_has_spawned_end_with_it() -> None:
    fates: list[str] = []

    async def handler(event, ctx):
        async def loser(inner):
            async def own():
                try:
                    await asyncio.Event().wait()
                finally:
                    fates.append("cancelled")

            await asyncio.gather(own(), own())

        async def winner(inner):
            await inner.step(lambda step: None)

        await ctx.parallel([loser, winner], config=FIRST)
        await ctx.step(lambda step: None)
        left = [task for task in asyncio.all_tasks() if "own" in repr(task.get_coro())]
        return [fates, len(left)]

    assert run(handler).value == [["cancelled", "cancelled"], 0]


def test_a_branch_that_is_cancelled_by_its_own_code_has_failed() -> None:
    async def handler(event, ctx):
        async def confused(inner):
            await inner.step(lambda step: None)
            task = asyncio.create_task(asyncio.sleep(1000))
            task.cancel()
            await task

        async def fine(inner):
            await inner.wait(SECOND)
            return "fine"

        config = ParallelConfig(completion_config=CompletionConfig.all_completed())
        result = await ctx.parallel([confused, fine], config=config)
        seen.append(
            [[item.status.value for item in result], result[0].error.type, "own code" in result[0].error.message]
        )
        await ctx.wait(SECOND)

    seen: list[Any] = []
    world = run(handler)
    assert world.status == "SUCCEEDED", world.outcome
    assert seen == [[["FAILED", "SUCCEEDED"], "RuntimeError", True]] * 2


def test_a_batch_that_the_program_cancels_is_cancelled_again_on_replay() -> None:
    """A timeout around a map is a decision of the program: recorded, and repeated."""

    async def handler(event, ctx):
        async def slow(inner, item):
            await inner.step(lambda step: asyncio.Event().wait(), name=f"slow {item}")

        try:
            async with asyncio.timeout(0.01):
                await ctx.map([1, 2], slow, name="m")
        except TimeoutError:
            seen.append("timeout")
        await ctx.wait(SECOND)
        return await ctx.step(lambda step: "end")

    seen: list[str] = []
    world = run(handler)
    assert world.value == "end"
    assert seen == ["timeout", "timeout"]
    assert world.named("m")["Status"] == "FAILED"
    assert world.named("m")["ContextDetails"]["Error"]["ErrorType"] == "asyncio.CancelledError"


# ---- the wrong context ----------------------------------------------------------------------------------


def test_the_outer_context_is_refused_inside_a_branch(flavour: Flavour) -> None:
    def handler(event, ctx):
        def branch(inner):
            with pytest.raises(ContextMisuseError, match="which has a context of its own"):
                yield ctx.step(flavour(lambda step: 1))
            return (yield inner.step(flavour(lambda step: "fine")))

        return (yield ctx.parallel([flavour(branch), flavour(branch)])).get_results()

    assert flavour.run(handler).value == ["fine", "fine"]


def test_the_context_of_one_branch_is_refused_in_another(flavour: Flavour) -> None:
    def handler(event, ctx):
        def first(inner):
            contexts.append(inner)
            return (yield inner.step(flavour(lambda step: "first")))

        def second(inner):
            with pytest.raises(ContextMisuseError, match="context"):
                yield contexts[0].step(flavour(lambda step: 1))
            return (yield inner.step(flavour(lambda step: "second")))

        config = ParallelConfig(max_concurrency=1)
        return (yield ctx.parallel([flavour(first), flavour(second)], config=config)).get_results()

    contexts: list[Any] = []
    assert flavour.run(handler).value == ["first", "second"]


def test_a_branchs_context_is_refused_after_the_batch(flavour: Flavour) -> None:
    def handler(event, ctx):
        def branch(inner):
            contexts.append(inner)
            yield inner.step(flavour(lambda step: 1))

        yield ctx.parallel([flavour(branch)])
        with pytest.raises(ContextMisuseError):
            yield contexts[0].step(flavour(lambda step: 1))
        return "refused"

    contexts: list[Any] = []
    assert flavour.run(handler).value == "refused"


def test_what_an_answer_brings_behind_the_deciding_branch_comes_too_late() -> None:
    """The winner's completion and a loser's come in one answer, in this order: the loser does not go on."""

    async def step(step: Any) -> int:
        return 1

    async def winner(inner: Any) -> int:
        return await inner.step(step)

    async def loser(inner: Any) -> None:
        await inner.step(step)
        await inner.step(step, name="second")
        went_on.append(1)
        await inner.step(step, name="third")

    async def handler(event: Any, ctx: Any) -> Any:
        return (await ctx.parallel([winner, loser], config=FIRST)).get_results()

    went_on: list[int] = []
    world = run(handler)
    assert world.value == [1]
    together = next(call for call in world.batches if ("STEP", "SUCCEED", "second") in call)
    assert ("CONTEXT", "SUCCEED", "parallel-branch-0") in together
    assert together.index(("CONTEXT", "SUCCEED", "parallel-branch-0")) < together.index(("STEP", "SUCCEED", "second"))
    assert went_on == []
    assert "third" not in [update.get("Name") for update in world.updates]
