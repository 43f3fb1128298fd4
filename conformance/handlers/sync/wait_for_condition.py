"""Suite ``wait_for_condition``."""

from __future__ import annotations

from typing import Never, TypedDict

from support.polling import at_fixed_delay, every_second_until
from support.serdes import Reversed

from durably import (
    DurableContext,
    StepContext,
    WaitForConditionCheckContext,
    WaitForConditionConfig,
    WaitForConditionError,
    durable_execution,
    durable_step,
)
from durably.waits import WaitStrategy


class Status(TypedDict):
    status: str
    attempts: int


def count(state: int, check: WaitForConditionCheckContext) -> int:
    return state + 1


def unchanged(state: int, check: WaitForConditionCheckContext) -> int:
    return state


def broken(state: int, check: WaitForConditionCheckContext) -> Never:
    raise ConnectionError("nothing to ask")


def nothing(state: None, check: WaitForConditionCheckContext) -> None:
    return None


def longer(state: str, check: WaitForConditionCheckContext) -> str:
    return state + "x"


def done_at_second(state: Status, check: WaitForConditionCheckContext) -> Status:
    attempts = state["attempts"] + 1
    return Status(status="DONE" if attempts == 2 else "PENDING", attempts=attempts)


@durable_step
def times_ten(step: StepContext, value: int) -> int:
    return value * 10


def counting_to(threshold: int, start: int = 0) -> WaitForConditionConfig[int]:
    return WaitForConditionConfig(every_second_until(lambda state: state >= threshold), start)


@durable_execution
def basic(event: int, ctx: DurableContext) -> int:
    return ctx.wait_for_condition(count, counting_to(event))


@durable_execution
def met_at_once(event: int, ctx: DurableContext) -> int:
    return ctx.wait_for_condition(unchanged, counting_to(event, start=5))


@durable_execution
def named(event: int, ctx: DurableContext) -> int:
    return ctx.wait_for_condition(count, counting_to(event), name="poll-status")


@durable_execution
def initial_state(event: int, ctx: DurableContext) -> int:
    return ctx.wait_for_condition(count, counting_to(event, start=5))


@durable_execution
def fixed_delay(event: int, ctx: DurableContext) -> int:
    strategy: WaitStrategy[int] = at_fixed_delay(2, lambda state: state < event)
    return ctx.wait_for_condition(count, WaitForConditionConfig(strategy, 0))


@durable_execution
def attempts_exhausted(event: int, ctx: DurableContext) -> int:
    strategy = at_fixed_delay(1, lambda state: True, attempts=3)
    return ctx.wait_for_condition(count, WaitForConditionConfig(strategy, event))


@durable_execution
def failing(event: None, ctx: DurableContext) -> None:
    ctx.wait_for_condition(broken, counting_to(1))


@durable_execution
def failure_caught(event: None, ctx: DurableContext) -> str:
    try:
        ctx.wait_for_condition(broken, counting_to(1))
    except WaitForConditionError:
        return "recovered"
    return "unexpected success"


@durable_execution
def object_state(event: None, ctx: DurableContext) -> Status:
    strategy: WaitStrategy[Status] = every_second_until(lambda state: state["status"] == "DONE")
    return ctx.wait_for_condition(
        done_at_second, WaitForConditionConfig(strategy, Status(status="PENDING", attempts=0))
    )


@durable_execution
def null_state(event: None, ctx: DurableContext) -> None:
    return ctx.wait_for_condition(nothing, WaitForConditionConfig(every_second_until(lambda state: True), None))


@durable_execution
def custom_serdes(event: None, ctx: DurableContext) -> str:
    strategy: WaitStrategy[str] = every_second_until(lambda state: len(state) == 2)
    return ctx.wait_for_condition(longer, WaitForConditionConfig(strategy, "", serdes=Reversed()))


@durable_execution
def then_step(event: int, ctx: DurableContext) -> int:
    reached = ctx.wait_for_condition(count, counting_to(event))
    return ctx.step(times_ten(reached))


@durable_execution
def sequential(event: None, ctx: DurableContext) -> int:
    reached = ctx.wait_for_condition(count, counting_to(2))
    return ctx.wait_for_condition(count, counting_to(4, start=reached))
