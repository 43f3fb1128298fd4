"""One workflow in five styles, with an error handler; every style records the same.

durably dev examples/styles.py
durably invoke decorated '{"sku": "tea", "count": 3}'
durably invoke from_class '{"sku": "tea", "count": 3}'
durably invoke decorated '{"sku": "silver", "count": 1}'        # fails, in words for its caller
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from durably import (
    DurableBuilder,
    DurableContext,
    DurableHandler,
    Duration,
    ExecutionFailure,
    NoRetry,
    StepConfig,
    StepContext,
    StepError,
    durable,
    durable_execution,
    durable_step,
)

ONCE = StepConfig(retry_strategy=NoRetry())


@dataclass
class Order:
    sku: str
    count: int


class OrderRefused(Exception):
    """What callers are told."""


class Prices:
    """What the functions share: a client of the price service, say."""

    def __init__(self, currency: str) -> None:
        self.currency = currency

    @durable_step
    def quote(self, step: StepContext, sku: str, count: int) -> str:
        return f"{ {'tea': 4, 'salt': 1}[sku] * count } {self.currency}"


def refuse(error: Exception, failure: ExecutionFailure) -> Exception | None:
    print(failure.describe())
    return OrderRefused("we do not have that") if isinstance(error, StepError) else None


def price(prices: Prices, order: Order, ctx: DurableContext) -> str:
    quote = ctx.step(prices.quote(order.sku, order.count), config=ONCE)
    ctx.wait(Duration.from_hours(1), name="cooling off")
    return f"{order.count} {order.sku}: {quote}"


euros = Prices("EUR")


@durable_execution(error_handler=refuse)
def decorated(order: Order, ctx: DurableContext) -> str:
    return price(euros, order, ctx)


called = durable(partial(price, euros), error_handler=refuse)


class Orders(DurableHandler):
    def __init__(self, prices: Prices) -> None:
        self.prices = prices

    def handle(self, order: Order, ctx: DurableContext) -> str:
        return price(self.prices, order, ctx)

    def on_error(self, error: Exception, failure: ExecutionFailure) -> Exception | None:
        return refuse(error, failure)


from_class = Orders(euros)


class Shop:
    def __init__(self, prices: Prices) -> None:
        self.prices = prices

    @durable_execution(error_handler=refuse)
    def order(self, order: Order, ctx: DurableContext) -> str:
        return price(self.prices, order, ctx)


from_method = Shop(euros).order

base = DurableBuilder().error_handler(refuse)
built = base.build(partial(price, euros))
