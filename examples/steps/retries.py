"""Retries: a shy cat that comes at the fourth call, called with every ready-made strategy.

    durably dev examples/steps/retries.py
    durably invoke call_cat '{"patience": "exponential", "comes_at": 4}'

Between attempts nothing runs and nothing is paid for; the wait is the service's. Strategies that give up raise
StepError.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import (
    DurableContext,
    ExponentialBackoff,
    FixedDelay,
    JitterStrategy,
    LinearBackoff,
    NoRetry,
    RetryDecision,
    RetryPresets,
    StepConfig,
    StepContext,
    StepError,
    durable_execution,
    durable_step,
)


def as_long_as_it_meows(error: Exception, attempts_made: int) -> RetryDecision:
    """Any function of the error and the number of attempts is a strategy."""
    return RetryDecision(attempts_made < 10 and "meow" in str(error), timedelta(seconds=attempts_made))


SECOND = timedelta(seconds=1)
PATIENCE = {
    "exponential": StepConfig(ExponentialBackoff(5, SECOND, backoff_rate=2, jitter=JitterStrategy.NONE)),  # 1 2 4 8 s
    "linear": StepConfig(LinearBackoff(5, SECOND, 2 * SECOND, jitter=JitterStrategy.NONE)),  # 1 3 5 7 s
    "fixed": StepConfig(FixedDelay(timedelta(seconds=30), max_attempts=5)),
    "none": StepConfig(NoRetry()),
    "preset": StepConfig(RetryPresets.critical()),
    "own": StepConfig(as_long_as_it_meows),
}


@dataclass(frozen=True)
class Call:
    patience: str
    comes_at: int = 4


@durable_step
def call(step: StepContext, comes_at: int) -> str:
    if step.attempt < comes_at:
        raise LookupError(f"no cat, but a meow, at call {step.attempt}")
    return f"it came at call {step.attempt}"


@durable_execution
def call_cat(event: Call, ctx: DurableContext) -> str:
    try:
        return ctx.step(call(event.comes_at), config=PATIENCE[event.patience])
    except StepError as error:
        return f"gave up: {error.message}"
