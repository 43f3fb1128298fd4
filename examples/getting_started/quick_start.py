"""Quick start: an order is checked, paid, confirmed a little later, and done.

    durably dev examples/getting_started/quick_start.py
    durably invoke process_order '{"order_id": "A-17", "amount": 40}'

Each step is recorded when it is done. The wait holds no process: stop `durably dev` while the order waits, start it
again, and the order goes on behind the payment. An order of nothing fails at once, and is not tried again.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import AsyncDurableContext, ExecutionError, StepContext, durable_execution, durable_step


@dataclass(frozen=True)
class Order:
    order_id: str
    amount: int


@dataclass(frozen=True)
class Processed:
    order_id: str
    status: str
    payment: str


@durable_step
async def validate(step: StepContext, order: Order) -> bool:
    return order.amount > 0


@durable_step
async def pay(step: StepContext, order: Order) -> str:
    return f"payment of {order.amount} for {order.order_id}"


@durable_execution
async def process_order(order: Order, ctx: AsyncDurableContext) -> Processed:
    if not await ctx.step(validate(order)):
        raise ExecutionError(f"the order {order.order_id} is for nothing")
    payment = await ctx.step(pay(order))
    await ctx.wait(timedelta(seconds=5), name="payment confirmation")
    return Processed(order.order_id, "completed", payment)
