"""What a running execution knows of itself: its input as it was sent, its ARN, whether it is replaying.

durably dev examples/replay/about_itself.py
durably invoke whoami '{"order_id": "A-17"}'
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import DurableContext, durable_execution


@dataclass(frozen=True)
class Order:
    order_id: str


@durable_execution
def whoami(order: Order, ctx: DurableContext) -> dict[str, str | bool | None]:
    replaying = ctx.is_replaying()  # False at first; True in the invocation after the wait
    ctx.wait(timedelta(minutes=1), name="a nap")
    return {
        "order": order.order_id,
        "sent": ctx.original_input,
        "function": ctx.execution_arn.split(":function:")[1].split(":")[0],
        "replaying_before_the_nap": replaying,
        "replaying_now": ctx.is_replaying(),
    }
