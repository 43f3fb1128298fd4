"""Values that are the same on every replay, without a checkpoint: the time, ids, and chance.

    durably dev examples/replay/safe_values.py
    durably invoke raffle '["Ada", "Grace", "Mary"]'
    python examples/replay/safe_values.py

`datetime.now()`, `uuid4()` and `random` would give another value each time the program is replayed.
"""

from datetime import timedelta

from durably import AsyncDurableContext, durable_execution
from durably.replay_safe import timestamp_from_execution, uuid_string_from_operation


@durable_execution
async def raffle(names: list[str], ctx: AsyncDurableContext) -> dict[str, str | int | bool]:
    ticket = ctx.uuid()
    winner = ctx.random().choice(names)
    opened = ctx.now()
    await ctx.wait(timedelta(days=7), name="until the draw")  # what is above is evaluated again after it
    return {
        "winner": winner,
        "ticket_version": ticket.version or 0,
        "days": (ctx.now() - opened).days,
        "since_start": opened == ctx.execution_start_time,
    }


if __name__ == "__main__":
    print(uuid_string_from_operation("my-operation-123", 0))  # the same on every machine, for ever
    print(uuid_string_from_operation("my-operation-123", 1))  # another seed, another id
    print(timestamp_from_execution(1_700_000_000_000))
