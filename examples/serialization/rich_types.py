"""Types: what a step says it returns is what a replay gives back.

    durably dev examples/serialization/rich_types.py
    durably invoke museum '{"visitor": "Ada"}'

Dataclasses, enums, dates, decimals, UUIDs, bytes, sets and tuples need nothing; so do Pydantic models, msgspec
Structs and TypedDicts.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

from durably import AsyncDurableContext, StepContext, durable_execution, durable_step


class Tariff(Enum):
    CHILD = "child"
    ADULT = "adult"


@dataclass(frozen=True)
class Ticket:
    id: UUID
    tariff: Tariff
    price: Decimal
    valid_from: datetime
    rooms: set[str] = field(default_factory=set)
    stamp: bytes = b""


@dataclass(frozen=True)
class Visit:
    visitor: str


@durable_step
async def sell(step: StepContext, id: UUID) -> Ticket:
    day = datetime(2026, 5, 1, 9, tzinfo=UTC)
    return Ticket(id, Tariff.ADULT, Decimal("12.50"), day, {"dinosaurs", "minerals"}, b"\x00\xff")


@durable_step
async def shortest_way(step: StepContext, rooms: set[str]) -> tuple[int, list[str]]:
    return 40, sorted(rooms)


@durable_execution
async def museum(visit: Visit, ctx: AsyncDurableContext) -> str:
    ticket = await ctx.step(sell(ctx.uuid()))
    way = await ctx.step(shortest_way(ticket.rooms))
    await ctx.wait(timedelta(hours=1), name="queue")  # everything above is read back from its record after it
    assert isinstance(ticket.id, UUID)
    assert isinstance(way, tuple)
    return (
        f"{visit.visitor}: {ticket.tariff.name} {ticket.price + 1} from {ticket.valid_from:%d %B}, "
        f"{way[0]} m to {way[1][0]}, stamp {ticket.stamp.hex()}"
    )
