"""The catalogue of test_crashes in the batched and the optimistic mode: killed at every boundary of every call.

A step that the service knows to be done never runs again (the catalogue's steps refuse that); the others may.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durably import CheckpointConfig, CheckpointMode

from .harness import Answer, Call, Flavour, Killed
from .modes import ModeWorld
from .test_crashes import CONCURRENT, STORIES, Story, same_outcome

MODES = {
    "batched": CheckpointMode.BATCHED,
    "pairs": CheckpointConfig(CheckpointMode.BATCHED, max_updates=2),
    "optimistic": CheckpointMode.OPTIMISTIC,
}


def play(source: Any, flavour: Flavour, mode: Any, fault_at: tuple[int, str] | None) -> ModeWorld:
    """One execution, killed at the boundary ``fault_at``: (number of the call, before or after)."""
    story: Any = Story(flavour)

    def generator(event: Any, ctx: Any) -> Any:
        return (yield from source(story, event, ctx))

    async def coroutine(event: Any, ctx: Any) -> Any:
        return await source(story, event, ctx)

    def double(payload: Any) -> Any:
        return {"doubled": payload * 2}

    answers = {"answered": Answer("yes"), "approval create callback id": Answer("approved")}
    handler = coroutine if asyncio.iscoroutinefunction(source) else flavour(generator)
    page = 2 if source is STORIES["pages"] else 1000
    world = ModeWorld(handler, callbacks=answers, functions={"double": double}, page=page, checkpointing=mode)
    story.world = world

    def fault(when: str) -> Any:
        def decide(call: Call) -> BaseException | None:
            number = next(n for n, one in enumerate(world.link.calls) if one is call)
            return Killed() if (number, when) == fault_at else None

        return decide

    world.link.before, world.link.after = fault("before"), fault("after")
    world.run()
    return world


def explore(source: Any, flavour: Flavour, mode: Any) -> None:
    eager = play(source, flavour, None, None)
    calm = play(source, flavour, mode, None)
    same_outcome(calm, eager)
    assert sorted(calm.effects) == sorted(eager.effects)
    for number in range(len(calm.link.calls)):
        for when in ("before", "after"):
            same_outcome(play(source, flavour, mode, (number, when)), calm)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("story", [name for name in STORIES if name != "at_most_once"])
def test_a_crash_at_every_boundary(flavour: Flavour, story: str, mode: str) -> None:
    explore(STORIES[story], flavour, MODES[mode])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("story", CONCURRENT)
def test_a_crash_at_every_boundary_of_tasks(story: str, mode: str) -> None:
    explore(CONCURRENT[story], Flavour("async"), MODES[mode])


@pytest.mark.parametrize("mode", MODES)
def test_an_attempt_of_an_at_most_once_step_is_made_at_most_once(flavour: Flavour, mode: str) -> None:
    calm = play(STORIES["at_most_once"], flavour, MODES[mode], None)
    for number in range(len(calm.link.calls)):
        for when in ("before", "after"):
            world = play(STORIES["at_most_once"], flavour, MODES[mode], (number, when))
            assert world.status == "SUCCEEDED"
            assert len(world.effects) == len(set(world.effects))
            assert {name for name, _ in world.effects} == {"s0", "s1", "s2"}
