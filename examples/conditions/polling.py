"""Polling: a washing machine is looked at, less and less often, until it is done.

    durably dev examples/conditions/polling.py
    durably invoke wash '{"programme": "cotton", "minutes": 90}'

Each look returns the next state; it is recorded, and handed to the next look. Between looks nothing runs. A strategy
that gives up, or a look that raises, is a WaitForConditionError.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from durably import (
    AsyncDurableContext,
    ExponentialWait,
    JitterStrategy,
    WaitForConditionCheckContext,
    WaitForConditionConfig,
    WaitForConditionError,
    durable_execution,
)


@dataclass(frozen=True)
class Washing:
    programme: str
    minutes: int
    looks: int = 0
    done: bool = False


async def look(washing: Washing, context: WaitForConditionCheckContext) -> Washing:
    """Here it is done at the fourth look, or never if it takes a day."""
    return replace(washing, looks=context.attempt, done=context.attempt == 4 and washing.minutes < 24 * 60)


SEVEN_LOOKS = ExponentialWait[Washing](
    lambda washing: washing.done, timedelta(minutes=5), timedelta(hours=1), 2, 7, JitterStrategy.NONE
)


@durable_execution
async def wash(washing: Washing, ctx: AsyncDurableContext) -> str:
    try:
        finished = await ctx.wait_for_condition(look, WaitForConditionConfig(SEVEN_LOOKS, washing), name="until done")
    except WaitForConditionError as error:
        return f"somebody should see to it: {error}"
    return f"{finished.programme} is done, after {finished.looks} looks"
