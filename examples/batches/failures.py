"""Failures in a map: how many are tolerated, what the result tells of each, and a map of nothing.

    durably dev examples/batches/failures.py
    durably invoke inspect '["apple", "rotten pear", "plum", "rotten fig"]'

Without a word about completion the first failure ends the map. Here up to half of the fruit may be rotten.
"""

from durably import (
    CompletionConfig,
    DurableContext,
    MapConfig,
    RetryPresets,
    StepConfig,
    StepContext,
    durable_execution,
    durable_step,
)

HALF = MapConfig[str](
    completion_config=CompletionConfig(tolerated_failure_percentage=50), item_namer=lambda fruit, index: fruit
)


@durable_step
def look_at(step: StepContext, fruit: str) -> str:
    if fruit.startswith("rotten"):
        raise ValueError(f"{fruit} smells")
    return f"a fine {fruit}"


def one(ctx: DurableContext, fruit: str) -> str:
    return ctx.step(look_at(fruit), config=StepConfig(RetryPresets.none()))


@durable_execution
def inspect(crate: list[str], ctx: DurableContext) -> dict[str, list[str]]:
    found = ctx.map(crate, one, name="fruit", config=HALF)
    return {
        "reason": [found.completion_reason.name],
        "fine": [str(item.result) for item in found.succeeded()],
        "rotten": [str(item.error.message) for item in found.failed() if item.error is not None],
    }
