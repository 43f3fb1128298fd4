"""Suite ``wait_for_callback``."""

from __future__ import annotations

from typing import Never

from support.retries import twice

from durably import (
    CallbackError,
    DurableContext,
    Duration,
    JsonSerDes,
    StepContext,
    WaitForCallbackConfig,
    WaitForCallbackContext,
    durable_execution,
    durable_step,
    durable_wait_for_callback,
    durable_with_child_context,
)


def submit(callback_id: str, submission: WaitForCallbackContext) -> None:
    """Where a real function hands the id to whoever will answer. Here the requirement's runner finds it by itself."""


@durable_wait_for_callback
def submit_to(callback_id: str, submission: WaitForCallbackContext, recipient: str) -> None:
    submission.logger.info("asking %s", recipient)


@durable_wait_for_callback
def fail_to_submit(callback_id: str, submission: WaitForCallbackContext) -> Never:
    raise ConnectionError("nobody to ask")


@durable_step
def give_fixed_data(step: StepContext) -> str:
    return "fixed data"


@durable_execution
def basic(event: str, ctx: DurableContext) -> str | None:
    return ctx.wait_for_callback(submit, name=event)


@durable_execution
def named(event: None, ctx: DurableContext) -> str | None:
    return ctx.wait_for_callback(submit_to("the manager"), name="approval")


@durable_execution
def anonymous(event: None, ctx: DurableContext) -> str | None:
    return ctx.wait_for_callback(lambda callback_id, submission: None)


@durable_execution
def timing_out(event: str, ctx: DurableContext) -> str | None:
    config = WaitForCallbackConfig(timeout=Duration.from_seconds(3))
    return ctx.wait_for_callback(submit, name=event, config=config)


@durable_execution
def failure_caught(event: str, ctx: DurableContext) -> str | None:
    try:
        return ctx.wait_for_callback(submit, name=event)
    except CallbackError:
        return "recovered"


@durable_execution
def submitter_exhausted(event: str, ctx: DurableContext) -> str | None:
    return ctx.wait_for_callback(fail_to_submit(), name=event, config=WaitForCallbackConfig(retry_strategy=twice))


@durable_with_child_context
def wrapped(child: DurableContext, name: str) -> str | None:
    return child.wait_for_callback(submit, name=name)


@durable_execution
def inside_child(event: str, ctx: DurableContext) -> str | None:
    return ctx.run_in_child_context(wrapped(event), name="wrapper")


@durable_execution
def sequential(event: None, ctx: DurableContext) -> str | None:
    ctx.wait_for_callback(submit, name="first")
    return ctx.wait_for_callback(submit, name="second")


@durable_execution
def after_wait_and_step(event: str, ctx: DurableContext) -> str | None:
    ctx.wait(Duration.from_seconds(1))
    ctx.step(give_fixed_data())
    return ctx.wait_for_callback(submit, name=event)


@durable_execution
def structured_result(event: str, ctx: DurableContext) -> str:
    decision = ctx.wait_for_callback(submit, name=event, config=WaitForCallbackConfig(serdes=JsonSerDes()))
    return decision["status"]


@durable_execution
def heartbeat_missed(event: str, ctx: DurableContext) -> str | None:
    config = WaitForCallbackConfig(heartbeat_timeout=Duration.from_seconds(5))
    return ctx.wait_for_callback(submit, name=event, config=config)


@durable_execution
def heartbeat_kept(event: str, ctx: DurableContext) -> str | None:
    config = WaitForCallbackConfig(heartbeat_timeout=Duration.from_seconds(10))
    return ctx.wait_for_callback(submit, name=event, config=config)


@durable_execution
def timeout_caught(event: str, ctx: DurableContext) -> str | None:
    config = WaitForCallbackConfig(timeout=Duration.from_seconds(3))
    try:
        return ctx.wait_for_callback(submit, name=event, config=config)
    except CallbackError:
        return "timed-out-handled"
