"""Retry filters: only what may go better the next time is tried again.

    durably dev examples/steps/retry_filters.py
    durably invoke phone '"line busy"'

By type, by a text or a pattern in the message, or by a function of the error.
"""

import re

from durably import (
    AsyncDurableContext,
    Duration,
    ExponentialBackoff,
    FixedDelay,
    RetryPresets,
    StepConfig,
    StepContext,
    StepError,
    durable_execution,
    durable_step,
)


class Engaged(Exception):
    """Somebody else is on the line."""


BY_TYPE = ExponentialBackoff(3, retryable_error_types=[Engaged])
BY_MESSAGE = FixedDelay(Duration.from_seconds(5), 3, retryable_errors=["no answer", re.compile(r"error 5\d\d")])
BY_FUNCTION = RetryPresets.fixed().retry_if(lambda error: not isinstance(error, ValueError))
FILTERED = {"type": StepConfig(BY_TYPE), "message": StepConfig(BY_MESSAGE), "function": StepConfig(BY_FUNCTION)}


@durable_step
async def dial(step: StepContext, trouble: str) -> str:
    if step.attempt > 1:
        return f"connected at attempt {step.attempt}"
    if trouble == "line busy":
        raise Engaged(trouble)
    raise ValueError(trouble)


@durable_execution
async def phone(trouble: str, ctx: AsyncDurableContext) -> list[str]:
    found = []
    for name, config in FILTERED.items():
        try:
            found.append(await ctx.step(dial(trouble), name=f"by {name}", config=config))
        except StepError as error:
            found.append(f"not tried again: {error}")
    return found
