"""Random async programs full of timers, in virtual time: every replay tells the same story (laws R2, R9)."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durably import CheckpointMode, Duration

from .harness import Call, Killed
from .test_timers import HOUR, Play, by_anyio, by_call_later, by_sleeping, by_timeout, by_wait, by_wait_for

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
THOROUGH = settings(QUICK, max_examples=2500)
LIMITS = {one.__name__: one for one in (by_timeout, by_wait_for, by_wait, by_sleeping, by_anyio, by_call_later)}
TENTHS = st.integers(0, 60)

LEAVES = st.one_of(
    st.tuples(st.just("step"), TENTHS),
    st.tuples(st.just("sleep"), TENTHS),
    st.tuples(st.just("wait"), st.integers(1, 8)),
)


def _branches(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        st.tuples(st.just("row"), several),
        st.tuples(st.just("gather"), several),
        st.tuples(st.just("first"), several),
        st.tuples(st.just("child"), inner),
        st.tuples(st.just("limit"), st.sampled_from(sorted(LIMITS)), st.integers(1, 60), inner),
    )


PROGRAMS = st.recursive(LEAVES, _branches, max_leaves=8)


async def interpret(play: Play, ctx: Any, node: Any, path: str, where: str = "") -> Any:
    """Carry ``node`` out, noting each part that has ended in the order in which they do.

    ``where``: the context, told apart by its path.
    """
    kind = node[0]
    value: Any = path
    if kind == "step":
        await play.step(ctx, path, node[1] / 10)
    elif kind == "sleep":
        await asyncio.sleep(node[1] / 10)
    elif kind == "wait":
        await ctx.wait(Duration.from_seconds(node[1]), name=path)
    elif kind == "row":
        value = [await interpret(play, ctx, one, f"{path}.{n}", where) for n, one in enumerate(node[1])]
    elif kind == "gather":
        value = await asyncio.gather(
            *[interpret(play, ctx, one, f"{path}.{n}", where) for n, one in enumerate(node[1])]
        )
    elif kind == "first":
        tasks = [asyncio.create_task(interpret(play, ctx, one, f"{path}.{n}", where)) for n, one in enumerate(node[1])]
        try:
            done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for one in others:
                one.cancel()
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for one in tasks:
                one.cancel()
            raise
        value = [n for n, one in enumerate(tasks) if one in done]
    elif kind == "child":

        async def inside(inner: Any) -> Any:
            return await interpret(play, inner, node[1], f"{path}.in", path)

        value = await ctx.run_in_child_context(inside, name=path)
    else:
        value = await LIMITS[node[1]](interpret(play, ctx, node[3], f"{path}.in", where), node[2] / 10)
    if ctx.run.recording:  # not what it does while it is cancelled because the invocation has ended
        play.note((where, path, str(value)))
    return value


def play_of(program: Any, seed: int, mode: Any, crashes: bool) -> Play:
    dice = random.Random(seed)

    async def handler(play: Play, ctx: Any) -> Any:
        value = await interpret(play, ctx, program, "0")
        await ctx.wait(HOUR)
        await ctx.wait(HOUR)
        return value

    def fault(call: Call) -> BaseException | None:
        if dice.random() < 0.3:
            play.world.clock.advance(dice.choice([1, 500, 2500]))
        if crashes and play.world.invocations < 40 and dice.random() < 0.15:
            return Killed()
        return None

    play = Play(handler, latency=dice.choice([0.0, 0.1, 0.7]), mode=mode)
    play.world.link.before = play.world.link.after = fault
    return play


def check_stories(stories: list[list[Any]]) -> None:
    """What each context has seen is the beginning of one and the same story. (A finished context is not run again.)"""
    for context in {where for story in stories for where, _, _ in story}:
        told = [[entry for entry in story if entry[0] == context] for story in stories]
        longest = max(told, key=len)
        assert all(one in ([], longest[: len(one)]) for one in told), told


def check(program: Any, seed: int, mode: Any) -> None:
    calm = play_of(program, seed, mode, False)
    calm.world.run()
    assert calm.world.status == "SUCCEEDED", calm.world.outcome
    check_stories(calm.seen)
    crashed = play_of(program, seed, mode, True)
    crashed.world.run()
    assert crashed.world.status == "SUCCEEDED", crashed.world.outcome
    check_stories(crashed.seen[-2:])


@QUICK
@given(PROGRAMS, st.integers(0, 2**32), st.sampled_from(list(CheckpointMode)))
def test_every_replay_tells_the_same_story(program: Any, seed: int, mode: CheckpointMode) -> None:
    check(program, seed, mode)


@pytest.mark.slow
@pytest.mark.timeout(900)
@THOROUGH
@given(st.recursive(LEAVES, _branches, max_leaves=20), st.integers(0, 2**32), st.sampled_from(list(CheckpointMode)))
def test_thoroughly(program: Any, seed: int, mode: CheckpointMode) -> None:
    check(program, seed, mode)
