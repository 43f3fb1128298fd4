"""A wait that is cancelled: the reminder is not needed once the bill is paid.

    durably dev examples/waits/cancelled.py
    durably invoke bill '{"number": 7, "pays": true}'

`start` begins the wait and lets the program go on. Cancelling ends it at once, at the service too.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import DurableContext, StepContext, durable_execution, durable_step


@dataclass(frozen=True)
class Bill:
    number: int
    pays: bool


@durable_step
def payment_arrived(step: StepContext, bill: Bill) -> bool:
    return bill.pays


@durable_execution
def bill(event: Bill, ctx: DurableContext) -> str:
    reminder = ctx.start(ctx.wait, timedelta(days=30), name="until the reminder")
    if ctx.step(payment_arrived(event)):
        ctx.cancel_wait(reminder)
        return f"bill {event.number} is paid"
    reminder.result()
    return f"bill {event.number}: please remember"
