"""Waits: a parking ticket that is reminded of after a week, two weeks and a month, for free.

    durably dev examples/waits/pauses.py
    durably invoke collect '{"plate": "W-1", "paid_after_letter": 3}'

A wait takes a `timedelta` or a `Duration` and holds no thread and no process. Ask `durably` to show the execution
while it waits: it is a line in a table.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import DurableContext, Duration, StepContext, durable_execution, durable_step

PAUSES: list[Duration | timedelta] = [timedelta(weeks=1), Duration.from_weeks(2), Duration.from_months(1)]


@dataclass(frozen=True)
class Ticket:
    plate: str
    paid_after_letter: int


@durable_step
def send_letter(step: StepContext, ticket: Ticket, number: int) -> bool:
    """Whether it has been paid since."""
    return number >= ticket.paid_after_letter


@durable_execution
def collect(ticket: Ticket, ctx: DurableContext) -> str:
    started = ctx.now()
    for number, pause in enumerate(PAUSES, 1):
        ctx.wait(pause, name=f"before letter {number}")
        if ctx.step(send_letter(ticket, number)):
            return f"paid after {(ctx.now() - started).days} days and {number} letters"
    return "for the court"
