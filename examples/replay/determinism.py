"""Determinism: five things that would change from run to run, and what to write instead.

    durably dev examples/replay/determinism.py
    durably invoke plan_route '["Linz", "Graz", "Wels"]'

The code between operations runs again on every replay and must come to the same calls. What may change belongs into a
step: there it is asked once, and recorded.
"""

import os
from datetime import timedelta

from durably import DurableContext, StepContext, durable_execution, durable_step


@durable_step
def traffic(step: StepContext, city: str) -> int:
    """The world outside: a service, a file, a database."""
    return len(city)


@durable_execution
def plan_route(cities: list[str], ctx: DurableContext) -> list[str]:
    lorry = ctx.step(lambda step: os.environ.get("LORRY", "lorry 1"), name="which lorry")  # not os.environ in between
    distinct = sorted(set(cities))  # not a set: its order changes from process to process
    minutes = {city: ctx.step(traffic(city), name=f"traffic in {city}") for city in distinct}
    leaves_at = ctx.now() + timedelta(minutes=sum(minutes.values()))  # not datetime.now()
    ctx.random().shuffle(distinct)  # not random.shuffle()
    ctx.wait(leaves_at - ctx.now(), name="load")
    trip = ctx.uuid()  # not uuid4()
    return [lorry, *sorted(distinct), f"trip {'-' in str(trip)}"]
