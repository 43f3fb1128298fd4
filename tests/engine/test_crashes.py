"""Every handler of a catalogue is killed at every boundary of every call, in turn (laws R1, R5, R6).

A boundary is the moment before a call reaches the service, or after it was applied there and before the answer is
known. The result and the side effects equal those of the run without a crash, but for steps that had not been
recorded yet; those may be repeated (``effect`` itself refuses a step that has been recorded).
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durably import (
    CallbackConfig,
    CallbackError,
    ChildConfig,
    ChildContextError,
    Duration,
    InvokeError,
    RetryDecision,
    StepConfig,
    StepError,
    StepSemantics,
    WaitForCallbackConfig,
)

from .harness import Answer, Call, Flavour, Killed, World, identities

SECOND = Duration.from_seconds(1)
RETRY = StepConfig(retry_strategy=lambda error, n: RetryDecision(n < 3, Duration.from_seconds(2)))
AT_MOST_ONCE = StepConfig(RETRY.retry_strategy, StepSemantics.AT_MOST_ONCE_PER_RETRY)


class Story:
    """What a handler of the catalogue needs: its flavour, and steps whose effects are kept in the ledger."""

    def __init__(self, flavour: Flavour) -> None:
        self.flavour = flavour
        self.world: World

    def step(self, ctx: Any, name: str, value: Any = None, failures: int = 0, config: StepConfig = RETRY) -> Any:
        def body(step: Any) -> Any:
            recorded = [view["Status"] for view in list(self.world.operations.values()) if view.get("Name") == name]
            assert recorded in ([], ["STARTED"], ["READY"]), f"law R1: {name} runs again although it is {recorded}"
            self.world.effect((name, step.attempt))
            if step.attempt <= failures:
                raise ValueError(f"{name} {step.attempt}")
            return name if value is None else value

        return ctx.step(self.flavour(body), name=name, config=config)


def one_step(story, event, ctx):
    return (yield story.step(ctx, "only"))


def sequence(story, event, ctx):
    found = []
    for n in range(4):
        found.append((yield story.step(ctx, f"s{n}", n)))
    return found


def retries(story, event, ctx):
    first = yield story.step(ctx, "flaky", failures=2)
    try:
        yield story.step(ctx, "hopeless", failures=3)
    except StepError as error:
        return [first, str(error)]


def at_most_once(story, event, ctx):
    found = []
    for n in range(3):
        try:
            found.append((yield story.step(ctx, f"s{n}", n, config=AT_MOST_ONCE)))
        except StepError as error:
            found.append(str(error))
    return len(found)


def waits(story, event, ctx):
    for n in range(3):
        yield story.step(ctx, f"before {n}")
        yield ctx.wait(SECOND, name=f"wait {n}")
    return (yield story.step(ctx, "end"))


def callbacks(story, event, ctx):
    first = yield ctx.create_callback(name="answered")
    second = yield ctx.create_callback(name="ignored", config=CallbackConfig(timeout=SECOND))
    yield story.step(ctx, "send")
    try:
        yield second.result()
    except CallbackError as error:
        return [(yield first.result()), type(error).__name__]


def waiting_for_callback(story, event, ctx):
    def submit(callback_id, context):
        story.world.effect(("submitted", context.attempt))
        if context.attempt == 1:
            raise OSError("away")

    config = WaitForCallbackConfig(retry_strategy=RETRY.retry_strategy)
    return (yield ctx.wait_for_callback(story.flavour(submit), name="approval", config=config))


def invokes(story, event, ctx):
    found = [(yield ctx.invoke("double", 2, name="good"))]
    try:
        yield ctx.invoke("double", None, name="bad")
    except InvokeError as error:
        found.append(error.error_type)
    return found


def children(story, event, ctx):
    def inside(inner):
        yield story.step(inner, "in 1")
        yield inner.wait(SECOND)
        return (yield story.step(inner, "in 2"))

    return [(yield ctx.run_in_child_context(story.flavour(inside), name="child")), (yield story.step(ctx, "after"))]


def failing_child(story, event, ctx):
    def inside(inner):
        yield story.step(inner, "in")
        raise KeyError("lost")

    try:
        yield ctx.run_in_child_context(story.flavour(inside), name="child")
    except ChildContextError as error:
        yield story.step(ctx, "compensate")
        return str(error)


def large_child(story, event, ctx):
    def inside(inner):
        part = yield story.step(inner, "part", "x" * 50_000)
        other = yield story.step(inner, "other")
        return [part] * 6 + [other]

    value = yield ctx.run_in_child_context(story.flavour(inside), name="child")
    yield ctx.wait(SECOND)
    return len(value)


def deep(story, event, ctx):
    def level(n):
        def inside(inner):
            yield story.step(inner, f"down {n}")
            if n < 4:
                yield inner.run_in_child_context(story.flavour(level(n + 1)), name=f"level {n + 1}")
            yield inner.wait(SECOND)
            return (yield story.step(inner, f"up {n}"))

        return inside

    return (yield ctx.run_in_child_context(story.flavour(level(1)), name="level 1"))


def virtual(story, event, ctx):
    def inside(inner):
        yield story.step(inner, "a")
        yield inner.wait(SECOND)
        return (yield story.step(inner, "b"))

    return (yield ctx.run_in_child_context(story.flavour(inside), name="flat", config=ChildConfig(is_virtual=True)))


def large_result(story, event, ctx):
    yield story.step(ctx, "a")
    return "x" * (6 * 1024 * 1024 - 49)


def failing_handler(story, event, ctx):
    yield story.step(ctx, "a")
    raise LookupError("on purpose")


def pages(story, event, ctx):
    for n in range(6):
        yield story.step(ctx, f"s{n}", n)
    yield ctx.wait(SECOND)
    return (yield story.step(ctx, "end"))


STORIES = {
    one.__name__: one
    for one in [
        one_step,
        sequence,
        retries,
        at_most_once,
        waits,
        callbacks,
        waiting_for_callback,
        invokes,
        children,
        failing_child,
        large_child,
        deep,
        virtual,
        large_result,
        failing_handler,
        pages,
    ]
}


# ---- concurrent ones, of the async world ----------------------------------------------------------------


async def gathered(story, event, ctx):
    async def one(n):
        yield_ = await story.step(ctx, f"{n} first")
        await ctx.wait(Duration.from_seconds(n + 1))
        return [yield_, await story.step(ctx, f"{n} second", failures=n % 2)]

    return await asyncio.gather(*[one(n) for n in range(3)])


async def grouped_children(story, event, ctx):
    def child(n):
        async def inside(inner):
            await story.step(inner, f"{n} in")
            await inner.wait(SECOND)
            return await story.step(inner, f"{n} out")

        return inside

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ctx.run_in_child_context(child(n), name=f"{n}")) for n in range(3)]
    return [task.result() for task in tasks]


async def pipelined(story, event, ctx):
    queue: asyncio.Queue[Any] = asyncio.Queue(1)

    async def produce():
        for n in range(4):
            await queue.put(await story.step(ctx, f"produce {n}", n))
        await queue.put(None)

    async def consume():
        found = []
        while (item := await queue.get()) is not None:
            found.append(await story.step(ctx, f"consume {item}", item * 10))
        return found

    return (await asyncio.gather(produce(), consume()))[1]


async def raced(story, event, ctx):
    async def slow():
        await story.step(ctx, "slow")
        await ctx.wait(Duration.from_hours(1))
        return "slow"

    async def quick():
        await ctx.wait(SECOND)
        return await story.step(ctx, "quick")

    tasks = [asyncio.create_task(slow()), asyncio.create_task(quick())]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending)
    return [task.result() for task in done] + [await story.step(ctx, "after")]


CONCURRENT = {one.__name__: one for one in [gathered, grouped_children, pipelined, raced]}


# ---- exploring ------------------------------------------------------------------------------------------


def play(source: Any, flavour: Flavour, fault_at: set[tuple[int, str]], failure: type[BaseException]) -> World:
    """One execution of ``source`` that fails at the boundaries ``fault_at``: (number of the call, before or after)."""
    story = Story(flavour)

    def double(payload: Any) -> Any:
        return {"doubled": payload * 2}

    if asyncio.iscoroutinefunction(source):

        async def handler(event: Any, ctx: Any) -> Any:
            return await source(story, event, ctx)

        made: Any = handler
    else:

        def generator(event: Any, ctx: Any) -> Any:
            return (yield from source(story, event, ctx))

        made = flavour(generator)
    answers = {"answered": Answer("yes"), "approval create callback id": Answer("approved")}
    page = 2 if source is pages else 1000
    story.world = world = World(made, callbacks=answers, functions={"double": double}, page=page)

    def fault(when: str) -> Any:
        def decide(call: Call) -> BaseException | None:
            number = next(n for n, one in enumerate(world.link.calls) if one is call)
            return failure() if (number, when) in fault_at else None

        return decide

    world.link.before, world.link.after = fault("before"), fault("after")
    world.run()
    return world


def same_outcome(world: World, calm: World) -> None:
    assert (world.status, world.outcome.value) == (calm.status, calm.outcome.value)
    assert world.outcome.error.get("errorType") == calm.outcome.error.get("errorType")
    assert set(world.effects) == set(calm.effects)
    assert identities(world) == identities(calm)


def explore(source: Any, flavour: Flavour, failure: type[BaseException]) -> None:
    calm = play(source, flavour, set(), failure)
    assert calm.status in ("SUCCEEDED", "FAILED")
    assert len(calm.effects) == len(set(calm.effects))
    for number in range(len(calm.link.calls)):
        for when in ("before", "after"):
            world = play(source, flavour, {(number, when)}, failure)
            struck = any(isinstance(output, failure) for output in world.outputs)
            assert struck or number >= len(world.link.calls)  # a START may have shared a call that it had for itself
            if source is at_most_once:
                assert world.outcome.value == calm.outcome.value
                assert len(world.effects) == len(set(world.effects)), "an attempt is never repeated"
            else:
                same_outcome(world, calm)
                at_once = 1 if source in STORIES.values() else 3
                assert len(world.effects) - len(calm.effects) <= at_once, "only what was under way is repeated"


@pytest.mark.parametrize("failure", [Killed, OSError])
@pytest.mark.parametrize("source", STORIES.values(), ids=STORIES)
def test_a_crash_at_every_boundary(source: Any, flavour: Flavour, failure: type[BaseException]) -> None:
    explore(source, flavour, failure)


@pytest.mark.parametrize("failure", [Killed, OSError])
@pytest.mark.parametrize("source", CONCURRENT.values(), ids=CONCURRENT)
def test_a_crash_at_every_boundary_of_concurrent_code(source: Any, failure: type[BaseException]) -> None:
    explore(source, Flavour("async"), failure)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("source", [*STORIES.values(), *CONCURRENT.values()], ids=[*STORIES, *CONCURRENT])
def test_two_crashes_at_every_pair_of_boundaries(source: Any) -> None:
    flavour = Flavour("async")
    calm = play(source, flavour, set(), Killed)
    count = len(calm.link.calls) + 2
    boundaries = [(n, when) for n in range(count) for when in ("before", "after")]
    for one in boundaries:
        for two in boundaries:
            if one < two:
                world = play(source, flavour, {one, two}, Killed)
                if source is at_most_once:
                    assert world.outcome.value == calm.outcome.value
                else:
                    same_outcome(world, calm)
