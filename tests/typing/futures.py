"""What type checkers infer of started operations and of decisions among them. Checked, never run.

Of a list of operations mypy takes what their results have in common; of a tuple it knows them one by one (branches.py).
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from durably import (
    AsyncCallback,
    AsyncDurableContext,
    AsyncDurableFuture,
    BatchResult,
    Callback,
    DurableContext,
    DurableFuture,
    FixedWait,
    StepConfig,
    StepContext,
    WaitForConditionConfig,
    durable_step,
)


@dataclass
class Receipt:
    order: str


@durable_step
def charge(step: StepContext, order: str) -> Receipt:
    return Receipt(order)


@durable_step
async def charge_async(step: StepContext, order: str) -> Receipt:
    return Receipt(order)


def child(ctx: DurableContext) -> str:
    return ""


async def child_async(ctx: AsyncDurableContext) -> str:
    return ""


def doubled(ctx: DurableContext, number: int) -> int:
    return 2 * number


async def doubled_async(ctx: AsyncDurableContext, number: int) -> int:
    return 2 * number


def attempt(ctx: DurableContext, number: int) -> Receipt:
    return Receipt("")


def undo(ctx: DurableContext, receipt: Receipt) -> None: ...


def check(state: int, context: object) -> int:
    return state


counting = WaitForConditionConfig[int](FixedWait(lambda number: number > 3), 0)


# ---- started -----------------------------------------------------------------------------------------------------


def started(ctx: DurableContext) -> None:
    future = ctx.start(ctx.step, charge("a"), "name", StepConfig())
    assert_type(future, DurableFuture[Receipt])
    assert_type(future.result(), Receipt)
    assert_type((future.done(), future.cancel()), tuple[bool, bool])
    assert_type(ctx.start(ctx.step, charge("a"), name="name", config=StepConfig()), DurableFuture[Receipt])
    assert_type(ctx.start(ctx.wait, timedelta(1), name="name"), DurableFuture[None])
    assert_type(ctx.start(ctx.invoke, "ship", 1), DurableFuture[Any])
    assert_type(ctx.start(ctx.invoke, "ship", 1, result_type=Receipt), DurableFuture[Receipt])
    assert_type(ctx.start(ctx.create_callback, "name", result_type=bool), DurableFuture[Callback[bool]])
    assert_type(ctx.start(ctx.wait_for_callback, print, result_type=bool), DurableFuture[bool])
    assert_type(ctx.start(ctx.wait_for_condition, check, counting), DurableFuture[int])
    assert_type(ctx.start(ctx.run_in_child_context, child), DurableFuture[str])
    assert_type(ctx.start(ctx.map, [1], doubled), DurableFuture[BatchResult[int]])
    assert_type(ctx.start(ctx.parallel, [child, child]), DurableFuture[BatchResult[str]])
    assert_type(ctx.start(ctx.with_retry, attempt), DurableFuture[Receipt])
    assert_type(ctx.start(ctx.step_with_compensation, charge("a"), undo), DurableFuture[Receipt])
    wider: DurableFuture[Receipt | None] = future
    assert_type(ctx.cancel_wait(wider), bool)

    ctx.start(ctx.wait, 5)  # type: ignore[arg-type]
    ctx.start(ctx.step, charge("a"), nme="name")  # type: ignore[arg-type]
    ctx.start(ctx.step(charge("a")))  # type: ignore[arg-type]
    ctx.cancel_wait(3)  # type: ignore[arg-type]
    narrower: DurableFuture[str] = future  # type: ignore[assignment]
    assert narrower


async def started_async(ctx: AsyncDurableContext) -> None:
    future = ctx.start(ctx.step, charge_async("a"), "name", StepConfig())
    assert_type(future, AsyncDurableFuture[Receipt])
    assert_type(await future, Receipt)
    assert_type(await future.result(), Receipt)
    assert_type(ctx.start(ctx.step, charge("a")), AsyncDurableFuture[Receipt])
    assert_type(ctx.start(ctx.wait, timedelta(1), name="name"), AsyncDurableFuture[None])
    assert_type(ctx.start(ctx.invoke, "ship", 1, result_type=Receipt), AsyncDurableFuture[Receipt])
    assert_type(ctx.start(ctx.create_callback, "name", result_type=bool), AsyncDurableFuture[AsyncCallback[bool]])
    assert_type(ctx.start(ctx.wait_for_callback, print, result_type=bool), AsyncDurableFuture[bool])
    assert_type(ctx.start(ctx.wait_for_condition, check, counting), AsyncDurableFuture[int])
    assert_type(ctx.start(ctx.run_in_child_context, child_async), AsyncDurableFuture[str])
    assert_type(ctx.start(ctx.map, [1], doubled_async), AsyncDurableFuture[BatchResult[int]])
    assert_type(ctx.start(ctx.parallel, [child_async, child_async]), AsyncDurableFuture[BatchResult[str]])
    wider: AsyncDurableFuture[Receipt | None] = future
    assert_type(await ctx.cancel_wait(wider), bool)
    assert_type(await asyncio.gather(future, ctx.step(charge("a"))), tuple[Receipt, Receipt])

    ctx.start(ctx.wait, 5)  # type: ignore[arg-type]
    ctx.start(ctx.step(charge("a")))  # type: ignore[arg-type]
    narrower: AsyncDurableFuture[str] = future  # type: ignore[assignment]
    assert narrower


# ---- decided -----------------------------------------------------------------------------------------------------


def decided(ctx: DurableContext, a: DurableFuture[int], b: DurableFuture[str], pause: DurableFuture[None]) -> None:
    assert_type(ctx.race([a, a], "name"), int)
    assert_type(ctx.any([a, a], name="name"), int)
    assert_type(ctx.all([a, a]), list[int])
    assert_type(ctx.all_settled([a, a]), BatchResult[int])
    assert_type(ctx.race([child, child]), str)
    assert_type(ctx.race([b, child]), str)
    assert_type(ctx.all([ctx.start(ctx.step, charge(order)) for order in "abc"]), list[Receipt])

    # of different kinds
    assert_type(ctx.race([a, pause]), int | None)
    assert_type(ctx.race((a, b)), int | str)
    assert_type(ctx.race((a, child, pause)), int | str | None)
    assert_type(ctx.any((a, b), "name"), int | str)
    assert_type(ctx.all((a, b)), list[int | str])
    assert_type(ctx.all_settled((a, b, pause)), BatchResult[int | str | None])
    assert_type(ctx.race((lambda c: c.step(charge("a")), lambda c: c.step(charge("b")))), Receipt)
    mixed: list[int | str] = ctx.all([a, b])
    mixed = ctx.all([a, child])
    assert mixed

    ctx.race([1, 2])  # type: ignore[arg-type]
    ctx.race(a)  # type: ignore[call-overload]
    ctx.all([child_async])  # type: ignore[arg-type]
    number: int = ctx.race([b])  # type: ignore[assignment]
    assert number


async def decided_async(
    ctx: AsyncDurableContext,
    a: AsyncDurableFuture[int],
    b: AsyncDurableFuture[str],
    pause: AsyncDurableFuture[None],
) -> None:
    assert_type(await ctx.race([a, a], "name"), int)
    assert_type(await ctx.any([a, a], name="name"), int)
    assert_type(await ctx.all([a, a]), list[int])
    assert_type(await ctx.all_settled([a, a]), BatchResult[int])
    assert_type(await ctx.race([child_async, child_async]), str)
    assert_type(await ctx.race([b, child_async]), str)
    assert_type(await ctx.all([ctx.step(charge("a")), ctx.step(charge_async("b"))]), list[Receipt])
    assert_type(await ctx.all([ctx.step(charge(order)) for order in "abc"]), list[Receipt])
    assert_type(await ctx.all([ctx.start(ctx.step, charge(order)) for order in "abc"]), list[Receipt])

    # of different kinds
    assert_type(await ctx.race([a, pause]), int | None)
    assert_type(await ctx.race([ctx.step(charge("a")), ctx.wait(timedelta(1))]), Receipt | None)
    assert_type(await ctx.race([a, ctx.wait(timedelta(1))]), int | None)
    assert_type(await ctx.race((a, b)), int | str)
    assert_type(await ctx.race((a, child_async, ctx.wait(timedelta(1)))), int | str | None)
    assert_type(await ctx.any((a, b), "name"), int | str)
    assert_type(await ctx.all((a, ctx.step(charge("a")))), list[int | Receipt])
    assert_type(await ctx.all_settled((a, b, pause)), BatchResult[int | str | None])
    assert_type(await ctx.race((lambda c: c.step(charge("a")), lambda c: c.step(charge("b")))), Receipt)
    mixed: int | str = await ctx.race([a, b])
    mixed = await ctx.race([a, child_async])
    assert mixed

    await ctx.race([1, 2])  # type: ignore[arg-type]
    await ctx.all([child])  # type: ignore[arg-type]
    await ctx.race([asyncio.ensure_future(ctx.step(charge("a")))])  # type: ignore[arg-type]
