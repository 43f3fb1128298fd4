"""A serdes that fails for the moment: the invocation is tried again, whatever the handler catches.

Its code must not take another way because a store did not answer when a record was read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from durably import (
    CallbackConfig,
    ChildConfig,
    CompletionConfig,
    Duration,
    ExecutionError,
    FixedWait,
    InvokeConfig,
    MapConfig,
    RetryableSerDesError,
    SerDes,
    SerDesContext,
    StepConfig,
    WaitForConditionConfig,
)

from .harness import Answer, Flavour, World

SECOND = Duration.from_seconds(1)


class Shaky(SerDes[Any]):
    """Does not answer at one of its calls."""

    def __init__(self, fails_at: int) -> None:
        self.fails_at = fails_at
        self.calls = 0

    def _asked(self) -> None:
        self.calls += 1
        if self.calls == self.fails_at:
            raise RetryableSerDesError("the store does not answer")

    def serialize(self, value: Any, context: SerDesContext) -> str:
        self._asked()
        return json.dumps(value if isinstance(value, int) else 7)

    def deserialize(self, data: str, context: SerDesContext) -> Any:
        self._asked()
        return json.loads(data)


def step(flavour: Flavour, ctx: Any, serdes: Shaky) -> Any:
    return ctx.step(flavour(lambda step: 7), config=StepConfig(serdes=serdes))


def child(flavour: Flavour, ctx: Any, serdes: Shaky) -> Any:
    return ctx.run_in_child_context(flavour(lambda inner: 7), config=ChildConfig(serdes=serdes))


def condition(flavour: Flavour, ctx: Any, serdes: Shaky) -> Any:
    config = WaitForConditionConfig(FixedWait(lambda state: True, SECOND), 0, serdes=serdes)
    return ctx.wait_for_condition(flavour(lambda state, context: 7), config)


def whole_map(flavour: Flavour, ctx: Any, serdes: Shaky) -> Any:
    return ctx.map([1], flavour(lambda inner, item: 7), config=MapConfig(serdes=serdes, item_serdes=Shaky(0)))


def callback(flavour: Flavour, ctx: Any, serdes: Shaky) -> Any:
    config = CallbackConfig(serdes=serdes)

    def asked(inner):
        made = yield inner.create_callback("answered", config=config)
        return (yield made.result())

    return ctx.run_in_child_context(flavour(asked), config=ChildConfig(is_virtual=True))  # it runs on every replay


def invoke(flavour: Flavour, ctx: Any, serdes: Shaky) -> Any:
    return ctx.invoke("other:$LATEST", 1, config=InvokeConfig(serdes_result=serdes, serdes_payload=serdes))


OPERATIONS = [step, child, condition, whole_map, callback, invoke]


@pytest.mark.parametrize("fails_at", [1, 2, 3])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_handler_sees_it(flavour: Flavour, operation: Callable[..., Any], fails_at: int) -> None:
    serdes = Shaky(fails_at)
    caught: list[Exception] = []

    def handler(event, ctx):
        try:
            value = yield operation(flavour, ctx, serdes)
        except Exception as error:
            caught.append(error)
            value = "caught"
        yield ctx.wait(SECOND)
        yield ctx.wait(SECOND)
        return value

    world = World(flavour(handler), functions={"other": lambda payload: 7}, callbacks={"answered": Answer("7")})
    world.run()
    assert world.value == 7
    assert serdes.calls >= fails_at, "the serdes was never asked so often"


def test_a_predicate_that_ends_the_execution_is_not_to_be_caught(flavour: Flavour) -> None:
    def handler(event, ctx):
        def decide(status):
            raise ExecutionError("no such batch")

        config = MapConfig[int](completion_config=CompletionConfig(should_complete=decide))
        try:
            yield ctx.map([1], flavour(lambda inner, item: item), config=config)
        except ExecutionError:
            return "went on"

    assert flavour.run(handler).error["errorMessage"] == "no such batch"
