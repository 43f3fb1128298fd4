"""Random structured programs under many schedules, crashes and speeds (laws R1, R2, R6, R7, R9)."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .harness import Call, Killed, World, identities
from .programs import ORDERED, STEADY, Interpreter, Program, attempts_of, callbacks_of, named, programs, value_of

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
THOROUGH = settings(QUICK, max_examples=1500)
SEEDS = st.integers(0, 2**32)

EARLY_WAIT = (
    "gather",
    [("step", 1), ("seq", [("step", 0), ("wait", 3)]), ("seq", [("step", 0), ("wait", 1), ("step", 0)])],
)
"""With 1935 the first wait ends while what was recorded before it is still being handed out, and is asked for then."""


def execute(
    program: Program, seed: int, *, crashes: bool = False, drift: bool = True
) -> tuple[World, list[dict[str, list[Any]]]]:
    """One execution under a seeded schedule: speeds of bodies and calls, the passing of time, kills."""
    dice = random.Random(seed)
    logs: list[dict[str, list[Any]]] = []

    async def handler(event: Any, ctx: Any) -> Any:
        logs.append({})
        return await Interpreter(world, turns, logs[-1]).run(program, ctx)

    def turns() -> int:
        return dice.choice([0, 0, 1, 2, 5, 20])

    def fault(call: Call) -> BaseException | None:
        if drift and dice.random() < 0.3:
            world.clock.advance(dice.choice([1, 500, 2500]))
        if crashes and world.invocations < 40 and dice.random() < 0.15:
            return Killed()
        return None

    world = World(handler, callbacks=callbacks_of(program))
    world.link.turns = turns
    world.link.before = world.link.after = fault
    world.run()
    return world, logs


def check_result(program: Program, seed: int) -> None:
    first, _ = execute(program, seed)
    expected = json.loads(json.dumps(value_of(program)))
    assert first.value == expected
    assert sorted(first.effects) == sorted(attempts_of(program))
    second, _ = execute(program, seed + 1)
    assert second.value == expected
    assert identities(first) == identities(second)
    crashed, _ = execute(program, seed + 2, crashes=True)
    assert crashed.value == expected
    assert set(crashed.effects) == set(attempts_of(program))
    assert identities(first) == identities(crashed)


def check_order(program: Program, seed: int, crashes: bool) -> None:
    """R9: every invocation sees the beginning of one and the same story; where it was cut off is up to the crash."""
    world, logs = execute(program, seed, crashes=crashes)
    assert world.status == "SUCCEEDED", world.outcome
    for context in {context for log in logs for context in log}:
        seen = [log[context] for log in logs if context in log]
        longest = max(seen, key=len)
        assert seen == [longest[: len(one)] for one in seen]


@QUICK
@given(programs(STEADY), SEEDS)
def test_results_and_ids_never_depend_on_timing_or_crashes(program: Program, seed: int) -> None:
    check_result(program, seed)


@QUICK
@given(programs(STEADY + ORDERED), SEEDS, st.booleans())
@example(named(("seq", [EARLY_WAIT]), "p"), 1935, False)
def test_replay_sees_completions_in_the_order_of_the_first_run(program: Program, seed: int, crashes: bool) -> None:
    check_order(program, seed, crashes)


def deep(levels: int) -> Program:
    """The first of two tasks, one of which is cancelled, beside a step that is tried twice, below gather on gather."""
    one: Any = ("callback",)
    other: Any = ("step", 0)
    for _ in range(levels):
        one, other = ("gather", [one]), ("gather", [other])
    return named(("seq", [("as_completed", [("step", 1), ("first", [one, ("nested", [other])])])]), "p")


@pytest.mark.parametrize("levels", range(0, 40, 3))
@pytest.mark.parametrize("seed", range(4))
def test_consequences_may_take_many_turns_of_the_loop(levels: int, seed: int) -> None:
    """While the body of a step keeps the loop from falling idle."""
    check_order(deep(levels), seed, crashes=False)


@pytest.mark.slow
@pytest.mark.timeout(900)
@THOROUGH
@given(programs(STEADY, 30), SEEDS)
def test_results_and_ids_thoroughly(program: Program, seed: int) -> None:
    check_result(program, seed)


@pytest.mark.slow
@pytest.mark.timeout(900)
@THOROUGH
@given(programs(STEADY + ORDERED, 30), SEEDS, st.booleans())
def test_order_thoroughly(program: Program, seed: int, crashes: bool) -> None:
    check_order(program, seed, crashes)
