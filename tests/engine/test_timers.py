"""Timers of the program that strike while something else is under way strike again on every replay (laws R2, R9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from durably import CheckpointMode, Duration

from .harness import Call, Killed
from .modes import ModeWorld
from .timed import Clock, VirtualLoop

HOUR = Duration.from_hours(1)
MODES = list(CheckpointMode)


class Play:
    """A handler in virtual time, on the clock of its loop, and what each invocation has seen."""

    def __init__(self, handler: Callable[[Play, Any], Any], latency: float = 0.0, mode: Any = None) -> None:
        self.clock = Clock()
        self.seen: list[list[Any]] = []
        self.took: list[float] = []

        async def run(event: Any, ctx: Any) -> Any:
            self.seen.append([])
            began = self.clock.now
            try:
                return await handler(self, ctx)
            finally:
                self.took.append(self.clock.now - began)

        self.world = ModeWorld(run, loop_factory=lambda: VirtualLoop(self.clock), checkpointing=mode)
        acheckpoint = self.world.link.acheckpoint

        async def late(*args: Any) -> Any:
            await asyncio.sleep(latency / 2)
            answer = await acheckpoint(*args)
            await asyncio.sleep(latency / 2)
            return answer

        if latency:
            self.world.link.acheckpoint = late  # type: ignore[method-assign]

    def step(self, ctx: Any, name: str, seconds: float) -> Any:
        async def body(step: Any) -> str:
            await asyncio.sleep(seconds)
            self.world.effect(name)
            return name

        return ctx.step(body, name=name)

    def note(self, *what: Any) -> None:
        self.seen[-1].extend(what)

    def run(self) -> Any:
        """The result; every invocation has seen the beginning of the same story."""
        self.world.run()
        assert self.world.status == "SUCCEEDED", self.world.outcome
        longest = max(self.seen, key=len)
        assert self.seen == [longest[: len(one)] for one in self.seen]
        return self.world.value

    @property
    def strikes(self) -> int:
        return len([view for view in self.world.operations.values() if view.get("SubType") == "Timer"])


async def by_timeout(awaitable: Any, seconds: float) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await awaitable
    except TimeoutError:
        return "timeout"


async def by_wait_for(awaitable: Any, seconds: float) -> Any:
    try:
        return await asyncio.wait_for(awaitable, seconds)
    except TimeoutError:
        return "timeout"


async def by_wait(awaitable: Any, seconds: float) -> Any:
    task = asyncio.ensure_future(awaitable)
    done, _ = await asyncio.wait([task], timeout=seconds)
    if done:
        return task.result()
    task.cancel()
    return "timeout"


async def by_sleeping(awaitable: Any, seconds: float) -> Any:
    task, sleeper = asyncio.ensure_future(awaitable), asyncio.create_task(asyncio.sleep(seconds))
    await asyncio.wait([task, sleeper], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        sleeper.cancel()
        return task.result()
    task.cancel()
    return "timeout"


async def by_anyio(awaitable: Any, seconds: float) -> Any:
    with anyio.move_on_after(seconds):
        return await awaitable
    return "timeout"


async def by_call_later(awaitable: Any, seconds: float) -> Any:
    task = asyncio.ensure_future(awaitable)
    over = asyncio.Event()
    handle = asyncio.get_running_loop().call_later(seconds, lambda: (over.set(), task.cancel()))
    try:
        return await task
    except asyncio.CancelledError:
        if not over.is_set():
            raise
        return "timeout"
    finally:
        handle.cancel()


LIMITS = [by_timeout, by_wait_for, by_wait, by_sleeping, by_anyio, by_call_later]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("mode", MODES)
def test_around_a_step(limit: Any, mode: CheckpointMode) -> None:
    async def handler(play: Play, ctx: Any) -> Any:
        play.note(await limit(play.step(ctx, "long", 30), 5))
        play.note(await play.step(ctx, "after", 1))
        await ctx.wait(HOUR)
        return await play.step(ctx, "end", 1)

    play = Play(handler, mode=mode)
    assert play.run() == "end"
    assert play.seen[0] == ["timeout", "after"]
    assert play.world.effects == ["after", "end"]
    assert play.took == [6, 1], "recorded strikes take no time"


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seconds", [4, 4.75, 5, 5.25])
def test_while_the_result_of_a_step_is_on_its_way(limit: Any, mode: CheckpointMode, seconds: float) -> None:
    """A call takes half a second, so in some of these the time is over in the middle of it."""

    async def handler(play: Play, ctx: Any) -> Any:
        play.note(await limit(play.step(ctx, "s", seconds), 5))
        play.note(await play.step(ctx, "after", 1))
        await ctx.wait(HOUR)
        await ctx.wait(HOUR)
        return play.seen[-1]

    play = Play(handler, latency=0.5, mode=mode)
    assert play.run() == [*play.seen[0]]
    assert play.seen[0][0] == ("s" if seconds < 5 else "timeout") or seconds == 5
    assert len(play.seen) == 3


@pytest.mark.parametrize("limit", LIMITS)
def test_around_a_wait_that_a_sibling_keeps_alive(limit: Any) -> None:
    async def handler(play: Play, ctx: Any) -> Any:
        async def sibling() -> None:
            play.note(await play.step(ctx, "sibling", 10))

        async def waiting() -> None:
            play.note(await limit(ctx.wait(Duration.from_seconds(60)), 5))
            play.note(await play.step(ctx, "instead", 1))

        await asyncio.gather(sibling(), waiting())
        await ctx.wait(HOUR)
        await ctx.wait(HOUR)
        return play.seen[-1]

    play = Play(handler)
    assert play.run() == ["timeout", "instead", "sibling"]
    assert play.took == [10, 0, 0, 0], "the wait ends, and nobody waits for it any more"


@pytest.mark.parametrize("limit", LIMITS)
def test_around_several_operations(limit: Any) -> None:
    """The first takes most of the time, and none of it on replay."""

    async def handler(play: Play, ctx: Any) -> Any:
        async def both() -> str:
            play.note(await play.step(ctx, "first", 9))
            play.note(await play.step(ctx, "second", 5))
            return "both"

        play.note(await limit(both(), 10))
        await ctx.wait(HOUR)
        return play.seen[-1]

    play = Play(handler)
    assert play.run() == ["first", "timeout"]
    assert play.took == [10, 0]


def test_the_one_that_struck_strikes_again_and_not_the_one_that_would_be_first_by_the_clock() -> None:
    async def handler(play: Play, ctx: Any) -> Any:
        try:
            async with asyncio.timeout(12):
                await play.step(ctx, "first", 9)
                play.note(await by_timeout(play.step(ctx, "second", 30), 10))
        except TimeoutError:
            play.note("outer")
        await play.step(ctx, "after", 1)
        await ctx.wait(HOUR)
        return play.seen[-1]

    play = Play(handler)
    assert play.run() == ["outer"]


def test_a_strike_that_came_too_late_comes_too_late_again() -> None:
    """The result was on its way when the time was over: it is used, and the recorded strike is of no effect."""

    async def handler(play: Play, ctx: Any) -> Any:
        play.note(await by_timeout(play.step(ctx, "s", 4.9), 5))
        play.note(await by_timeout(play.step(ctx, "t", 30), 5))
        await ctx.wait(HOUR)
        return play.seen[-1]

    play = Play(handler, latency=0.5)
    assert play.run() == ["s", "timeout"]
    assert play.strikes == 2


def test_in_child_contexts_branches_and_tasks() -> None:
    async def handler(play: Play, ctx: Any) -> Any:
        async def inside(inner: Any, item: int, *rest: Any) -> list[Any]:
            found = []
            for n in range(2):
                found.append(await by_timeout(play.step(inner, f"{item}.{n}", item * (n + 1)), 2.5))
            await inner.wait(HOUR)
            return found

        async def child(inner: Any) -> list[Any]:
            return await inside(inner, 3)

        parts = [ctx.run_in_child_context(child, name="child"), ctx.map([1, 2], inside)]
        first, second = await asyncio.gather(*parts)
        return [first, *second.get_results()]

    play = Play(handler)
    assert play.run() == [["timeout", "timeout"], ["1.0", "1.1"], ["2.0", "timeout"]]


def test_a_timer_alone_is_not_recorded_nor_is_one_in_a_step() -> None:
    async def handler(play: Play, ctx: Any) -> Any:
        async def body(step: Any) -> Any:
            return await by_timeout(asyncio.sleep(30), 1)

        await asyncio.sleep(1)
        play.note(await ctx.step(body, name="s"))
        await asyncio.sleep(1)
        await ctx.wait(HOUR)
        return play.seen[-1]

    play = Play(handler)
    assert play.run() == ["timeout"]
    assert play.strikes == 0
    assert play.took == [3, 2]


def test_a_timer_among_timers_is_recorded() -> None:
    """The step takes two seconds, and none on replay: the sleep would be over in time."""

    async def handler(play: Play, ctx: Any) -> Any:
        async def both() -> str:
            await play.step(ctx, "s", 2)
            await asyncio.sleep(5)
            return "slept"

        play.note(await by_timeout(both(), 6))
        await ctx.wait(HOUR)
        return play.seen[-1]

    play = Play(handler)
    assert play.run() == ["timeout"]
    assert play.took == [6, 0]


def test_a_timer_that_is_cancelled_in_time_is_not_recorded() -> None:
    async def handler(play: Play, ctx: Any) -> Any:
        for n in range(3):
            play.note(await by_timeout(play.step(ctx, f"s{n}", 1), 5))
        return play.seen[-1]

    play = Play(handler)
    assert play.run() == ["s0", "s1", "s2"]
    assert play.strikes == 0


def test_sleeping_tasks_beside_operations() -> None:
    """The order of sleeps and completions is that of the first run, though on replay neither takes time."""

    async def handler(play: Play, ctx: Any) -> Any:
        async def sleeps(n: int) -> None:
            for _ in range(4):
                await asyncio.sleep(n)
                play.note(f"sleep {n}")

        async def works(n: float) -> None:
            for k in range(3):
                play.note(await play.step(ctx, f"{n}.{k}", n))

        await asyncio.gather(sleeps(2), works(2.5), sleeps(3), works(0.7))
        await ctx.wait(HOUR)
        return play.seen[-1]

    play = Play(handler)
    story = play.run()
    assert len(story) == 14
    assert play.took[1] < play.took[0]


def test_an_answer_that_came_before_it_was_asked_for_does_not_hold_up_a_sleep() -> None:
    async def handler(play: Play, ctx: Any) -> Any:
        callback = await ctx.create_callback(name="answered")

        async def answer(step: Any) -> None:
            play.world.service.call(
                "SendDurableExecutionCallbackSuccess", CallbackId=callback.callback_id, Result="yes"
            )
            await asyncio.sleep(30)

        beside = asyncio.create_task(ctx.step(answer, name="answer"))
        await asyncio.sleep(20)
        play.note(await callback.result())
        await beside
        await ctx.wait(HOUR)
        return play.seen[-1]

    play = Play(handler)
    assert play.run() == ["yes"]
    assert play.took == [30, 0]


def test_in_started_operations() -> None:
    async def handler(play: Play, ctx: Any) -> Any:
        def block(n: float) -> Any:
            async def attempt(inner: Any, number: int) -> float:
                await asyncio.sleep(n)
                order.append(n)
                return n

            return attempt

        started = [ctx.start(ctx.with_retry, block(n)) for n in (3, 1, 2)]
        play.note(await by_timeout(play.step(ctx, "beside", 30), 2.5), *[await one for one in started])
        await ctx.wait(HOUR)
        return play.seen[-1]

    order: list[float] = []
    play = Play(handler)
    assert play.run() == ["timeout", 3, 1, 2]
    assert order == [1, 2, 3]
    assert play.strikes == 4
    assert play.took[1] == 0


def test_a_loop_whose_call_at_is_made_of_call_later() -> None:
    """As in uvloop; asyncio's own is made the other way round."""

    class Inverted(VirtualLoop):
        def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
            return self.call_later(when - self.time(), callback, *args, context=context)

        def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
            return super().call_at(self.time() + delay, callback, *args, context=context)

    async def handler(play: Play, ctx: Any) -> Any:
        play.note(await by_timeout(play.step(ctx, "long", 30), 5), await by_sleeping(play.step(ctx, "other", 30), 5))
        await ctx.wait(HOUR)
        return play.seen[-1]

    play = Play(handler)
    play.world.loop_factory = lambda: Inverted(play.clock)
    assert play.run() == ["timeout", "timeout"]
    assert play.strikes == 2
    assert play.took == [10, 0]


