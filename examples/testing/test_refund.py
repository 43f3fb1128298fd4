"""A workflow and its tests: `pytest examples/testing/test_refund.py`.

The refund of an order waits for a manager, is paid with retries, and is told to the customer by another function.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from durably import (
    AsyncDurableContext,
    CallbackTimeoutError,
    Duration,
    FixedDelay,
    StepConfig,
    StepContext,
    WaitForCallbackConfig,
    WaitForCallbackContext,
    durable_execution,
    durable_step,
    durable_wait_for_callback,
)
from durably.testing import NEVER, TIMES_OUT, Answer, Faults, LocalRunner, Mock


@dataclass(frozen=True)
class Refund:
    order: str
    amount: Decimal


@dataclass(frozen=True)
class Outcome:
    order: str
    paid: Decimal
    why: str


@durable_wait_for_callback
async def ask_manager(callback_id: str, ctx: WaitForCallbackContext, refund: Refund) -> None:
    """Here an e-mail would go out, with the id in its links."""


@durable_step
async def pay(step: StepContext, refund: Refund) -> str:
    raise RuntimeError("this would move real money")


THREE_TIMES = StepConfig(
    retry_strategy=FixedDelay(Duration.from_minutes(10), max_attempts=3), timeout=Duration.from_seconds(20)
)
TWO_DAYS = WaitForCallbackConfig(timeout=Duration.from_days(2))


@durable_execution
async def refund(event: Refund, ctx: AsyncDurableContext) -> Outcome:
    try:
        word = await ctx.wait_for_callback(ask_manager(event), name="approval", config=TWO_DAYS)
    except CallbackTimeoutError:
        return Outcome(event.order, Decimal(0), "nobody decided")
    if word != "yes":
        return Outcome(event.order, Decimal(0), f"the manager said {word}")
    await ctx.step(pay(event), config=THREE_TIMES)
    await ctx.invoke("tell_customer:prod", event.order, name="tell")
    return Outcome(event.order, event.amount, "paid")


EVENT = Refund("A7", Decimal("19.90"))


def test_a_refund_is_paid_and_told() -> None:
    told = Mock()
    runner = LocalRunner(
        refund, callbacks={"approval": "yes"}, steps={"pay": "transfer 1"}, functions={"tell_customer": told}
    )
    result = runner.run(EVENT)
    assert result.value == Outcome("A7", Decimal("19.90"), "paid")
    assert told.calls == ["A7"]


def test_the_bank_gets_three_chances() -> None:
    bank = Mock.each(ConnectionError("no line"), TIMES_OUT, "transfer 3")
    runner = LocalRunner(refund, callbacks={"approval": "yes"}, steps={"pay": bank}, functions={"tell_customer": None})
    result = runner.run(EVENT)
    assert result.succeeded
    assert result.step("pay").attempt == 3
    assert result.step("pay").duration == timedelta(minutes=20, seconds=20)


def test_the_manager_says_no_after_a_day() -> None:
    runner = LocalRunner(refund, callbacks={"approval": Answer("no", after=timedelta(days=1))})
    result = runner.run(EVENT)
    assert result.value.why == "the manager said no"
    assert "pay" not in result.operations
    assert result.duration == timedelta(days=1)


def test_nobody_decides() -> None:
    assert LocalRunner(refund, callbacks={"approval": NEVER}).run(EVENT).value.why == "nobody decided"


def test_paid_once_whatever_the_network_does() -> None:
    bank = Mock("transfer 1")
    runner = LocalRunner(
        refund,
        callbacks={"approval": "yes"},
        steps={"pay": bank},
        functions={"tell_customer": None},
        faults=Faults(lost_responses=["pay"], throttle=[1], missing_token=["tell"]),
    )
    assert runner.run(EVENT).value.paid == Decimal("19.90")
    assert len(bank.calls) == 1


async def check_step_by_step() -> None:
    """The same in an async test, which holds the time in its hands."""
    async with LocalRunner(refund, steps={"pay": "transfer 1"}, functions={"tell_customer": None}) as runner:
        execution = await runner.astart(EVENT)
        approval = execution.callback("approval")
        await execution.advance(timedelta(hours=47))
        assert approval.is_open
        await approval.succeed("yes")
        assert (await execution.result()).value.why == "paid"


def test_step_by_step() -> None:
    import asyncio

    asyncio.run(check_step_by_step())
