"""Random asyncio programs, killed at random moments: they end, and a full replay sees what was seen before it."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any

import pytest

from durably import AsyncDurableContext, durable_execution
from durably.testing import Answer, LocalRunner, assert_replays
from durably.testing.calls import Crash, ServiceCall

from .asyncio_programs import Interpreter, Program

KILLS = 7
"""The service gives up after ten invocations in a row that came to nothing. One kill is for the end."""
HOW = [(0.0, 0), (0.15, 3), (0.5, KILLS), (0.05, 2), (0.9, KILLS)]


class Killer:
    """Kills at random moments, and when the function has returned for the first time."""

    def __init__(self, seed: int, chance: float, most: int, returned: list[str]) -> None:
        self._random = random.Random(seed)
        self._chance = chance
        self._left = most
        self._returned = returned
        self._last = False

    def before(self, call: ServiceCall) -> None:
        self._perhaps()

    def after(self, call: ServiceCall) -> None:
        self._perhaps()

    def returned(self, function: str) -> None:
        if self._returned and not self._last:
            self._last = True
            raise Crash
        self._perhaps()

    def _perhaps(self) -> None:
        if self._left and self._random.random() < self._chance:
            self._left -= 1
            raise Crash


@durable_execution
async def double(n: int, ctx: AsyncDurableContext) -> int:
    return await ctx.step(lambda step: 2 * n, name="double")


def check(seed: int, depth: int) -> None:
    program = Program(seed, depth)
    answers = {
        name: Answer(ValueError("refused") if fails else "answered", after=timedelta(seconds=seconds))
        for name, (seconds, fails) in program.callbacks.items()
    }
    for number, (chance, most) in enumerate(HOW):
        returned: list[str] = []

        @durable_execution
        async def handler(event: None, ctx: AsyncDurableContext) -> Any:
            seen: list[Any] = []
            await Interpreter(ctx, seen).run(program.root)
            returned.append(json.dumps(seen))  # noqa: B023 - of this run
            return None

        killer = Killer(seed + number, chance, most, returned)
        with LocalRunner(handler, functions={"double": double}, callbacks=answers, interceptors=[killer]) as runner:
            result = runner.run()
        assert result.succeeded, f"{program}\n{result}"
        assert len(returned) >= 2
        assert len(set(returned)) == 1, f"{program}\nseen: " + "\nthen: ".join(dict.fromkeys(returned))


@pytest.mark.parametrize("seed", range(30))
def test_a_program_comes_to_its_end_and_sees_the_same_again(seed: int) -> None:
    check(seed, 2)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("depth", [2, 3])
def test_many_programs(depth: int) -> None:
    for seed in range(1000 * depth, 1000 * depth + 300):
        check(seed, depth)


@pytest.mark.parametrize("seed", [5020, 5025, 5040, 5052, 5093, 5197, 5303])
def test_a_program_with_timers_follows_its_own_record(seed: int) -> None:
    program = Program(seed, 2)
    answers = {
        name: Answer(ValueError("refused") if fails else "answered", after=timedelta(seconds=seconds))
        for name, (seconds, fails) in program.callbacks.items()
    }

    @durable_execution
    async def handler(event: None, ctx: AsyncDurableContext) -> Any:
        await Interpreter(ctx, []).run(program.root)

    result = LocalRunner(handler, functions={"double": double}, callbacks=answers).run()
    assert_replays(handler, result)
