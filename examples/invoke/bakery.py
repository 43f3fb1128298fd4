"""Invoke: one function calls others, durable or not, and waits for their results without running itself.

    durably dev examples/invoke/bakery.py
    durably invoke breakfast '{"rolls": 4, "eggs": 2}'

The payload and the result are plain JSON. A function that fails, times out or does not exist is an InvokeError.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from durably import AsyncDurableContext, DurableContext, InvokeError, durable_execution


@dataclass(frozen=True)
class Breakfast:
    rolls: int
    eggs: int


@dataclass(frozen=True)
class Served:
    rolls: list[str]
    eggs: str
    bill: int


@durable_execution
async def bake_rolls(count: int, ctx: AsyncDurableContext) -> list[str]:
    await ctx.wait(timedelta(minutes=20), name="in the oven")
    return [f"roll {number}" for number in range(1, count + 1)]


@durable_execution
def boil_eggs(count: int, ctx: DurableContext) -> str:
    if count > 12:
        raise ValueError(f"the pot does not hold {count} eggs")
    ctx.wait(timedelta(minutes=4), name="boil")
    return f"{count} soft eggs"


def add_up(event: dict[str, int], context: Any) -> int:
    """A plain Lambda function."""
    return event["rolls"] * 2 + event["eggs"] * 3


@durable_execution
async def breakfast(event: Breakfast, ctx: AsyncDurableContext) -> Served:
    rolls = await ctx.invoke("bake_rolls:$LATEST", event.rolls, name="rolls", result_type=list[str])
    try:
        eggs = await ctx.invoke("boil_eggs:$LATEST", event.eggs, name="eggs", result_type=str)
    except InvokeError as error:
        eggs = f"no eggs: {error.message}"
    return Served(rolls, eggs, await ctx.invoke("add_up", event, name="bill", result_type=int))
