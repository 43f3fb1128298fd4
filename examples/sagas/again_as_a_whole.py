"""with_retry: a block of operations that succeeds as a whole or is done again, with durable waits in between.

    durably dev examples/sagas/again_as_a_whole.py
    durably invoke photograph '{"clouds_on_days": [1, 2]}'

A step is retried alone. Here the alignment is worth nothing if clouds come before the picture, so both are done again.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import AsyncDurableContext, FixedDelay, RetryPresets, StepConfig, WithRetryConfig, durable_execution

ONCE = StepConfig(RetryPresets.none())
EVERY_NIGHT = WithRetryConfig[str](FixedDelay(timedelta(days=1), max_attempts=5))


@dataclass(frozen=True)
class Weather:
    clouds_on_days: list[int]


@durable_execution
async def photograph(weather: Weather, ctx: AsyncDurableContext) -> str:
    async def tonight(inner: AsyncDurableContext, attempt: int) -> str:
        def expose(step: object) -> str:
            if attempt in weather.clouds_on_days:
                raise RuntimeError(f"clouds in night {attempt}")
            return f"a picture of the comet, in night {attempt}"

        await inner.step(lambda step: None, name="align the telescope")
        await inner.wait(timedelta(minutes=10), name="cool the camera")
        return await inner.step(expose, name="expose", config=ONCE)

    return await ctx.with_retry(tonight, name="photograph", config=EVERY_NIGHT)
