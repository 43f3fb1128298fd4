"""A trip: flight, room and car are booked one after the other, and given back when one of them cannot be had.

    durably dev examples/saga.py
    durably invoke book_trip '{"traveller": "Ada", "sold_out": "car"}'

`sold_out` names what cannot be had. The bookings are undone last first, each as an operation of its own, so a process
that dies half-way through undoing goes on where it was.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from durably import (
    AsyncDurableContext,
    RetryPresets,
    StepConfig,
    StepContext,
    StepError,
    durable_execution,
    durable_step,
)

NO_RETRY = StepConfig(retry_strategy=RetryPresets.none())


@dataclass(frozen=True)
class Trip:
    traveller: str
    sold_out: str = ""


@dataclass(frozen=True)
class Booking:
    what: str
    number: str


@dataclass
class Result:
    booked: list[Booking] = field(default_factory=list)
    given_back: list[str] = field(default_factory=list)
    reason: str = ""


@durable_step
async def book(step: StepContext, trip: Trip, what: str) -> Booking:
    if trip.sold_out == what:
        raise LookupError(f"no {what} for {trip.traveller}")
    return Booking(what, f"{what.upper()}-1")


async def give_back(ctx: AsyncDurableContext, booking: Booking) -> None:
    await ctx.wait(timedelta(seconds=1), name=f"until {booking.what} may be given back")
    await ctx.step(lambda step: print(f"{booking.number} given back"), name=f"give back {booking.what}")


async def tell(ctx: AsyncDurableContext) -> None:
    await ctx.step(lambda step: print("the traveller is told"), name="send mail")


@durable_execution
async def book_trip(trip: Trip, ctx: AsyncDurableContext) -> Result:
    result = Result()
    saga = ctx.saga()
    try:
        async with saga:
            saga.add_cleanup(tell, name="tell the traveller")
            for what in ("flight", "room", "car"):
                config = NO_RETRY if what == "car" else None
                result.booked.append(await saga.step(book(trip, what), give_back, name=what, config=config))
    except StepError as error:
        assert saga.result is not None
        return Result(given_back=[str(item.name) for item in saga.result], reason=error.message or "")
    return result
