"""What type checkers infer of durable functions in every style, and of decorated functions. Checked, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, assert_type

from durably import (
    AsyncDurableContext,
    CallbackId,
    DurableBuilder,
    DurableContext,
    DurableFunction,
    DurableHandler,
    ExecutionArn,
    OperationId,
    ParallelBranch,
    StepContext,
    WaitForCallbackContext,
    durable,
    durable_execution,
    durable_parallel_branch,
    durable_step,
    durable_wait_for_callback,
    durable_with_child_context,
)

T = TypeVar("T")


@dataclass
class Order:
    id: str


@dataclass
class Receipt:
    order: str


# ---- durable functions ---------------------------------------------------------------------------------------------


@durable_execution()
def called(order: Order, ctx: DurableContext) -> Receipt | None:
    return None


@durable_execution(timeout=timedelta(minutes=1))
async def called_async(order: Order, ctx: AsyncDurableContext) -> None: ...


@durable_execution
def with_default(order: Order, ctx: DurableContext, limit: int = 5) -> dict[str, int]:
    return {}


base = DurableBuilder(retention_days=3).timeout(timedelta(minutes=1))


@base
def built(order: Order, ctx: DurableContext) -> Receipt:
    return Receipt(order.id)


@base
async def built_async(order: Order, ctx: AsyncDurableContext) -> Receipt:
    return Receipt(order.id)


class Process:
    def __call__(self, order: Order, ctx: DurableContext) -> Receipt:
        return Receipt(order.id)


class ProcessAsync:
    async def __call__(self, order: Order, ctx: AsyncDurableContext) -> Receipt:
        return Receipt(order.id)


class Warehouse:
    @base
    async def pick(self, order: Order, ctx: AsyncDurableContext) -> Receipt:
        return Receipt(order.id)

    @durable_execution
    async def pack(self, order: Order, ctx: AsyncDurableContext) -> Receipt:
        return Receipt(order.id)

    def plain(self, order: Order, ctx: DurableContext) -> Receipt:
        return Receipt(order.id)

    async def plain_async(self, order: Order, ctx: AsyncDurableContext) -> Receipt:
        return Receipt(order.id)


assert_type(called, DurableFunction[Order, Receipt | None])
assert_type(called_async, DurableFunction[Order, None])
assert_type(with_default, DurableFunction[Order, dict[str, int]])
assert_type(built, DurableFunction[Order, Receipt])
assert_type(built_async, DurableFunction[Order, Receipt])
assert_type(Warehouse().pick, DurableFunction[Order, Receipt])
assert_type(Warehouse().pack, DurableFunction[Order, Receipt])
assert_type(durable(Warehouse().plain), DurableFunction[Order, Receipt])
assert_type(durable(Warehouse().plain_async), DurableFunction[Order, Receipt])
assert_type(durable(Process()), DurableFunction[Order, Receipt])
assert_type(durable(ProcessAsync()), DurableFunction[Order, Receipt])
assert_type(durable_execution(Process()), DurableFunction[Order, Receipt])
assert_type(base.build(Warehouse().plain_async), DurableFunction[Order, Receipt])


def too_few(order: Order) -> Receipt:
    return Receipt(order.id)


def wrong_way_round(ctx: DurableContext, order: Order) -> Receipt:
    return Receipt(order.id)


def plain_with_async_context(order: Order, ctx: AsyncDurableContext) -> Receipt:
    return Receipt(order.id)


durable_execution(too_few)  # type: ignore[arg-type]
durable_execution(wrong_way_round)  # type: ignore[arg-type]
durable_execution(plain_with_async_context)  # type: ignore[arg-type]
durable_execution()(too_few)  # type: ignore[arg-type]
durable_execution()(plain_with_async_context)  # type: ignore[arg-type]
durable(too_few)  # type: ignore[arg-type]
durable(plain_with_async_context)  # type: ignore[arg-type]
base(too_few)  # type: ignore[arg-type]
base.build(wrong_way_round)  # type: ignore[arg-type]
durable_execution(timeout=5)  # type: ignore[call-overload]
durable_execution(execution_timeout="1h")  # type: ignore[call-overload]
durable_execution(retention="long")  # type: ignore[call-overload]
base.timeout(5)  # type: ignore[arg-type]


class Misspelt(DurableHandler, retention="long"):  # type: ignore[call-arg]
    pass


class TooFew(DurableHandler):
    def handle(self, order: Order) -> Receipt:  # type: ignore[override]
        return Receipt(order.id)


# ---- what makes functions fit ----------------------------------------------------------------------------------------


@durable_step
def every(step: StepContext, items: list[T], at_most: int = 3, *, reverse: bool = False) -> list[T]:
    return items


@durable_step
async def nothing(step: StepContext) -> None: ...


@durable_wait_for_callback
def ask(callback_id: CallbackId, context: WaitForCallbackContext, who: str, *, urgent: bool = False) -> None: ...


class Shop:
    @durable_with_child_context
    def sell(self, ctx: DurableContext, order: Order) -> Receipt:
        return Receipt(order.id)

    @durable_with_child_context
    async def sell_async(self, ctx: AsyncDurableContext, order: Order) -> Receipt:
        return Receipt(order.id)

    @durable_parallel_branch("stock")
    def stock(self, ctx: DurableContext, order: Order) -> int:
        return 1

    @durable_parallel_branch()
    async def stock_async(self, ctx: AsyncDurableContext, order: Order) -> int:
        return 1

    @durable_wait_for_callback
    async def ask(self, callback_id: CallbackId, context: WaitForCallbackContext, who: str) -> None: ...


def sync_uses(ctx: DurableContext, shop: Shop, order: Order) -> None:
    assert_type(ctx.step(every([1], reverse=True)), list[int])
    assert_type(ctx.step(every(["a"], 2)), list[str])
    assert_type(ctx.run_in_child_context(shop.sell(order)), Receipt)
    assert_type(shop.stock(order), ParallelBranch[int, DurableContext])
    plain_branch: ParallelBranch[int] = shop.stock(order)
    assert_type(ctx.parallel([shop.stock(order), plain_branch]).get_results(), list[int])
    assert_type(ctx.wait_for_callback(ask("manager", urgent=True), result_type=bool), bool)

    every([1], "2")  # type: ignore[arg-type]
    every([1], backwards=True)  # type: ignore[call-arg]
    ask("manager", urgent="yes")  # type: ignore[arg-type]
    shop.sell("order")  # type: ignore[arg-type]
    shop.stock()  # type: ignore[call-arg]
    shop.ask(1)  # type: ignore[arg-type]
    ctx.parallel([shop.stock_async(order)])  # type: ignore[list-item]
    ctx.run_in_child_context(shop.sell_async(order))  # type: ignore[arg-type, unused-coroutine]


async def async_uses(ctx: AsyncDurableContext, shop: Shop, order: Order) -> None:
    assert_type(await ctx.step(nothing()), None)
    assert_type(await ctx.run_in_child_context(shop.sell_async(order)), Receipt)
    assert_type((await ctx.parallel([shop.stock_async(order)])).get_results(), list[int])
    assert_type(await ctx.wait_for_callback(shop.ask("manager"), result_type=bool), bool)

    await ctx.parallel([shop.stock(order)])  # type: ignore[arg-type]
    await ctx.run_in_child_context(shop.sell(order))  # type: ignore[arg-type]


@durable_step  # type: ignore[arg-type]
def step_without_a_context(number: int) -> int:
    return number


@durable_with_child_context  # type: ignore[type-var]
def child_without_a_context(number: int) -> int:
    return number


@durable_parallel_branch()  # type: ignore[type-var]
def branch_without_a_context(number: int) -> int:
    return number


@durable_wait_for_callback  # type: ignore[arg-type]
def submitter_without_a_context(callback_id: str) -> None: ...


# ---- ids -------------------------------------------------------------------------------------------------------------


def ids(ctx: DurableContext, step: StepContext) -> None:
    assert_type(ctx.execution_arn, ExecutionArn)
    assert_type(step.operation_id, OperationId)
    assert_type(ctx.create_callback().callback_id, CallbackId)
    text: str = ctx.create_callback().callback_id
    arn: ExecutionArn = text  # type: ignore[assignment]
    assert arn
