"""Suite ``step``: one handler for each requirement, named after what it shows."""

from __future__ import annotations

import os
from typing import Never, TypedDict

from support.attempts import next_attempt
from support.retries import (
    TransientError,
    all_but_transient,
    four_times,
    only_transient,
    tripling_from_two_seconds,
    twice,
)
from support.serdes import UppercaseText

from durably import (
    AsyncDurableContext,
    Duration,
    RetryPresets,
    StepConfig,
    StepContext,
    StepError,
    StepSemantics,
    durable_execution,
    durable_step,
)


class Person(TypedDict):
    name: str
    tags: list[str]


class Profile(TypedDict):
    user: Person
    count: int


@durable_step
async def greet(step: StepContext, name: str) -> str:
    return f"Hello, {name}!"


@durable_step
async def give(step: StepContext, value: str) -> str:
    return value


@durable_step
async def append(step: StepContext, text: str, suffix: str) -> str:
    return f"{text}_{suffix}"


@durable_step
async def build_profile(step: StepContext, person: Person) -> Profile:
    return {"user": person, "count": len(person["tags"])}


@durable_step
async def do_nothing(step: StepContext) -> None:
    return None


@durable_step
async def fail(step: StepContext, message: str) -> Never:
    raise RuntimeError(message)


@durable_execution
async def basic(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.step(greet(event))


@durable_execution
async def named(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.step(greet(event), name="custom_step_name")


@durable_execution
async def chained(event: None, ctx: AsyncDurableContext) -> str:
    first = await ctx.step(give("first"))
    return await ctx.step(append(first, "second"))


@durable_execution
async def complex_result(event: Person, ctx: AsyncDurableContext) -> Profile:
    return await ctx.step(build_profile(event))


@durable_execution
async def null_result(event: None, ctx: AsyncDurableContext) -> None:
    return await ctx.step(do_nothing())


@durable_execution
async def custom_serdes(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.step(give(event), config=StepConfig(serdes=UppercaseText()))


@durable_step
async def greet_aloud(step: StepContext, name: str) -> str:
    step.logger.info("Greeting step started for: %s", name)
    greeting = f"Hello, {name}!"
    step.logger.info("Greeting step completed with: %s", greeting)
    return greeting


@durable_execution
async def step_logger(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.step(greet_aloud(event))


@durable_execution
async def then_wait(event: None, ctx: AsyncDurableContext) -> str:
    computed = await ctx.step(give("computed"))
    await ctx.wait(Duration.from_seconds(2))
    return computed


@durable_step
async def give_and_tell(step: StepContext, value: str) -> str:
    step.logger.info("step executed")
    return value


@durable_execution
async def replay_of_success(event: None, ctx: AsyncDurableContext) -> str:
    value = await ctx.step(give_and_tell("cached_value"))
    await ctx.wait(Duration.from_seconds(1))
    return value


@durable_step
async def tell_and_fail(step: StepContext) -> Never:
    step.logger.info("step executed")
    raise RuntimeError("this step always fails")


@durable_execution
async def replay_of_failure(event: None, ctx: AsyncDurableContext) -> str:
    try:
        await ctx.step(tell_and_fail(), config=StepConfig(retry_strategy=RetryPresets.none()))
    except StepError as error:
        outcome = str(error)
    await ctx.wait(Duration.from_seconds(1))
    return outcome


@durable_step
async def succeed_from(step: StepContext, attempt: int) -> str:
    if step.attempt < attempt:
        raise RuntimeError(f"attempt {step.attempt} fails")
    return "Operation succeeded"


@durable_execution
async def retried(event: None, ctx: AsyncDurableContext) -> str:
    return await ctx.step(succeed_from(2), config=StepConfig(retry_strategy=twice))


@durable_execution
async def retries_exhausted(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.step(fail("every attempt fails"), config=StepConfig(retry_strategy=four_times))


@durable_execution
async def default_retries(event: None, ctx: AsyncDurableContext) -> str:
    return await ctx.step(succeed_from(3))


@durable_execution
async def custom_retries(event: None, ctx: AsyncDurableContext) -> str:
    async def succeed_on_the_third(step: StepContext) -> str:
        attempt = next_attempt(ctx.execution_arn)
        if attempt < 3:
            raise RuntimeError(f"attempt {attempt} fails")
        return f"attempt {attempt} succeeds"

    return await ctx.step(succeed_on_the_third, config=StepConfig(retry_strategy=tripling_from_two_seconds))


@durable_step
async def pass_after_one_failure(step: StepContext) -> str:
    if step.attempt == 1:
        raise TransientError("busy")
    return "recovered"


@durable_execution
async def transient_error_retried(event: None, ctx: AsyncDurableContext) -> str:
    return await ctx.step(pass_after_one_failure(), config=StepConfig(retry_strategy=only_transient))


@durable_execution
async def transient_error_not_retried(event: None, ctx: AsyncDurableContext) -> str:
    return await ctx.step(pass_after_one_failure(), config=StepConfig(retry_strategy=all_but_transient))


@durable_step
async def at_most_once_flaky_step(step: StepContext, message: str) -> Never:
    step.logger.info(message)
    os._exit(1)


@durable_execution
async def interrupted(event: str, ctx: AsyncDurableContext) -> None:
    config = StepConfig(retry_strategy=RetryPresets.none(), step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)
    await ctx.step(at_most_once_flaky_step(event), config=config)


@durable_step
async def crash_once(step: StepContext, message: str) -> str:
    step.logger.info(message)
    if step.attempt == 1:
        os._exit(1)
    return "succeeded on second attempt"


@durable_execution
async def interrupted_and_retried(event: str, ctx: AsyncDurableContext) -> str:
    config = StepConfig(retry_strategy=twice, step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)
    return await ctx.step(crash_once(event), config=config)


@durable_execution
async def failing(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.step(fail("no second chance"), config=StepConfig(retry_strategy=RetryPresets.none()))


@durable_execution
async def failure_handled(event: None, ctx: AsyncDurableContext) -> str:
    try:
        await ctx.step(fail("the first choice is gone"), config=StepConfig(retry_strategy=RetryPresets.none()))
    except StepError:
        return await ctx.step(give("fallback_result"))
    return "unexpected success"
