"""A purchase: three suppliers are asked at once, the first two offers decide, and every line is ordered side by side.

    durably dev examples/fan_out.py
    durably invoke purchase '{"lines": [{"article": "book", "pieces": 2}, {"article": "pen", "pieces": 10}]}'

The slow supplier would answer in a month. Nobody waits for it: the parallel is complete with two offers, and what it
still does is not recorded. Then a map orders each line, two at a time, polls until it is delivered, and tells of what
could not be ordered without losing the rest.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from durably import (
    AsyncDurableContext,
    CompletionConfig,
    ExponentialWait,
    MapConfig,
    ParallelBranch,
    ParallelConfig,
    StepContext,
    WaitForConditionCheckContext,
    WaitForConditionConfig,
    durable_execution,
    durable_step,
    durable_with_child_context,
)


@dataclass(frozen=True)
class Line:
    article: str
    pieces: int


@dataclass(frozen=True)
class Request:
    lines: list[Line]


@dataclass(frozen=True)
class Offer:
    supplier: str
    price: Decimal


@dataclass(frozen=True)
class Delivery:
    article: str
    status: str = "ordered"
    polls: int = 0


@dataclass(frozen=True)
class Purchase:
    supplier: str
    price: Decimal
    delivered: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


PRICES = {"north": Decimal("120.00"), "east": Decimal("99.50"), "slow": Decimal("1.00")}


@durable_step
async def ask(step: StepContext, supplier: str) -> Offer:
    return Offer(supplier, PRICES[supplier])


@durable_with_child_context
async def offer(ctx: AsyncDurableContext, supplier: str) -> Offer:
    if supplier == "slow":
        await ctx.wait(timedelta(days=30), name="it takes its time")
    return await ctx.step(ask(supplier))


@durable_step
async def place_order(step: StepContext, line: Line, supplier: str) -> Delivery:
    if line.pieces > 100:
        raise ValueError(f"{supplier} has no {line.pieces} pieces of {line.article}")
    return Delivery(line.article)


async def track(delivery: Delivery, context: WaitForConditionCheckContext) -> Delivery:
    """Ask the carrier; here a parcel arrives by the second look."""
    return Delivery(delivery.article, "delivered" if context.attempt == 2 else "on its way", context.attempt)


@durable_execution
async def purchase(event: Request, ctx: AsyncDurableContext) -> Purchase:
    two_offers = ParallelConfig(completion_config=CompletionConfig(min_successful=2))
    suppliers = [ParallelBranch(offer(name), name) for name in ("north", "slow", "east")]
    offers = await ctx.parallel(suppliers, name="offers", config=two_offers)
    best = min(offers.get_results(), key=lambda one: one.price)

    async def order_line(inner: AsyncDurableContext, line: Line) -> Delivery:
        ordered = await inner.step(place_order(line, best.supplier))
        until_delivered = ExponentialWait[Delivery](
            lambda delivery: delivery.status == "delivered", timedelta(seconds=1), timedelta(minutes=1)
        )
        return await inner.wait_for_condition(track, WaitForConditionConfig(until_delivered, ordered), name="delivered")

    config = MapConfig[Line](
        max_concurrency=2,
        completion_config=CompletionConfig.all_completed(),
        item_namer=lambda line, index: f"order {line.article}",
    )
    lines = await ctx.map(event.lines, order_line, name="lines", config=config)
    delivered = [delivery.article for delivery in lines.get_results()]
    failed = {item.name or "": item.error.message or "" for item in lines.failed() if item.error is not None}
    return Purchase(best.supplier, best.price, delivered, failed)
