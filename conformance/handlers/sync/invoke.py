"""Suite ``invoke``: the callers, and the functions they call."""

from __future__ import annotations

import os
from typing import Any, Never, TypedDict

from support.serdes import Shouting, UppercaseValues

from durably import (
    DurableContext,
    Duration,
    InvokeConfig,
    InvokeError,
    StepContext,
    durable_execution,
    durable_step,
    durable_with_child_context,
)


class NamedPayload(TypedDict):
    name: str
    payload: str


class TenantPayload(TypedDict):
    tenantId: str
    payload: str


def target() -> str:
    """The qualified name of the function to call, from the caller's environment."""
    return os.environ["TARGET_FUNCTION"]


# The functions that are called.


@durable_execution
def echo(event: Any, ctx: DurableContext) -> Any:
    return event


@durable_execution
def refuse(event: Any, ctx: DurableContext) -> Never:
    raise ValueError("refused by the invoked function")


@durable_execution
def measure(event: str, ctx: DurableContext) -> int:
    return len(event)


# The callers.


@durable_execution
def basic(event: Any, ctx: DurableContext) -> Any:
    return ctx.invoke(target(), event)


@durable_execution
def named(event: NamedPayload, ctx: DurableContext) -> str:
    return ctx.invoke(target(), event["payload"], name=event["name"], result_type=str)


@durable_execution
def null_payload(event: None, ctx: DurableContext) -> None:
    return ctx.invoke(target(), None, result_type=type(None))


@durable_execution
def failing(event: None, ctx: DurableContext) -> Any:
    return ctx.invoke(target(), None)


@durable_execution
def failure_caught(event: None, ctx: DurableContext) -> Any:
    try:
        return ctx.invoke(target(), None)
    except InvokeError:
        return "fallback"


@durable_execution
def large_payload(event: None, ctx: DurableContext) -> int:
    return ctx.invoke(target(), "x" * 256_000, result_type=int)


@durable_execution
def with_tenant(event: TenantPayload, ctx: DurableContext) -> str:
    config = InvokeConfig(tenant_id=event["tenantId"])
    return ctx.invoke(target(), event["payload"], config=config, result_type=str)


@durable_execution
def replay_of_success(event: None, ctx: DurableContext) -> Any:
    result = ctx.invoke(target(), "once")
    ctx.wait(Duration.from_seconds(1))
    return result


@durable_execution
def replay_of_failure(event: None, ctx: DurableContext) -> Any:
    try:
        outcome = ctx.invoke(target(), None)
    except InvokeError as error:
        outcome = str(error)
    ctx.wait(Duration.from_seconds(1))
    return outcome


@durable_step
def prepare(step: StepContext) -> str:
    return "prepared"


@durable_step
def conclude(step: StepContext, answer: str) -> str:
    return f"{answer} and concluded"


@durable_execution
def after_step(event: None, ctx: DurableContext) -> str:
    return ctx.invoke(target(), ctx.step(prepare()), result_type=str)


@durable_execution
def before_step(event: None, ctx: DurableContext) -> str:
    answer = ctx.invoke(target(), "answered", result_type=str)
    return ctx.step(conclude(answer))


@durable_with_child_context
def ask(child: DurableContext, question: str) -> str:
    return child.invoke(target(), question, result_type=str)


@durable_execution
def inside_child(event: None, ctx: DurableContext) -> str:
    return ctx.run_in_child_context(ask("from a child"))


@durable_execution
def sequential(event: None, ctx: DurableContext) -> list[str]:
    first = ctx.invoke(target(), "first", result_type=str)
    second = ctx.invoke(target(), "second", result_type=str)
    return [first, second]


@durable_execution
def payload_serdes(event: dict[str, str], ctx: DurableContext) -> Any:
    return ctx.invoke(target(), event, config=InvokeConfig(serdes_payload=UppercaseValues()))


@durable_execution
def result_serdes(event: str, ctx: DurableContext) -> str:
    return ctx.invoke(target(), event, config=InvokeConfig(serdes_result=Shouting()))
