"""Suite ``callback``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from support.serdes import Message, MessageFromJson, Number

from durably import (
    CallbackConfig,
    CallbackError,
    DurableContext,
    Duration,
    StepContext,
    durable_execution,
    durable_step,
)


@dataclass(frozen=True)
class Received:
    received: Message


class Doubled(TypedDict):
    count: int
    doubled: int


@durable_step
def notify(step: StepContext, callback_id: str) -> str:
    return f"sent {callback_id}"


@durable_execution
def basic(event: str, ctx: DurableContext) -> str | None:
    return ctx.create_callback(name=event).result()


@durable_execution
def named(event: None, ctx: DurableContext) -> str | None:
    return ctx.create_callback(name="approval").result()


@durable_execution
def timing_out(event: str, ctx: DurableContext) -> str | None:
    return ctx.create_callback(name=event, config=CallbackConfig(timeout=Duration.from_seconds(5))).result()


@durable_execution
def heartbeat_missed(event: str, ctx: DurableContext) -> str | None:
    config = CallbackConfig(heartbeat_timeout=Duration.from_seconds(5))
    return ctx.create_callback(name=event, config=config).result()


@durable_execution
def heartbeat_kept(event: str, ctx: DurableContext) -> str | None:
    config = CallbackConfig(heartbeat_timeout=Duration.from_seconds(10))
    return ctx.create_callback(name=event, config=config).result()


@durable_execution
def after_step(event: str, ctx: DurableContext) -> str | None:
    callback = ctx.create_callback(name=event)
    ctx.step(notify(callback.callback_id))
    return callback.result()


@durable_execution
def after_step_timing_out(event: str, ctx: DurableContext) -> str | None:
    callback = ctx.create_callback(name=event, config=CallbackConfig(timeout=Duration.from_seconds(5)))
    ctx.step(notify(callback.callback_id))
    return callback.result()


@durable_execution
def after_wait(event: str, ctx: DurableContext) -> str | None:
    callback = ctx.create_callback(name=event)
    ctx.wait(Duration.from_seconds(5))
    return callback.result()


@durable_execution
def after_wait_timing_out(event: str, ctx: DurableContext) -> str | None:
    callback = ctx.create_callback(name=event, config=CallbackConfig(timeout=Duration.from_seconds(3)))
    ctx.wait(Duration.from_seconds(6))
    return callback.result()


@durable_execution
def before_wait(event: str, ctx: DurableContext) -> str | None:
    answer = ctx.create_callback(name=event).result()
    ctx.wait(Duration.from_seconds(2))
    return answer


@durable_execution
def failure_caught(event: str, ctx: DurableContext) -> str | None:
    callback = ctx.create_callback(name=event)
    try:
        outcome = callback.result()
    except CallbackError as error:
        outcome = f"refused: {error}"
    ctx.wait(Duration.from_seconds(2))
    return outcome


@durable_execution
def timeout_caught(event: str, ctx: DurableContext) -> str | None:
    callback = ctx.create_callback(name=event, config=CallbackConfig(timeout=Duration.from_seconds(3)))
    try:
        outcome = callback.result()
    except CallbackError as error:
        outcome = f"too late: {error}"
    ctx.wait(Duration.from_seconds(2))
    return outcome


@durable_execution
def typed_result(event: str, ctx: DurableContext) -> Received:
    message = ctx.create_callback(name=event, config=CallbackConfig(serdes=MessageFromJson())).result()
    return Received(message)


@durable_execution
def numeric_result(event: str, ctx: DurableContext) -> Doubled:
    count = ctx.create_callback(name=event, config=CallbackConfig(serdes=Number())).result()
    return {"count": count, "doubled": count * 2}


@durable_execution
def one_after_the_other(event: list[str], ctx: DurableContext) -> list[str | None]:
    first = ctx.create_callback(name=event[0]).result()
    second = ctx.create_callback(name=event[1]).result()
    return [first, second]


@durable_execution
def both_in_order(event: list[str], ctx: DurableContext) -> list[str | None]:
    first = ctx.create_callback(name=event[0])
    second = ctx.create_callback(name=event[1])
    return [first.result(), second.result()]


@durable_execution
def both_in_reverse(event: list[str], ctx: DurableContext) -> list[str | None]:
    first = ctx.create_callback(name=event[0])
    second = ctx.create_callback(name=event[1])
    answer_of_second = second.result()
    return [first.result(), answer_of_second]
