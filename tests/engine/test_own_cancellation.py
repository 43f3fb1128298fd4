"""A CancelledError that nobody has asked for: a body's own, from a task or an event loop that it used. It is a failure.

One that the program asks for, a timeout or a failing group, is a decision instead: test_structure.py.
"""

from __future__ import annotations

import asyncio

import pytest

from durably import (
    ChildContextError,
    CompletionConfig,
    Duration,
    FixedWait,
    ItemBatcher,
    MapConfig,
    RetryPresets,
    StepConfig,
    StepError,
    WaitForConditionConfig,
    WaitForConditionError,
)

from .harness import Flavour, World

ONCE = StepConfig(retry_strategy=RetryPresets.none())
SECOND = Duration.from_seconds(1)


def escape(*_: object) -> None:
    raise asyncio.CancelledError("from inside")


def test_it_fails_the_step(flavour: Flavour) -> None:
    def handler(event, ctx):
        try:
            yield ctx.step(flavour(escape), name="s", config=ONCE)
        except StepError as error:
            yield ctx.wait(SECOND)  # what follows meets the record
            return [error.error_type, error.message]

    world = flavour.run(handler)
    assert world.value == [
        "RuntimeError",
        "Step 's' was cancelled by its own code: CancelledError('from inside') escaped",
    ]
    assert world.invocations == 2


def test_the_step_is_tried_again(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            if step.attempt == 1:
                escape()
            return step.attempt

        config = StepConfig(retry_strategy=RetryPresets.fixed(SECOND))
        return (yield ctx.step(flavour(body), config=config))

    assert flavour.run(handler).value == 2


def test_a_task_that_a_step_awaits_is_cancelled() -> None:
    async def handler(event, ctx):
        async def body(step):
            task = asyncio.create_task(asyncio.sleep(60))
            asyncio.get_running_loop().call_soon(task.cancel)
            await task

        try:
            await ctx.step(body, name="s", config=ONCE)
        except StepError as error:
            await ctx.wait(SECOND)
            return error.error_type

    world = World(handler)
    world.run()
    assert world.value == "RuntimeError"


def test_an_event_loop_that_a_plain_step_runs_is_left_by_it() -> None:
    def handler(event, ctx):
        async def main() -> None:
            escape()

        try:
            ctx.step(lambda step: asyncio.run(main()), config=ONCE)
        except StepError as error:
            ctx.wait(SECOND)
            return error.error_type

    world = World(handler)
    world.run()
    assert world.value == "RuntimeError"


def test_it_fails_the_check_of_a_condition(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = WaitForConditionConfig(FixedWait(lambda state: True, SECOND), 0)
        try:
            yield ctx.wait_for_condition(flavour(escape), config)
        except WaitForConditionError as error:
            yield ctx.wait(SECOND)
            return error.error_type

    assert flavour.run(handler).value == "RuntimeError"


def test_it_fails_the_child_context(flavour: Flavour) -> None:
    def handler(event, ctx):
        try:
            yield ctx.run_in_child_context(flavour(escape), name="c")
        except ChildContextError as error:
            yield ctx.wait(SECOND)
            return [error.error_type, error.message]

    said = "RunInChildContext 'c' was cancelled by its own code: CancelledError('from inside') escaped"
    assert flavour.run(handler).value == ["RuntimeError", said]


@pytest.mark.parametrize("batcher", [None, ItemBatcher(2)])
def test_it_fails_one_item_of_a_map(flavour: Flavour, batcher: ItemBatcher | None) -> None:
    def handler(event, ctx):
        config = MapConfig(completion_config=CompletionConfig.all_completed(), item_batcher=batcher)
        result = yield ctx.map([1, 2, 3], flavour(lambda ctx, n: escape() if n == 2 else n), config=config)
        yield ctx.wait(SECOND)
        return [result.get_results(), [error.type for error in result.get_errors()]]

    assert flavour.run(handler).value == [[1, 3], ["RuntimeError"]]


def test_it_fails_the_handler(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1))
        escape()

    world = flavour.run(handler)
    assert world.error["errorType"] == "durably.ExecutionError"
    assert "a CancelledError escaped from it" in world.error["errorMessage"]
    assert world.invocations == 1
