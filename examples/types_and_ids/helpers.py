"""Helpers with short signatures: for any context, any step, any value that can be recorded.

    durably dev examples/types_and_ids/helpers.py
    durably invoke tidy '["desk", "shelf"]'

`DurableContextProtocol` fits the handler's context, a child's and a test's. `StepFunction[T]` is what `ctx.step` takes.
"""

from durably import DurableContext, StepContext, durable_execution, durable_step
from durably.types import ChildFunction, DurableContextProtocol, DurableValue, StepFunction


def noted(ctx: DurableContextProtocol, name: str, func: StepFunction[str]) -> str:
    """A step whose result is put in writing by another."""
    found = ctx.step(func, name)
    return ctx.step(lambda step: f"noted: {found}", f"note {name}")


@durable_step
def clear(step: StepContext, place: str) -> str:
    return f"{place} is clear"


def room(place: str) -> ChildFunction[DurableValue]:
    return lambda inner: noted(inner, place, clear(place))


@durable_execution
def tidy(places: list[str], ctx: DurableContext) -> list[DurableValue]:
    return [ctx.run_in_child_context(room(place), name=f"tidy {place}") for place in places]
