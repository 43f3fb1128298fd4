"""What type checkers infer of conditions, child contexts, retried blocks and sagas. Checked, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import assert_type

from durably import (
    AsyncDurableContext,
    AsyncSaga,
    ChildConfig,
    CompensationResult,
    DurableContext,
    Duration,
    ExponentialWait,
    FixedWait,
    JsonSerDes,
    RetryPresets,
    Saga,
    StepConfig,
    StepContext,
    WaitForConditionCheckContext,
    WaitForConditionConfig,
    WaitForConditionDecision,
    WaitStrategyConfig,
    WithRetryConfig,
    create_wait_strategy,
    durable_step,
    durable_with_child_context,
    with_retry,
)


@dataclass
class Job:
    done: bool


@dataclass
class Receipt:
    order: str


@durable_step
def charge(step: StepContext, order: str) -> Receipt:
    return Receipt(order)


@durable_step
async def charge_async(step: StepContext, order: str) -> Receipt:
    return Receipt(order)


# ---- conditions --------------------------------------------------------------------------------------------------


def look(job: Job, context: WaitForConditionCheckContext) -> Job:
    return job


async def look_async(job: Job, context: WaitForConditionCheckContext) -> Job:
    return job


def find(job: Job | None, context: WaitForConditionCheckContext) -> Job | None:
    return job


def of_number(state: int, attempts: int) -> WaitForConditionDecision:
    return WaitForConditionDecision.stop_polling()


def of_anything(state: object, attempts: int) -> timedelta | None:
    return None


def sync_conditions(ctx: DurableContext) -> None:
    assert_type(ctx.wait(Duration(1)), None)
    new = Job(False)
    assert_type(ctx.wait_for_condition(look, WaitForConditionConfig(FixedWait(lambda job: job.done), new)), Job)
    config = WaitForConditionConfig(initial_state=new, wait_strategy=ExponentialWait(until=lambda job: job.done))
    assert_type(config, WaitForConditionConfig[Job])
    assert_type(ctx.wait_for_condition(look, config, "name"), Job)
    strategy = create_wait_strategy(WaitStrategyConfig[Job](lambda job: not job.done, max_attempts=3))
    assert_type(ctx.wait_for_condition(look, name="name", config=WaitForConditionConfig(strategy, new)), Job)
    assert_type(ctx.wait_for_condition(look, WaitForConditionConfig(of_anything, new)), Job)
    by_function = WaitForConditionConfig(lambda job, attempts: None if job.done else timedelta(attempts), new)
    assert_type(ctx.wait_for_condition(look, by_function), Job)
    counting = WaitForConditionConfig(FixedWait(lambda number: number > 3), 0)
    assert_type(ctx.wait_for_condition(lambda number, context: number + context.attempt, counting), int)
    optional = WaitForConditionConfig[Job | None](FixedWait(lambda job: job is not None and job.done), None)
    assert_type(ctx.wait_for_condition(find, optional), Job | None)

    ctx.wait_for_condition(look, WaitForConditionConfig(of_number, 0))  # type: ignore[arg-type]
    ctx.wait_for_condition(look_async, WaitForConditionConfig(of_anything, new))  # type: ignore[arg-type]
    ctx.wait_for_condition(look)  # type: ignore[call-arg]
    WaitForConditionConfig[Job](FixedWait(lambda job: job.nope), new)  # type: ignore[attr-defined]
    WaitForConditionConfig(of_number, "zero")  # type: ignore[arg-type]


async def async_conditions(ctx: AsyncDurableContext) -> None:
    assert_type(await ctx.wait(Duration(1)), None)
    new = Job(False)
    assert_type(await ctx.wait_for_condition(look, WaitForConditionConfig(FixedWait(lambda job: job.done), new)), Job)
    config = WaitForConditionConfig(FixedWait(lambda job: job.done), new)
    assert_type(await ctx.wait_for_condition(look_async, config, "name"), Job)
    assert_type(await ctx.wait_for_condition(lambda job, context: look_async(job, context), config), Job)
    counting = WaitForConditionConfig(FixedWait(lambda number: number > 3), 0)
    assert_type(await ctx.wait_for_condition(lambda number, context: number + 1, config=counting), int)
    await ctx.wait_for_condition(look_async, counting)  # type: ignore[arg-type]


# ---- child contexts and retried blocks -----------------------------------------------------------------------------


@durable_with_child_context
def child(ctx: DurableContext, start: int) -> int:
    return start


@durable_with_child_context
async def child_async(ctx: AsyncDurableContext, start: int) -> int:
    return start


def unbound(ctx: DurableContext, start: int) -> int:
    return start


def plain(ctx: AsyncDurableContext) -> bytes:
    return b""


def attempt(ctx: DurableContext, number: int) -> Receipt:
    return Receipt("")


async def attempt_async(ctx: AsyncDurableContext, number: int) -> Receipt:
    return Receipt("")


def sync_children(ctx: DurableContext) -> None:
    assert_type(ctx.run_in_child_context(child(1), "name", ChildConfig()), int)
    assert_type(ctx.run_in_child_context(child(1), config=ChildConfig(serdes=JsonSerDes[int]())), int)
    assert_type(ctx.run_in_child_context(partial(unbound, start=1)), int)
    assert_type(ctx.run_in_child_context(lambda c: c.step(charge("a"))), Receipt)
    assert_type(ctx.run_in_child_context(lambda c: [c.step(charge(order)) for order in "abc"]), list[Receipt])
    assert_type(ctx.run_in_child_context(lambda c: json.loads("{}"), result_type=Receipt | None), Receipt | None)
    assert_type(ctx.with_retry(attempt, "name", WithRetryConfig(RetryPresets.none())), Receipt)
    assert_type(ctx.with_retry(lambda c, number: c.step(charge("a"))), Receipt)
    assert_type(ctx.with_retry(lambda c, number: number), int)
    assert_type(with_retry(ctx, attempt, WithRetryConfig(), "name"), Receipt)
    assert_type(with_retry(ctx, lambda c, number: c.step(charge("a")), name="name"), Receipt)

    ctx.run_in_child_context(child_async(1))  # type: ignore[arg-type, unused-coroutine]
    ctx.run_in_child_context(child)  # type: ignore[arg-type]
    ctx.run_in_child_context(lambda c: c.nope)  # type: ignore[attr-defined]
    ctx.with_retry(attempt_async)  # type: ignore[arg-type, unused-coroutine]
    ctx.with_retry(child(1))  # type: ignore[arg-type]
    with_retry(ctx, attempt_async)  # type: ignore[arg-type, unused-coroutine]
    child("a")  # type: ignore[arg-type]


async def async_children(ctx: AsyncDurableContext) -> None:
    assert_type(await ctx.run_in_child_context(child_async(1), "name", ChildConfig()), int)
    assert_type(await ctx.run_in_child_context(plain), bytes)
    assert_type(await ctx.run_in_child_context(lambda c: c.step(charge("a"))), Receipt)
    assert_type(await ctx.run_in_child_context(lambda c: c.step(charge_async("a"))), Receipt)
    assert_type(await ctx.run_in_child_context(lambda c: c.execution_arn.function_name), str)
    assert_type(await ctx.run_in_child_context(lambda c: json.loads("{}"), result_type=Receipt | None), Receipt | None)
    assert_type(await ctx.with_retry(attempt_async, "name", WithRetryConfig(RetryPresets.none())), Receipt)
    assert_type(await ctx.with_retry(lambda c, number: c.step(charge("a"))), Receipt)
    assert_type(await ctx.with_retry(lambda c, number: number), int)
    assert_type(await with_retry(ctx, attempt_async, name="name"), Receipt)
    assert_type(await with_retry(ctx, lambda c, number: c.step(charge("a"))), Receipt)

    await ctx.run_in_child_context(child(1))  # type: ignore[arg-type]
    await ctx.with_retry(attempt)  # type: ignore[arg-type]
    await with_retry(ctx, attempt)  # type: ignore[arg-type]


# ---- sagas -------------------------------------------------------------------------------------------------------


def undo(ctx: DurableContext, receipt: Receipt) -> None: ...


async def undo_async(ctx: AsyncDurableContext, receipt: Receipt) -> None: ...


def clean(ctx: DurableContext) -> None: ...


async def clean_async(ctx: AsyncDurableContext) -> None: ...


def sync_sagas(ctx: DurableContext) -> None:
    assert_type(ctx.step_with_compensation(charge("a"), undo), Receipt)
    assert_type(ctx.step_with_compensation(charge("a"), lambda c, receipt: print(receipt.order), "name"), Receipt)
    assert_type(ctx.step_with_compensation(lambda _: 1, lambda c, number: print(number + 1), config=StepConfig()), int)
    assert_type(ctx.step_with_compensation(lambda _: json.loads("{}"), undo, result_type=Receipt), Receipt)
    assert_type(ctx.run_compensations(), CompensationResult)
    with ctx.saga() as saga:
        assert_type(saga, Saga)
        assert_type(saga.step(charge("a"), undo), Receipt)
        assert_type(saga.step(charge("a"), lambda c, receipt: c.step(charge(receipt.order)), "name"), Receipt)
        assert_type(saga.step(lambda _: json.loads("{}"), undo, result_type=Receipt), Receipt)
        saga.add_compensation(lambda c: c.step(charge("a")))
        saga.add_cleanup(clean)
    assert_type(saga.result, CompensationResult | None)

    ctx.step_with_compensation(lambda _: 1, undo)  # type: ignore[misc]
    ctx.step_with_compensation(charge("a"), undo_async)  # type: ignore[arg-type]
    ctx.step_with_compensation(charge("a"), lambda c, receipt: receipt.nope)  # type: ignore[attr-defined]
    saga.step(charge("a"), undo_async)  # type: ignore[arg-type]
    saga.add_compensation(clean_async)  # type: ignore[arg-type]
    saga.add_cleanup(clean_async)  # type: ignore[arg-type]
    saga.add_cleanup(lambda c: c.nope)  # type: ignore[attr-defined]


async def async_sagas(ctx: AsyncDurableContext) -> None:
    assert_type(await ctx.step_with_compensation(charge("a"), undo_async), Receipt)
    assert_type(await ctx.step_with_compensation(charge_async("a"), undo_async, "name", StepConfig()), Receipt)
    assert_type(await ctx.step_with_compensation(lambda _: 1, lambda c, number: print(number + 1)), int)
    assert_type(await ctx.run_compensations(), CompensationResult)
    async with ctx.saga() as saga:
        assert_type(saga, AsyncSaga)
        assert_type(await saga.step(charge("a"), undo_async), Receipt)
        assert_type(await saga.step(charge_async("a"), undo_async, "name"), Receipt)
        assert_type(await saga.step(charge_async("a"), lambda c, receipt: c.step(charge(receipt.order))), Receipt)
        assert_type(await saga.step(lambda _: json.loads("{}"), undo_async, result_type=Receipt), Receipt)
        saga.add_compensation(lambda c: c.step(charge("a")))
        saga.add_cleanup(clean_async)

    await ctx.step_with_compensation(lambda _: 1, undo_async)  # type: ignore[arg-type, return-value]
    await ctx.step_with_compensation(charge("a"), undo)  # type: ignore[arg-type]
    await saga.step(charge("a"), undo)  # type: ignore[arg-type]
    saga.add_compensation(clean)  # type: ignore[arg-type]
    saga.add_cleanup(clean)  # type: ignore[arg-type]
