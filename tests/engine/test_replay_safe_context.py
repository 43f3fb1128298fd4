"""ctx.now(), uuid(), random() and execution_start_time: the same on every replay, without a record."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durably import (
    CheckpointMode,
    ContextMisuseError,
    Duration,
    MapConfig,
    NestingType,
    RetryPresets,
    StepConfig,
    StepError,
)

from .harness import FAR_FUTURE_MS, Answer, Call, Flavour, Killed
from .modes import ModeWorld, world_of

SECOND = Duration.from_seconds(1)
START = datetime.fromtimestamp(FAR_FUTURE_MS / 1000, UTC)


class Notes:
    """What each invocation drew, in order."""

    def __init__(self) -> None:
        self.of: list[list[Any]] = []

    def begin(self) -> None:
        self.of.append([])

    def __call__(self, *values: Any) -> None:
        self.of[-1].extend(values)

    def check(self) -> list[Any]:
        """Every invocation saw the beginning of the same."""
        longest = max(self.of, key=len)
        assert len(self.of) > 1
        assert self.of == [longest[: len(one)] for one in self.of]
        return longest


def draw(ctx: Any) -> tuple[Any, ...]:
    return (ctx.uuid(), ctx.random().random(), ctx.now())


def test_values_are_the_same_on_every_replay_and_differ_from_call_to_call(flavour: Flavour) -> None:
    def handler(event, ctx):
        notes.begin()
        for n in range(4):
            notes(ctx.uuid(), ctx.uuid(), ctx.random().random(), ctx.random().random())
            yield ctx.step(flavour(lambda step: 1), name=f"s{n}")
            yield ctx.wait(SECOND)

    notes = Notes()
    world = flavour.run(handler)
    assert world.invocations == 5
    drawn = notes.check()
    assert len(set(drawn)) == len(drawn) == 16
    assert all(value.version == 4 for value in drawn if not isinstance(value, float))


def test_they_cost_no_checkpoint(flavour: Flavour) -> None:
    def handler(event, ctx):
        for _ in range(100):
            draw(ctx)
        assert ctx.execution_start_time == ctx.now()
        return
        yield

    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert not world.link.calls


def test_executions_differ(flavour: Flavour) -> None:
    def handler(event, ctx):
        return [str(ctx.uuid()), ctx.random().random()]
        yield

    world = flavour.run(handler)
    first = world.value
    world.result = None
    request = {"FunctionName": "under_test:$LATEST", "Payload": "null"}
    world.service.submit("Invoke", request, world._ended)
    world.go_on()
    assert world.invocations == 2
    assert not set(first) & set(world.value)


def test_random_is_a_generator_of_its_own(flavour: Flavour) -> None:
    def handler(event, ctx):
        random = ctx.random()
        return [random.randint(1, 6) for _ in range(50)] + random.sample(range(100), 5)
        yield

    assert flavour.run(handler).value == flavour.run(handler).value


def test_now_is_when_the_latest_operation_ended(flavour: Flavour) -> None:
    def handler(event, ctx):
        notes.begin()
        notes(ctx.now())
        yield ctx.step(flavour(lambda step: world.clock.advance(250) and None), name="takes time")
        notes(ctx.now())
        yield ctx.wait(Duration.from_seconds(10))
        notes(ctx.now())
        yield ctx.wait(Duration.from_seconds(60))
        notes(ctx.now())
        return ctx.execution_start_time.isoformat()

    notes = Notes()
    world = flavour.world(handler)
    world.run()
    assert world.value == START.isoformat()
    drawn = notes.check()
    assert drawn[:2] == [START, START + timedelta(milliseconds=250)]
    assert timedelta(seconds=10) <= drawn[2] - drawn[1] < timedelta(seconds=11)
    assert timedelta(seconds=60) <= drawn[3] - drawn[2] < timedelta(seconds=61)
    assert all(value.tzinfo is UTC for value in drawn)


def test_now_does_not_move_by_what_is_only_under_way(flavour: Flavour) -> None:
    """A callback that is created later answers: that moves the time where the answer is asked for, not before."""

    def handler(event, ctx):
        notes.begin()
        yield ctx.step(flavour(lambda step: world.clock.advance(100) and None))
        callback = yield ctx.create_callback(name="answer")
        notes(ctx.now())
        yield ctx.wait(Duration.from_seconds(5))
        notes(ctx.now())
        yield callback.result()
        notes(ctx.now())
        yield ctx.wait(SECOND)

    notes = Notes()
    world = flavour.world(handler, callbacks={"answer": Answer("yes")})
    world.run()
    assert world.status == "SUCCEEDED"
    drawn = notes.check()
    assert drawn[0] == START + timedelta(milliseconds=100)
    assert drawn == sorted(drawn)


def test_now_moves_when_a_step_fails(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            world.clock.advance(500)
            raise ValueError

        notes.begin()
        try:
            yield ctx.step(flavour(body), name="s", config=no_retry)
        except StepError:
            notes(ctx.now())
        yield ctx.wait(SECOND)

    no_retry = StepConfig(retry_strategy=RetryPresets.none())
    notes = Notes()
    world = flavour.world(handler)
    world.run()
    assert notes.check() == [START + timedelta(milliseconds=500)]


@pytest.mark.parametrize("mode", list(CheckpointMode))
def test_now_is_the_same_on_replay_in_every_mode(flavour: Flavour, mode: CheckpointMode) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            yield inner.step(flavour(lambda step: world.clock.advance(10) and None))
            notes_of[item].append(inner.now())
            yield inner.wait(Duration.from_seconds(item))
            notes_of[item].append(inner.now())

        notes.begin()
        for n in range(3):
            yield ctx.step(flavour(lambda step: world.clock.advance(100) and None), name=f"s{n}")
            notes(ctx.now())
        yield ctx.wait(SECOND)
        notes(ctx.now())
        yield ctx.step(flavour(lambda step: world.clock.advance(100) and None), name="after")
        notes(ctx.now())
        yield ctx.map([1, 2], flavour(one))
        notes(ctx.now())
        yield ctx.wait(SECOND)
        yield ctx.flush()
        notes(ctx.now())

    notes = Notes()
    notes_of: dict[int, list[Any]] = {1: [], 2: []}
    world = world_of(flavour, handler, checkpointing=mode)
    world.run()
    assert world.status == "SUCCEEDED", world.outcome
    drawn = notes.check()
    assert drawn == sorted(drawn)
    assert drawn[3] > drawn[2]
    for item, seen in notes_of.items():
        assert len(set(seen)) == 2, (item, seen)


@pytest.mark.parametrize("nesting", list(NestingType))
def test_in_child_contexts_and_branches(flavour: Flavour, nesting: NestingType) -> None:
    def handler(event, ctx):
        def child(inner):
            notes(*draw(inner)[:2], *draw(inner)[:2])
            yield inner.wait(SECOND)
            notes(*draw(inner)[:2])

        def one(inner, item, *rest):
            mine = drawn_by.setdefault(item, [])
            mine.append(draw(inner))
            yield inner.wait(Duration.from_seconds(item))
            mine.append(draw(inner))

        notes.begin()
        notes(*draw(ctx)[:2])
        yield ctx.run_in_child_context(flavour(child), name="child")
        yield ctx.map([1, 2, 3], flavour(one), config=MapConfig(nesting_type=nesting))

    notes = Notes()
    drawn_by: dict[int, list[Any]] = {}
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert len(set(notes.of[1])) == len(notes.of[1]) == 8
    assert notes.of[0] == notes.of[1][:6]
    for item, drawn in drawn_by.items():
        firsts = {one for one in drawn if one[2] == drawn[0][2]}
        assert len(set(drawn)) == 2, f"branch {item} drew something else on a replay: {drawn}"
        assert firsts == {drawn[0]}
    assert len({value for drawn in drawn_by.values() for one in drawn for value in one[:2]}) == 12


def test_in_tasks() -> None:
    async def handler(event: Any, ctx: Any) -> None:
        async def one(n: int) -> None:
            drawn = drawn_by.setdefault(n, [])
            drawn.append(draw(ctx))
            await ctx.wait(Duration.from_seconds(n + 1))
            drawn.append(draw(ctx))

        notes.begin()
        notes(*draw(ctx))
        await ctx.wait(SECOND)
        await asyncio.gather(*[one(n) for n in range(3)])
        notes(*draw(ctx))

    notes = Notes()
    drawn_by: dict[int, list[Any]] = {}
    world = ModeWorld(handler)
    world.run()
    notes.check()
    assert all(len(set(drawn)) == 2 < len(drawn) for drawn in drawn_by.values())
    assert len({value for drawn in drawn_by.values() for one in drawn for value in one[:2]}) == 12
    for drawn in drawn_by.values():  # a task begins at the time of the code that created it
        assert drawn[0][2] >= START + timedelta(seconds=1)


def test_what_a_cancelled_step_took_is_no_time() -> None:
    async def handler(event: Any, ctx: Any) -> None:
        async def long(step: Any) -> None:
            world.clock.advance(700)
            await asyncio.sleep(3600)

        notes.begin()
        task = asyncio.create_task(ctx.step(long, name="long"))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        notes(ctx.now())
        await ctx.wait(SECOND)
        notes(ctx.now())

    notes = Notes()
    world = ModeWorld(handler)
    world.run()
    assert world.status == "SUCCEEDED", world.outcome
    assert notes.check()[0] == START


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("mode", list(CheckpointMode))
def test_after_a_crash(flavour: Flavour, mode: CheckpointMode, at: int) -> None:
    """What was drawn after the latest recorded operation may be another; what was before is the same."""

    def handler(event, ctx):
        notes.begin()
        for n in range(3):
            notes(ctx.uuid(), ctx.random().random())
            yield ctx.step(flavour(lambda step: 1), name=f"s{n}")
        yield ctx.wait(SECOND)
        notes(ctx.now())

    notes = Notes()
    world = world_of(flavour, handler, checkpointing=mode)

    def after(call: Call) -> BaseException | None:
        return Killed() if len(world.link.calls) == at + 1 else None

    world.link.after = after
    world.run()
    assert world.status == "SUCCEEDED"
    notes.check()


# ---- misuse -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["now", "uuid", "random"])
def test_a_step_does_not_draw(flavour: Flavour, what: str) -> None:
    """In a step the real ones are at hand, and what they give is recorded with its result."""

    def handler(event, ctx):
        def body(step):
            with pytest.raises(ContextMisuseError, match="was used inside Step 's'"):
                getattr(ctx, what)()
            return ctx.execution_start_time.isoformat()

        return (yield ctx.step(flavour(body), name="s"))

    assert flavour.run(handler).value == START.isoformat()


def test_a_context_of_another_invocation_does_not_draw(flavour: Flavour) -> None:
    kept: list[Any] = []

    def handler(event, ctx):
        kept.append(ctx)
        yield ctx.wait(SECOND)
        if len(kept) == 2:
            with pytest.raises(ContextMisuseError, match="belongs to another invocation"):
                kept[0].uuid()

    assert flavour.run(handler).status == "SUCCEEDED"


def test_the_outer_context_in_a_child_draws_from_the_childs_numbers(flavour: Flavour) -> None:
    """They are numbered by the code that runs, so the outer code's own are not disturbed."""

    def handler(event, ctx):
        def inside(inner):
            found.append(ctx.uuid())
            found.append(inner.uuid())
            return None
            yield

        found: list[Any] = [ctx.uuid()]
        yield ctx.run_in_child_context(flavour(inside))
        found.append(ctx.uuid())
        drawn.append(found)
        yield ctx.wait(SECOND)

    drawn: list[list[Any]] = []
    flavour.run(handler)
    first, second = drawn
    assert len(set(first)) == 4
    assert [first[0], first[-1]] == [second[0], second[-1]]
