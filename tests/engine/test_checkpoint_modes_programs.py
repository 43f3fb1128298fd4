"""Random async programs in every checkpoint mode: results, ids and the order of completions (laws R1, R2, R9)."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durably import CheckpointConfig, CheckpointMode

from .harness import Call, Killed, identities
from .modes import ModeWorld
from .programs import ORDERED, STEADY, Interpreter, Program, attempts_of, callbacks_of, programs, value_of

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
THOROUGH = settings(QUICK, max_examples=1000)
SEEDS = st.integers(0, 2**32)
MODES = st.sampled_from(
    [
        CheckpointMode.OPTIMISTIC,
        CheckpointMode.BATCHED,
        CheckpointConfig(CheckpointMode.BATCHED, max_updates=2),
    ]
)


def execute(
    program: Program, seed: int, mode: Any, *, crashes: bool = False
) -> tuple[ModeWorld, list[dict[str, list[Any]]]]:
    """One execution under a seeded schedule: speeds of bodies and calls, the passing of time, kills."""
    dice = random.Random(seed)
    logs: list[dict[str, list[Any]]] = []

    async def handler(event: Any, ctx: Any) -> Any:
        logs.append({})
        return await Interpreter(world, turns, logs[-1]).run(program, ctx)

    def turns() -> int:
        return dice.choice([0, 0, 1, 2, 5, 20])

    def fault(call: Call) -> BaseException | None:
        if dice.random() < 0.3:
            world.clock.advance(dice.choice([1, 500, 2500]))
        if crashes and world.invocations < 40 and dice.random() < 0.15:
            return Killed()
        return None

    world = ModeWorld(handler, callbacks=callbacks_of(program), checkpointing=mode)
    world.link.turns = turns
    world.link.before = world.link.after = fault
    world.run()
    return world, logs


def check_result(program: Program, seed: int, mode: Any) -> None:
    eager, _ = execute(program, seed, None)
    expected = json.loads(json.dumps(value_of(program)))
    world, _ = execute(program, seed, mode)
    assert world.value == expected
    assert sorted(world.effects) == sorted(attempts_of(program))
    assert identities(world) == identities(eager)
    crashed, _ = execute(program, seed + 1, mode, crashes=True)
    assert crashed.value == expected
    assert set(crashed.effects) == set(attempts_of(program))
    assert identities(crashed) == identities(eager)


def check_order(program: Program, seed: int, mode: Any) -> None:
    """Every invocation sees the beginning of one and the same story. (After a crash it may be another one, as far as
    nothing of it had been recorded.)"""
    world, logs = execute(program, seed, mode)
    assert world.status == "SUCCEEDED", world.outcome
    for context in {context for log in logs for context in log}:
        seen = [log[context] for log in logs if context in log]
        longest = max(seen, key=len)
        assert seen == [longest[: len(one)] for one in seen]


@QUICK
@given(programs(STEADY), SEEDS, MODES)
def test_results_and_ids_are_those_of_the_eager_mode(program: Program, seed: int, mode: Any) -> None:
    check_result(program, seed, mode)


@QUICK
@given(programs(STEADY + ORDERED), SEEDS, MODES)
def test_replay_sees_completions_in_the_order_of_the_first_run(program: Program, seed: int, mode: Any) -> None:
    check_order(program, seed, mode)


@pytest.mark.slow
@pytest.mark.timeout(900)
@THOROUGH
@given(programs(STEADY, 30), SEEDS, MODES)
def test_results_and_ids_thoroughly(program: Program, seed: int, mode: Any) -> None:
    check_result(program, seed, mode)


@pytest.mark.slow
@pytest.mark.timeout(900)
@THOROUGH
@given(programs(STEADY + ORDERED, 30), SEEDS, MODES)
def test_order_thoroughly(program: Program, seed: int, mode: Any) -> None:
    check_order(program, seed, mode)
