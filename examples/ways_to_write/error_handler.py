"""An error handler: told what an execution fails with, and of the operations before; it may put another in its place.

durably dev examples/ways_to_write/error_handler.py
durably invoke order_wine '{"bottles": 400}'
"""

from dataclasses import dataclass

from durably import (
    AsyncDurableContext,
    DurableBuilder,
    ExecutionFailure,
    RetryPresets,
    StepConfig,
    StepContext,
    StepError,
    durable_step,
)

alerts: list[str] = []


class SoldOut(Exception):
    """What our callers know."""


@dataclass(frozen=True)
class Order:
    bottles: int


def alert(error: Exception, failure: ExecutionFailure) -> Exception | None:
    alerts.append(failure.describe())
    return SoldOut(str(error)) if isinstance(error, StepError) else None


@durable_step
async def fetch(step: StepContext, bottles: int) -> str:
    if bottles > 300:
        raise LookupError(f"the cellar has no {bottles} bottles")
    return f"{bottles} bottles"


@DurableBuilder().error_handler(alert)
async def order_wine(order: Order, ctx: AsyncDurableContext) -> str:
    await ctx.step(lambda step: None, name="ask for the age")
    return await ctx.step(fetch(order.bottles), config=StepConfig(RetryPresets.none()))
