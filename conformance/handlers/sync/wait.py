"""Suite ``wait``."""

from __future__ import annotations

from typing import TypedDict

from durably import DurableContext, Duration, durable_execution


class Waits(TypedDict):
    completedWaits: int


@durable_execution
def basic(event: None, ctx: DurableContext) -> None:
    ctx.wait(Duration.from_seconds(2))


@durable_execution
def named(event: None, ctx: DurableContext) -> None:
    ctx.wait(Duration.from_seconds(2), name="custom_wait_name")


@durable_execution
def sequential(event: None, ctx: DurableContext) -> Waits:
    ctx.wait(Duration.from_seconds(2), name="wait-1")
    ctx.wait(Duration.from_seconds(2), name="wait-2")
    return {"completedWaits": 2}


@durable_execution
def one_minute(event: None, ctx: DurableContext) -> None:
    ctx.wait(Duration.from_minutes(1))


@durable_execution
def one_hour(event: None, ctx: DurableContext) -> None:
    ctx.wait(Duration.from_hours(1))
