"""Compensations: a hotel and a train are booked, and undone last first when the concert is sold out.

    durably dev examples/sagas/compensations.py
    durably invoke weekend '{"who": "Ada", "concert": "sold out", "hotel": "closed"}'

Each compensation is an operation of its own, so a process that dies half-way through undoing goes on where it was. One
that fails does not stop the others; the result tells of each. `examples/saga.py` shows the same as a `with` block.
"""

from dataclasses import dataclass

from durably import DurableContext, RetryPresets, StepConfig, StepContext, StepError, durable_execution, durable_step

ONCE = StepConfig(RetryPresets.none())


@dataclass(frozen=True)
class Weekend:
    who: str
    concert: str = "open"
    hotel: str = "open"


@durable_step
def book(step: StepContext, what: str, who: str) -> str:
    return f"{what} for {who}"


@durable_step
def buy_ticket(step: StepContext, weekend: Weekend) -> str:
    if weekend.concert == "sold out":
        raise LookupError("the concert is sold out")
    return f"ticket for {weekend.who}"


@durable_execution
def weekend(event: Weekend, ctx: DurableContext) -> list[str]:
    def give_back_room(inner: DurableContext, room: str) -> None:
        if event.hotel == "closed":
            raise ConnectionError(f"nobody at the hotel takes back the {room}")
        inner.step(lambda step: None, name="mail the hotel")

    def give_back_seat(inner: DurableContext, seat: str) -> None:
        inner.step(lambda step: None, name="cancel the seat")

    booked = [
        ctx.step_with_compensation(book("room", event.who), give_back_room, name="hotel"),
        ctx.step_with_compensation(book("seat", event.who), give_back_seat, name="train", config=ONCE),
    ]
    try:
        return [*booked, ctx.step(buy_ticket(event), config=ONCE)]
    except StepError:
        undone = ctx.run_compensations()
        return [f"{item.name}: {item.error.message if item.error else 'given back'}" for item in undone]
