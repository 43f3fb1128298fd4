"""complete: the execution ends from deep inside, as soon as one of the searchers has found the keys.

    durably dev examples/futures/found_it.py
    durably invoke find_keys '{"keys_are_in": "the coat"}'

What is done is recorded, what still runs is given up, and nothing has to be passed up through the levels.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import AsyncDurableContext, durable_execution

PLACES = ["the drawer", "the car", "the coat"]


@dataclass(frozen=True)
class Flat:
    keys_are_in: str


@durable_execution
async def find_keys(flat: Flat, ctx: AsyncDurableContext) -> str:
    async def search(inner: AsyncDurableContext, place: str, index: int) -> None:
        await inner.wait(timedelta(minutes=5 * (index + 1)), name=f"rummage in {place}")
        if await inner.step(lambda step: place == flat.keys_are_in, name=f"look into {place}"):
            await inner.complete(f"found in {place}")

    await ctx.map(PLACES, search, name="search")
    return "call a locksmith"
