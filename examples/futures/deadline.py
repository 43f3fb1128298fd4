"""A deadline for a whole flow: whichever comes first, the restored painting or the exhibition.

    durably dev examples/futures/deadline.py
    durably invoke restore '{"painting": "The Harvest", "days_needed": 40}'

Whichever loses is given up: it records nothing more, and a wait in it is cancelled.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import DurableContext, durable_execution


@dataclass(frozen=True)
class Work:
    painting: str
    days_needed: int


@durable_execution
def restore(work: Work, ctx: DurableContext) -> str:
    def restoration(inner: DurableContext) -> str:
        for day in range(0, work.days_needed, 10):
            inner.step(lambda step, day=day: f"day {day}", name=f"paint, day {day}")  # type: ignore[misc]
            inner.wait(timedelta(days=10), name="dry")
        return f"{work.painting} hangs in the exhibition"

    def exhibition(inner: DurableContext) -> str:
        inner.wait(timedelta(days=30), name="until the exhibition")
        return f"a photograph of {work.painting} hangs in the exhibition"

    return ctx.race([restoration, exhibition], name="in time")
