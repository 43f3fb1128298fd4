"""Suite ``child``."""

from __future__ import annotations

import os
import time
from typing import Never, TypedDict

from support.attempts import next_attempt
from support.replay_logging import log_in_replay_too
from support.retries import twice
from support.serdes import UppercaseText

from durably import (
    ChildConfig,
    ChildContextError,
    DurableContext,
    Duration,
    RetryPresets,
    StepConfig,
    StepContext,
    durable_execution,
    durable_step,
    durable_with_child_context,
)

NO_RETRY = StepConfig(retry_strategy=RetryPresets.none())


class NamedValue(TypedDict):
    name: str
    value: str


@durable_step
def give(step: StepContext, value: str) -> str:
    return value


@durable_step
def fail(step: StepContext) -> Never:
    raise RuntimeError("this step always fails")


@durable_with_child_context
def one_step(child: DurableContext, value: str) -> str:
    return child.step(give(value))


@durable_execution
def basic(event: str, ctx: DurableContext) -> str:
    return ctx.run_in_child_context(one_step(event))


@durable_execution
def named(event: NamedValue, ctx: DurableContext) -> str:
    return ctx.run_in_child_context(one_step(event["value"]), name=event["name"])


@durable_with_child_context
def two_steps(child: DurableContext, value: str) -> str:
    first = child.step(give(value))
    return child.step(give(first))


@durable_execution
def sequential_steps(event: str, ctx: DurableContext) -> str:
    return ctx.run_in_child_context(two_steps(event))


@durable_with_child_context
def failing_step(child: DurableContext) -> None:
    child.step(fail(), config=NO_RETRY)


@durable_execution
def failing(event: None, ctx: DurableContext) -> None:
    ctx.run_in_child_context(failing_step())


@durable_execution
def failure_caught(event: str, ctx: DurableContext) -> str:
    try:
        ctx.run_in_child_context(failing_step())
    except ChildContextError:
        return ctx.step(give(event), name="recover")
    return "unexpected success"


@durable_with_child_context
def outer(child: DurableContext, value: str) -> str:
    child.step(give(value))
    return child.run_in_child_context(one_step(value), name="inner")


@durable_execution
def nested(event: str, ctx: DurableContext) -> str:
    return ctx.run_in_child_context(outer(event))


@durable_with_child_context
def step_that_recovers(child: DurableContext, value: str) -> str:
    def give_on_second_attempt(step: StepContext) -> str:
        if step.attempt == 1:
            raise RuntimeError("the first attempt fails")
        return value

    return child.step(give_on_second_attempt, config=StepConfig(retry_strategy=twice))


@durable_execution
def step_retried(event: str, ctx: DurableContext) -> str:
    return ctx.run_in_child_context(step_that_recovers(event))


@durable_with_child_context
def step_that_never_recovers(child: DurableContext) -> None:
    child.step(fail(), config=StepConfig(retry_strategy=twice))


@durable_execution
def retries_exhausted(event: None, ctx: DurableContext) -> None:
    ctx.run_in_child_context(step_that_never_recovers())


@durable_execution
def replayed(event: str, ctx: DurableContext) -> str:
    value = ctx.run_in_child_context(one_step(event))
    ctx.wait(Duration.from_seconds(1))
    return value


@durable_with_child_context
def step_and_wait(child: DurableContext, value: str) -> str:
    given = child.step(give(value))
    child.wait(Duration.from_seconds(1))
    return given


@durable_execution
def mixed_inside(event: str, ctx: DurableContext) -> str:
    return ctx.run_in_child_context(step_and_wait(event))


@durable_with_child_context
def large_result(child: DurableContext, value: str) -> str:
    log_in_replay_too(child, value)
    return child.step(give("x")) * 300_000


@durable_execution
def large_payload(event: str, ctx: DurableContext) -> int:
    built = ctx.run_in_child_context(large_result(event))
    ctx.wait(Duration.from_seconds(1))
    return len(built)


@durable_with_child_context
def step_that_crashes_once(child: DurableContext, value: str) -> str:
    def give_unless_first(step: StepContext) -> str:
        if next_attempt(child.execution_arn) == 1:
            time.sleep(1)  # long enough for the start of this step, sent in the background, to be recorded
            os._exit(1)
        return value

    return child.step(give_unless_first)


@durable_execution
def interrupted(event: str, ctx: DurableContext) -> str:
    return ctx.run_in_child_context(step_that_crashes_once(event))


@durable_with_child_context
def only_wait(child: DurableContext, value: str) -> str:
    child.wait(Duration.from_seconds(1))
    return value


@durable_execution
def wait_inside(event: str, ctx: DurableContext) -> str:
    value = ctx.run_in_child_context(only_wait(event))
    return ctx.step(give(value))


@durable_execution
def custom_serdes(event: str, ctx: DurableContext) -> str:
    return ctx.run_in_child_context(one_step(event), config=ChildConfig(serdes=UppercaseText()))


@durable_with_child_context
def no_operation_but_error(child: DurableContext) -> Never:
    raise ValueError("raised in the body of the child")


@durable_execution
def failing_without_step(event: None, ctx: DurableContext) -> None:
    ctx.run_in_child_context(no_operation_but_error())


@durable_with_child_context
def nothing(child: DurableContext) -> None:
    return None


@durable_execution
def null_result(event: None, ctx: DurableContext) -> None:
    return ctx.run_in_child_context(nothing())


@durable_with_child_context
def only_log(child: DurableContext, value: str) -> str:
    log_in_replay_too(child, value)
    return value


@durable_execution
def logger_only(event: str, ctx: DurableContext) -> str:
    value = ctx.run_in_child_context(only_log(event))
    ctx.wait(Duration.from_seconds(1))
    return value


@durable_execution
def mixed_inside_and_after(event: str, ctx: DurableContext) -> str:
    value = ctx.run_in_child_context(step_and_wait(event))
    given = ctx.step(give(value))
    ctx.wait(Duration.from_seconds(1))
    return given
