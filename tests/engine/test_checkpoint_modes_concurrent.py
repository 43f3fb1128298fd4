"""The checkpoint modes where several things happen at once; and the optimistic mode, where a call is one of them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from durably import CheckpointMode, Duration, MapConfig, NestingType

from .harness import Call, Flavour, Killed
from .modes import ModeProgram, ModeWorld, world_of

SECOND = Duration.from_seconds(1)
BATCHED, OPTIMISTIC = CheckpointMode.BATCHED, CheckpointMode.OPTIMISTIC
MODES = list(CheckpointMode)


@pytest.fixture
def program(flavour: Flavour) -> ModeProgram:
    return ModeProgram(flavour)


# ---- concurrency -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("nesting", list(NestingType))
def test_branches_in_each_mode(program: ModeProgram, mode: CheckpointMode, nesting: NestingType) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            total = 0
            for n in range(20):
                total += yield program.step(inner, f"{item}.{n}", n)
            return total

        config = MapConfig(nesting_type=nesting)
        return (yield ctx.map(range(8), program.flavour(one), config=config)).get_results()

    world = program.run(handler, mode)
    assert world.value == [190] * 8
    assert len(program.recorded()) == len(world.effects) == 160
    if mode is BATCHED:
        assert len(world.link.calls) < 40
    for item in range(8):  # each branch in its own order
        names = [name for call in world.flushed for name in call if name.startswith(f"{item}.")]
        assert names == [f"{item}.{n}" for n in range(20)]


@pytest.mark.parametrize("mode", [BATCHED, OPTIMISTIC])
def test_what_a_flat_branch_has_done_is_recorded_before_its_sibling_waits(
    program: ModeProgram, mode: CheckpointMode
) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            if item == 0:
                yield inner.wait(SECOND)
            for n in range(3):
                yield program.step(inner, f"{item}.{n}")

        yield ctx.map([0, 1], program.flavour(one), config=MapConfig(nesting_type=NestingType.FLAT))

    world = program.run(handler, mode)
    assert sorted(world.effects) == sorted(f"{item}.{n}" for item in range(2) for n in range(3))


@pytest.mark.parametrize("mode", MODES)
def test_started_operations_in_each_mode(program: ModeProgram, mode: CheckpointMode) -> None:
    def handler(event, ctx):
        def inside(inner):
            yield program.step(inner, "in 1")
            yield program.step(inner, "in 2")
            return "child"

        futures = [ctx.start(ctx.step, program.flavour(lambda step: "step"), name="started")]
        futures.append(ctx.start(ctx.run_in_child_context, program.flavour(inside), name="child"))
        yield program.step(ctx, "beside")
        found = []
        for future in futures:
            found.append((yield future.result()))
        yield ctx.wait(SECOND)
        return found

    world = program.run(handler, mode)
    assert world.value == ["step", "child"]
    assert sorted(world.effects) == ["beside", "in 1", "in 2"]


@pytest.mark.parametrize("mode", MODES)
def test_gathered_steps_in_each_mode(mode: CheckpointMode) -> None:
    flavour = Flavour("async")
    program = ModeProgram(flavour)

    async def handler(event: Any, ctx: Any) -> Any:
        async def one(n: int) -> Any:
            found = [await program.step(ctx, f"{n}.{k}", k) for k in range(3)]
            await ctx.wait(SECOND)
            return [*found, await program.step(ctx, f"{n}.end", n)]

        return await asyncio.gather(*[one(n) for n in range(10)])

    program.world = world = ModeWorld(handler, checkpointing=mode)
    world.link.turns = lambda: 2
    world.run()
    assert world.value == [[0, 1, 2, n] for n in range(10)]
    assert len(world.effects) == len(set(world.effects)) == 40
    assert len(world.link.calls) < 20  # natural batching


# ---- the optimistic mode ---------------------------------------------------------------------------------------------


def test_optimistic_steps_go_on_while_a_call_is_under_way() -> None:
    """Sync: the first call does not come back before the fifth step has run."""
    fifth = threading.Event()
    program = ModeProgram(Flavour("sync"))

    def handler(event, ctx):
        for n in range(8):
            yield program.step(ctx, f"s{n}")
            if n == 4:
                fifth.set()

    program.world = world = world_of(program.flavour, handler, checkpointing=OPTIMISTIC)
    met: list[bool] = []

    def before(call: Call) -> None:
        met.append(fifth.wait(60))

    world.link.before = before
    world.run()
    assert met
    assert all(met)
    assert world.status == "SUCCEEDED"
    assert len(program.recorded()) == 8


def test_optimistic_steps_travel_at_once_even_if_the_program_never_waits() -> None:
    """Async: a call is under way while the next steps run, and brings what has been done by then."""
    program = ModeProgram(Flavour("async"))

    def handler(event, ctx):
        for n in range(50):
            yield program.step(ctx, f"s{n}")

    program.world = world = world_of(program.flavour, handler, checkpointing=OPTIMISTIC)
    world.link.turns = lambda: 3
    begun: list[int] = []
    world.link.before = lambda call: begun.append(len(world.effects))
    world.run()
    assert begun[0] < 10
    assert 3 < len(world.link.calls) < 50
    assert [name for call in world.flushed for name in call] == [f"s{n}" for n in range(50)]


@pytest.mark.parametrize("at", range(6))
def test_an_optimistic_crash_repeats_only_what_was_not_recorded(program: ModeProgram, at: int) -> None:
    def handler(event, ctx):
        for n in range(12):
            yield program.step(ctx, f"s{n}")

    program.world = world = world_of(program.flavour, handler, checkpointing=OPTIMISTIC)
    world.link.turns = lambda: 2
    recorded: list[list[str]] = []
    ran: list[int] = []

    def between() -> None:
        recorded.append(program.recorded() if world.arn else [])
        ran.append(len(world.effects))

    def after(call: Call) -> BaseException | None:
        return Killed() if world.invocations == 1 and len(world.link.calls) == at + 1 else None

    world.between, world.link.after = between, after
    world.run()
    assert world.status == "SUCCEEDED"
    if len(ran) > 1:
        assert not set(world.effects[ran[1] :]) & set(recorded[1])
    assert set(world.effects) == {f"s{n}" for n in range(12)}
    assert len(program.recorded()) == 12
