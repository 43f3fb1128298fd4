"""At most once: a letter that must not go out twice, and a copy for the files that may be made again.

    durably dev examples/steps/at_most_once.py
    durably invoke send_letter '{"to": "Grace", "text": "Dear Grace"}'

By default a step that a crash cuts off runs again, so its function should be idempotent. An at-most-once step records
its start first: found cut off, its function is not run for that attempt, and its retry strategy is asked. With no
retry the step fails with StepError, and the program decides.
"""

from dataclasses import dataclass

from durably import (
    AsyncDurableContext,
    RetryPresets,
    StepConfig,
    StepContext,
    StepError,
    StepSemantics,
    durable_execution,
    durable_step,
)

ONCE = StepConfig(RetryPresets.none(), StepSemantics.AT_MOST_ONCE_PER_RETRY)


@dataclass(frozen=True)
class Letter:
    to: str
    text: str


@durable_step
async def file_copy(step: StepContext, letter: Letter) -> str:
    return f"copy {step.operation_id[:8]}"  # the same id on every attempt: what is written twice lands in one place


@durable_step
async def post(step: StepContext, letter: Letter) -> str:
    return f"posted to {letter.to}"


@durable_execution
async def send_letter(letter: Letter, ctx: AsyncDurableContext) -> list[str]:
    copy = await ctx.step(file_copy(letter))
    try:
        posted = await ctx.step(post(letter), config=ONCE)
    except StepError as error:
        posted = f"somebody has to look whether it was posted: {error}"
    return [copy, posted]
