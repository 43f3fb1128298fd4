"""Steps: anonymous, named, and made of a function with arguments.

    durably dev examples/steps/basics.py
    durably invoke bake '{"cake": "Linzer torte", "guests": 6}'

A name makes the history readable. `@durable_step` binds a function's arguments; the step is named after the function.
"""

from dataclasses import dataclass

from durably import DurableContext, StepContext, durable_execution, durable_step


@dataclass(frozen=True)
class Wish:
    cake: str
    guests: int


@durable_step
def cut(step: StepContext, cake: str, pieces: int) -> list[str]:
    step.logger.info("cutting, attempt %d", step.attempt)
    return [f"{cake}, piece {number}" for number in range(1, pieces + 1)]


@durable_execution
def bake(wish: Wish, ctx: DurableContext) -> list[str]:
    grams = ctx.step(lambda step: 40 * wish.guests)
    cake = ctx.step(lambda step: f"{grams} g of {wish.cake}", name="bake")
    return ctx.step(cut(cake, 2))
