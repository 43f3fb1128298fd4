"""What type checkers infer of map and parallel. Checked by mypy and pyright, never run.

Of a list of functions mypy takes what their results have in common, so those of different kinds are checked by an
annotation here. Given as a tuple, it knows them one by one, as pyright does.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import assert_type

from durably import (
    AsyncDurableContext,
    BatchResult,
    DurableContext,
    ItemBatcher,
    MapConfig,
    ParallelBranch,
    ParallelConfig,
    StepContext,
    durable_parallel_branch,
    durable_step,
    durable_with_child_context,
)


@dataclass
class Order:
    id: str


@dataclass
class Receipt:
    order: str


@durable_step
def charge(step: StepContext, order: str) -> Receipt:
    return Receipt(order)


@durable_step
async def charge_async(step: StepContext, order: str) -> Receipt:
    return Receipt(order)


# ---- map, sync ---------------------------------------------------------------------------------------------------


def one(ctx: DurableContext, order: Order) -> Receipt:
    return Receipt(order.id)


def with_index(ctx: DurableContext, order: Order, index: int) -> Receipt:
    return Receipt(order.id)


def with_all(ctx: DurableContext, order: Order, index: int, orders: Sequence[Order]) -> Receipt:
    return Receipt(order.id)


def of_anything(ctx: DurableContext, item: object) -> str:
    return repr(item)


def priced(ctx: DurableContext, order: Order, currency: str) -> float:
    return 1.0


def sync_map(ctx: DurableContext, orders: list[Order]) -> None:
    assert_type(ctx.map(orders, one), BatchResult[Receipt])
    assert_type(ctx.map(orders, with_index), BatchResult[Receipt])
    assert_type(ctx.map(orders, with_all), BatchResult[Receipt])
    assert_type(ctx.map(orders, of_anything), BatchResult[str])
    assert_type(ctx.map(orders, partial(priced, currency="EUR")), BatchResult[float])
    assert_type(
        ctx.map(orders, one, "name", MapConfig(3, item_namer=lambda order, index: order.id)), BatchResult[Receipt]
    )
    assert_type(ctx.map(orders, one, config=MapConfig(item_batcher=ItemBatcher(10))), BatchResult[Receipt])
    assert_type(ctx.map(orders, lambda child, order: child.step(charge(order.id))), BatchResult[Receipt])
    assert_type(ctx.map(orders, lambda child, order, index: (order, index)), BatchResult[tuple[Order, int]])
    assert_type(ctx.map(orders, lambda child, order, index, all: all[index]), BatchResult[Order])
    assert_type(ctx.map(range(3), lambda child, number: number * 2.5), BatchResult[float])
    assert_type(ctx.map(("a", "b"), lambda child, text: text.upper()).get_results(), list[str])
    assert_type([item.result for item in ctx.map(orders, one).succeeded()], list[Receipt | None])

    ctx.map([1], one)  # type: ignore[arg-type]
    ctx.map(orders, priced)  # type: ignore[arg-type]
    ctx.map(orders, one_async)  # type: ignore[arg-type]
    ctx.map(orders, lambda child, order: order.nope)  # type: ignore[attr-defined]
    ctx.map(orders, one, config=MapConfig(item_namer=lambda order, index: order.nope))  # type: ignore[attr-defined]
    ctx.map(orders, one, config=ParallelConfig())  # type: ignore[call-overload]


# ---- map, async --------------------------------------------------------------------------------------------------


async def one_async(ctx: AsyncDurableContext, order: Order) -> Receipt:
    return Receipt(order.id)


async def with_index_async(ctx: AsyncDurableContext, order: Order, index: int) -> Receipt:
    return Receipt(order.id)


async def with_all_async(ctx: AsyncDurableContext, order: Order, index: int, orders: Sequence[Order]) -> Receipt:
    return Receipt(order.id)


def one_plain(ctx: AsyncDurableContext, order: Order) -> Receipt:
    return Receipt(order.id)


async def async_map(ctx: AsyncDurableContext, orders: list[Order]) -> None:
    assert_type(await ctx.map(orders, one_async), BatchResult[Receipt])
    assert_type(await ctx.map(orders, with_index_async), BatchResult[Receipt])
    assert_type(await ctx.map(orders, with_all_async), BatchResult[Receipt])
    assert_type(await ctx.map(orders, one_plain), BatchResult[Receipt])
    config = MapConfig[Order](3, item_namer=lambda order, index: order.id)
    assert_type(await ctx.map(orders, one_async, "name", config), BatchResult[Receipt])
    assert_type(await ctx.map(orders, one_async, config=MapConfig(item_batcher=ItemBatcher(10))), BatchResult[Receipt])
    assert_type(await ctx.map(orders, lambda child, order: child.step(charge_async(order.id))), BatchResult[Receipt])
    assert_type(await ctx.map(orders, lambda child, order: one_async(child, order)), BatchResult[Receipt])
    assert_type(await ctx.map(orders, lambda child, order, index: child.step(charge(order.id))), BatchResult[Receipt])
    assert_type(await ctx.map(orders, lambda child, order, index: index), BatchResult[int])
    assert_type(await ctx.map(orders, lambda child, order, index, all: all[index]), BatchResult[Order])

    await ctx.map([1], one_async)  # type: ignore[arg-type]
    await ctx.map(orders, one)  # type: ignore[arg-type]
    await ctx.map(orders, lambda child, order: order.nope)  # type: ignore[attr-defined]


# ---- parallel, sync ----------------------------------------------------------------------------------------------


def count(ctx: DurableContext) -> int:
    return 1


def text(ctx: DurableContext) -> str:
    return ""


def sized(ctx: DurableContext, size: float) -> float:
    return size


@durable_parallel_branch("counted")
def counted(ctx: DurableContext, start: int) -> int:
    return start


@durable_with_child_context
def child(ctx: DurableContext, start: int) -> int:
    return start


def sync_parallel(ctx: DurableContext) -> None:
    assert_type(ctx.parallel([count, count]), BatchResult[int])
    assert_type(ctx.parallel([count], "name", ParallelConfig(2)), BatchResult[int])
    assert_type(ctx.parallel([ParallelBranch(count, "a"), ParallelBranch(count)]), BatchResult[int])
    assert_type(ctx.parallel([ParallelBranch(count, "a"), count]), BatchResult[int])
    assert_type(ctx.parallel([counted(1), count, child(2)]), BatchResult[int])
    assert_type(ctx.parallel([counted(start) for start in range(3)]), BatchResult[int])
    assert_type(ctx.parallel([partial(sized, size=1.5), partial(sized, size=2.5)]), BatchResult[float])

    # of different kinds
    assert_type(ctx.parallel((count, text)), BatchResult[int | str])
    assert_type(ctx.parallel((count, text), "name", ParallelConfig()), BatchResult[int | str])
    assert_type(ctx.parallel((counted(1), ParallelBranch(text, "b"))), BatchResult[int | str])
    assert_type(ctx.parallel((count, text, partial(sized, size=1.5))), BatchResult[int | str | float])
    mixed: BatchResult[int | str] = ctx.parallel([count, text])
    mixed = ctx.parallel([ParallelBranch(count, "a"), text])
    mixed = ctx.parallel([ParallelBranch(count, "a"), ParallelBranch(text, "b")])
    four: BatchResult[int | str] = ctx.parallel((count, text, count, text))
    assert mixed
    assert four

    # lambdas
    assert_type(ctx.parallel((lambda c: c.step(charge("a")), lambda c: c.step(charge("b")))), BatchResult[Receipt])
    assert_type(ctx.parallel((lambda c: c.wait(timedelta(1)), count)), BatchResult[int | None])
    ctx.parallel([lambda c: c.step(charge("a")), ParallelBranch(lambda c: c.step(charge("b")), "b")])

    ctx.parallel([counted_async(1)])  # type: ignore[list-item]
    ctx.parallel([ParallelBranch(count_async)])  # type: ignore[list-item]
    ctx.parallel([count_async])  # type: ignore[list-item]
    ctx.parallel([sized])  # type: ignore[list-item]
    ctx.parallel(count)  # type: ignore[call-overload]
    ctx.parallel([count], config=MapConfig())  # type: ignore[call-overload]
    counted("a")  # type: ignore[arg-type]
    wrong: BatchResult[int] = ctx.parallel([text])  # type: ignore[list-item]
    assert wrong


# ---- parallel, async ---------------------------------------------------------------------------------------------


async def count_async(ctx: AsyncDurableContext) -> int:
    return 1


async def text_async(ctx: AsyncDurableContext) -> str:
    return ""


async def sized_async(ctx: AsyncDurableContext, size: float) -> float:
    return size


def plain(ctx: AsyncDurableContext) -> bytes:
    return b""


@durable_parallel_branch("counted")
async def counted_async(ctx: AsyncDurableContext, start: int) -> int:
    return start


@durable_with_child_context
async def child_async(ctx: AsyncDurableContext, start: int) -> int:
    return start


async def async_parallel(ctx: AsyncDurableContext) -> None:
    assert_type(await ctx.parallel([count_async, count_async]), BatchResult[int])
    assert_type(await ctx.parallel([plain, plain]), BatchResult[bytes])
    assert_type(await ctx.parallel([count_async], "name", ParallelConfig(2)), BatchResult[int])
    assert_type(await ctx.parallel([ParallelBranch(count_async, "a"), ParallelBranch(count_async)]), BatchResult[int])
    assert_type(await ctx.parallel([ParallelBranch(count_async, "a"), count_async]), BatchResult[int])
    assert_type(await ctx.parallel([counted_async(1), count_async, child_async(2)]), BatchResult[int])
    assert_type(await ctx.parallel([counted_async(start) for start in range(3)]), BatchResult[int])
    sizes = [partial(sized_async, size=1.5), partial(sized_async, size=2.5)]
    assert_type(await ctx.parallel(sizes), BatchResult[float])

    # of different kinds
    assert_type(await ctx.parallel((count_async, text_async)), BatchResult[int | str])
    assert_type(await ctx.parallel((count_async, text_async), "name", ParallelConfig()), BatchResult[int | str])
    assert_type(await ctx.parallel((counted_async(1), ParallelBranch(text_async, "b"))), BatchResult[int | str])
    assert_type(await ctx.parallel((count_async, text_async, sizes[0])), BatchResult[int | str | float])
    mixed: BatchResult[int | str] = await ctx.parallel([count_async, text_async])
    mixed = await ctx.parallel([ParallelBranch(count_async, "a"), text_async])
    mixed = await ctx.parallel([counted_async(1), ParallelBranch(text_async, "b")])
    both: BatchResult[int | bytes] = await ctx.parallel([count_async, plain])
    assert mixed
    assert both

    # lambdas
    steps = await ctx.parallel((lambda c: c.step(charge("a")), lambda c: c.step(charge_async("b"))))
    assert_type(steps, BatchResult[Receipt])
    assert_type(await ctx.parallel((lambda c: c.wait(timedelta(1)), count_async)), BatchResult[int | None])
    await ctx.parallel([lambda c: c.step(charge("a")), ParallelBranch(lambda c: c.step(charge("b")), "b")])

    await ctx.parallel([counted(1)])  # type: ignore[arg-type]
    await ctx.parallel([count])  # type: ignore[arg-type]
    await ctx.parallel([sized_async])  # type: ignore[list-item]
    await ctx.parallel(count_async)  # type: ignore[call-overload]
    wrong: BatchResult[int] = await ctx.parallel([text_async])  # type: ignore[list-item]
    assert wrong
