"""Errors that cross the edge of a child context, in the words of the code around it.

    durably dev examples/child_contexts/error_mapping.py
    durably invoke unlock '"1234"'

What a child context's function raises is recorded, and reaches the caller as ChildContextError. An `error_mapper` may
turn it into another error first, so that the caller need not know what is inside.
"""

from durably import (
    AsyncDurableContext,
    ChildConfig,
    ChildContextError,
    RetryPresets,
    StepConfig,
    StepContext,
    durable_execution,
    durable_step,
)


class DoorStaysShut(Exception):
    pass


@durable_step
async def turn(step: StepContext, code: str) -> str:
    if code != "4321":
        raise PermissionError(f"the lock does not know {code}")
    return "open"


@durable_execution
async def unlock(code: str, ctx: AsyncDurableContext) -> str:
    async def at_the_door(inner: AsyncDurableContext) -> str:
        return await inner.step(turn(code), config=StepConfig(RetryPresets.none()))

    config = ChildConfig[str](error_mapper=lambda error: DoorStaysShut(f"sorry, {error}"))
    try:
        return await ctx.run_in_child_context(at_the_door, name="door", config=config)
    except ChildContextError as error:
        return f"{error.error_type.rpartition('.')[2]}: {error.message}"