def test_a_loop_that_cannot_be_told_of() -> None:
    class Closed(VirtualLoop):
        def __setattr__(self, name: str, value: Any) -> None:
            if name == "call_at":
                raise AttributeError(name)
            super().__setattr__(name, value)

    async def handler(play: Play, ctx: Any) -> Any:
        return await by_timeout(play.step(ctx, "long", 30), 5)

    play = Play(handler)
    play.world.loop_factory = lambda: Closed(play.clock)
    assert play.run() == "timeout"
    assert play.strikes == 0


def test_a_program_that_no_longer_sets_the_timer_goes_on() -> None:
    async def handler(play: Play, ctx: Any) -> Any:
        async def nap() -> None:
            if len(play.seen) == 1:
                await asyncio.sleep(1)

        await asyncio.gather(play.step(ctx, "long", 3), nap())
        await ctx.wait(HOUR)
        return await play.step(ctx, "end", 1)

    play = Play(handler)
    assert play.run() == "end"


# ---- crashes -----------------------------------------------------------------------------------------------


async def a_bit_of_everything(play: Play, ctx: Any) -> Any:
    async def waiting() -> Any:
        found = await by_timeout(ctx.wait(Duration.from_seconds(60), name="wait"), 5)
        return [found, await play.step(ctx, "instead", 1)]

    async def working() -> Any:
        return [
            await by_wait_for(play.step(ctx, "quick", 1), 2),
            await by_anyio(play.step(ctx, "slow", 30), 2.25),
            await play.step(ctx, "sibling", 10),
        ]

    async def sleeping() -> str:
        await asyncio.sleep(3)
        return await play.step(ctx, "slept", 1)

    play.note(await asyncio.gather(waiting(), working(), sleeping()))
    await ctx.wait(HOUR)
    return play.seen[-1][0]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("latency", [0.0, 0.4])
def test_a_crash_at_every_boundary(latency: float, when: str) -> None:
    def killing(play: Play, at: int) -> Callable[[Call], BaseException | None]:
        return lambda call: Killed() if len(play.world.link.calls) == at + 1 else None

    calm = Play(a_bit_of_everything, latency)
    expected = [["timeout", "instead"], ["quick", "timeout", "sibling"], "slept"]
    assert calm.run() == expected
    for at in range(len(calm.world.link.calls)):
        play = Play(a_bit_of_everything, latency)
        setattr(play.world.link, when, killing(play, at))
        play.world.run()
        assert play.world.value == expected, at
        assert len(play.world.effects) <= 4 + 3, "a crash repeats at most the steps that were running"
