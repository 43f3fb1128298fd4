"""Event loops that do not show what is ready to run, as uvloop's do not."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from durably import AsyncDurableContext, Duration

from .harness import World

SECOND = Duration.from_seconds(1)


class HidingLoop(asyncio.SelectorEventLoop):
    """Its queue is asyncio's own affair: nobody else can see it."""

    hidden = 0

    @property
    def _ready(self) -> Any:
        if sys._getframe(1).f_globals["__name__"].startswith("durably"):
            HidingLoop.hidden += 1
            raise AttributeError("_ready")
        return self._queue

    @_ready.setter
    def _ready(self, queue: Any) -> None:
        self._queue = queue


@pytest.mark.parametrize("turns", [0, 3, 12])
def test_a_completion_is_seen_after_the_consequences_of_the_one_before(turns: int) -> None:
    seen: list[list[str]] = []

    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        order: list[str] = []
        seen.append(order)

        async def one(name: str, turns: int) -> None:
            await ctx.step(lambda step: name, name=name)
            for _ in range(turns):
                await asyncio.sleep(0)
            order.append(name)

        await asyncio.gather(one("a", turns), one("b", 0), one("c", turns // 2))
        await ctx.wait(SECOND)
        return order

    before = HidingLoop.hidden
    world = World(handler, loop_factory=HidingLoop)
    world.run()
    assert world.value == ["a", "b", "c"]
    assert seen == [["a", "b", "c"]] * 2
    assert HidingLoop.hidden > before, "the engine has looked for what it could not see"


def test_a_wide_map_and_a_suspension() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def one(inner: AsyncDurableContext, item: int) -> int:
            await inner.wait(SECOND)
            return await inner.step(lambda step: item)

        return sum((await ctx.map(range(600), one)).get_results())

    world = World(handler, loop_factory=HidingLoop)
    world.run()
    assert world.value == sum(range(600))
    assert world.invocations == 2
