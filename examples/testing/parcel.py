"""A parcel: weighed, sent, signed for. What the tests beside it are about.

    durably dev examples/testing/parcel.py
    durably invoke deliver '{"to": "Ada", "express": true}'
    durably callback succeed ID 'Ada L.'
    pytest examples/testing

`test_parcel.py` runs it in virtual time: three days pass in milliseconds. `test_deployed.py` runs it where it is
deployed.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import (
    CallbackTimeoutError,
    DurableContext,
    FixedDelay,
    StepConfig,
    StepContext,
    WaitForCallbackConfig,
    WaitForCallbackContext,
    durable_execution,
    durable_step,
)

AGAIN = StepConfig(FixedDelay(timedelta(seconds=1), max_attempts=3))
A_WEEK = WaitForCallbackConfig(timeout=timedelta(days=7))
labels: list[str] = []
"""The printer, so to speak."""


@dataclass(frozen=True)
class Parcel:
    to: str
    express: bool = False


@durable_step
def weigh(step: StepContext, parcel: Parcel) -> int:
    if step.attempt == 1:
        raise OSError("the scales are being cleaned")
    return 100 * len(parcel.to)


@durable_step
def print_label(step: StepContext, parcel: Parcel, grams: int) -> None:
    labels.append(f"{parcel.to}, {grams} g")


def ring(callback_id: str, context: WaitForCallbackContext) -> None:
    context.logger.info("sign with: durably callback succeed %s", callback_id)


def pack(ctx: DurableContext, parcel: Parcel) -> int:
    grams = ctx.step(weigh(parcel), config=AGAIN)
    ctx.step(print_label(parcel, grams))
    return grams


@durable_execution
def deliver(parcel: Parcel, ctx: DurableContext) -> str:
    grams = ctx.run_in_child_context(lambda inner: pack(inner, parcel), name="pack")
    if not parcel.express:
        ctx.wait(timedelta(days=3), name="on the road")
    try:
        signature = ctx.wait_for_callback(ring, name="signature", config=A_WEEK)
    except CallbackTimeoutError:
        return f"{grams} g, returned to sender"
    return f"{grams} g, signed by {signature}"
