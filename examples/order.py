"""An order, from the shop's shelf to the customer's door.

    durably dev examples/order.py
    durably invoke order @examples/order.json

Kill the first command whenever you like and start it again: the order goes on, and no step that was done is done
twice. Each step notes what it did in the file ORDER_LEDGER names, if any, so that you can check.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from durably import (
    AsyncDurableContext,
    Duration,
    RetryStrategyConfig,
    StepConfig,
    StepContext,
    WaitForCallbackContext,
    create_retry_strategy,
    durable_execution,
    durable_step,
    durable_wait_for_callback,
    durable_with_child_context,
)


@dataclass(frozen=True)
class Line:
    article: str
    quantity: int
    price: Decimal


@dataclass(frozen=True)
class Order:
    id: int
    customer: str
    lines: list[Line]

    @property
    def total(self) -> Decimal:
        return sum((line.price * line.quantity for line in self.lines), Decimal(0))


@dataclass(frozen=True)
class Payment:
    reference: str
    amount: Decimal


@dataclass(frozen=True)
class Parcel:
    articles: list[str]
    grams: int


@dataclass(frozen=True)
class Shipment:
    order_id: int
    customer: str
    grams: int


@dataclass(frozen=True)
class Approval:
    approved: bool
    by: str


@dataclass(frozen=True)
class Receipt:
    order_id: int
    status: Literal["shipped", "refunded"]
    paid: Decimal
    approved_by: str
    tracking: str | None = None


class CardNetworkDown(Exception):
    """Worth another try."""


NEEDS_APPROVAL = Decimal(500)
AGAIN_AFTER_A_SECOND = StepConfig(
    retry_strategy=create_retry_strategy(RetryStrategyConfig(max_attempts=3, initial_delay=Duration.from_seconds(1)))
)


def note(what: str) -> None:
    """One line in the ledger for each side effect."""
    path = os.environ.get("ORDER_LEDGER")
    if path:
        with open(path, "a", encoding="utf-8") as ledger:
            ledger.write(what + "\n")


@durable_step
async def reserve(step: StepContext, order: Order) -> list[str]:
    note(f"reserve {order.id}")
    return [f"shelf-{1 + number}" for number, _ in enumerate(order.lines)]


@durable_step
async def charge(step: StepContext, order: Order) -> Payment:
    if step.attempt == 1:
        raise CardNetworkDown("the card network did not answer")
    note(f"charge {order.id} {order.total}")
    return Payment(f"pay-{order.id}", order.total)


@durable_step
async def refund(step: StepContext, payment: Payment) -> None:
    note(f"refund {payment.reference}")


@durable_step
async def pick(step: StepContext, order: Order, shelves: list[str]) -> list[str]:
    note(f"pick {order.id} from {' '.join(shelves)}")
    return [line.article for line in order.lines for _ in range(line.quantity)]


@durable_step
async def weigh(step: StepContext, order: Order, articles: list[str]) -> int:
    note(f"weigh {order.id}")
    return 250 * len(articles)


@durable_with_child_context
async def pack(ctx: AsyncDurableContext, order: Order, shelves: list[str]) -> Parcel:
    articles = await ctx.step(pick(order, shelves))
    return Parcel(articles, await ctx.step(weigh(order, articles)))


@durable_wait_for_callback
async def ask_manager(callback_id: str, ctx: WaitForCallbackContext, order: Order) -> None:
    """Here an e-mail would go out, with the id in its links."""
    note(f"ask the manager about {order.id}")


@durable_execution
async def order(event: Order, ctx: AsyncDurableContext) -> Receipt:
    shelves = await ctx.step(reserve(event))
    payment = await ctx.step(charge(event), config=AGAIN_AFTER_A_SECOND)
    parcel = await ctx.run_in_child_context(pack(event, shelves))
    await ctx.wait(timedelta(seconds=5), name="cooling off")

    approval = Approval(True, "nobody had to")
    if event.total > NEEDS_APPROVAL:
        approval = await ctx.wait_for_callback(ask_manager(event), name="approval", result_type=Approval)
    if not approval.approved:
        await ctx.step(refund(payment))
        return Receipt(event.id, "refunded", Decimal(0), approval.by)

    shipment = Shipment(event.id, event.customer, parcel.grams)
    tracking = await ctx.invoke("ship:$LATEST", shipment, name="ship", result_type=str)
    return Receipt(event.id, "shipped", payment.amount, approval.by, tracking)


@durable_step
async def book_courier(step: StepContext, shipment: Shipment) -> str:
    note(f"book a courier for {shipment.order_id}")
    return f"TRACK-{shipment.order_id:05}-{shipment.grams}"


@durable_execution
async def ship(event: Shipment, ctx: AsyncDurableContext) -> str:
    tracking = await ctx.step(book_courier(event))
    await ctx.wait(timedelta(seconds=1), name="courier drives")
    return tracking
