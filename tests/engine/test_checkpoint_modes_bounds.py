"""What a crash may repeat in each checkpoint mode at the most: killed in every body and at every boundary of a call."""

from __future__ import annotations

from typing import Any

import pytest

from durably import CheckpointConfig, CheckpointMode

from .harness import Call, Flavour, Killed
from .modes import ModeProgram, ModeWorld, world_of

STEPS = 12
NAMES = [f"s{n}" for n in range(STEPS)]
BOUNDS = {
    "eager": (CheckpointMode.EAGER, 1),  # the step that ran
    "batched by 5": (CheckpointConfig(CheckpointMode.BATCHED, max_updates=5), 5),  # those collected, it included
    "batched": (CheckpointMode.BATCHED, STEPS),
    "optimistic by 4": (CheckpointConfig(CheckpointMode.OPTIMISTIC, max_updates=4), 4 + 4),  # sent, and behind them
    "optimistic": (CheckpointMode.OPTIMISTIC, STEPS),
}
Where = tuple[str, int]


def play(flavour: Flavour, mode: Any, where: Where | None) -> tuple[ModeWorld, set[str]]:
    """One execution, killed once at ``where``; and what had been recorded by then."""
    recorded: set[str] = set()

    def die() -> None:
        world.link.dead = True
        recorded.update(program.recorded())
        raise Killed

    def handler(event, ctx):
        total = 0
        for n in range(STEPS):

            def body(step: Any, n: int = n) -> int:
                world.effect(NAMES[n])
                if where == ("in the body", n) and world.invocations == 1:
                    die()
                return n

            total += yield ctx.step(flavour(body), name=NAMES[n])
        return total

    def fault(when: str) -> Any:
        def decide(call: Call) -> Killed | None:
            if where != (when, len(world.link.calls) - 1) or world.invocations > 1:
                return None
            recorded.update(program.recorded())
            return Killed()

        return decide

    program = ModeProgram(flavour)
    program.world = world = world_of(flavour, handler, checkpointing=mode)
    world.link.turns = lambda: 2
    world.link.before, world.link.after = fault("before the call"), fault("after the call")
    world.run()
    return world, recorded


@pytest.mark.parametrize("case", BOUNDS)
def test_a_crash_repeats_no_more_than_the_mode_says(flavour: Flavour, case: str) -> None:
    mode, bound = BOUNDS[case]
    calm, _ = play(flavour, mode, None)
    assert calm.effects == NAMES
    places: list[Where] = [("in the body", n) for n in range(STEPS)]
    places += [(when, n) for when in ("before the call", "after the call") for n in range(len(calm.link.calls))]
    crashes = 0
    for where in places:
        world, recorded = play(flavour, mode, where)
        assert world.value == sum(range(STEPS))
        repeated = [name for name in NAMES if world.effects.count(name) > 1]
        assert len(world.effects) == STEPS + len(repeated), "nothing runs three times"
        assert not recorded & set(repeated), f"recorded, and repeated after a crash {where}"
        assert len(repeated) <= bound, where
        crashes += world.invocations - 1
    assert crashes >= STEPS
