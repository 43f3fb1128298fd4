"""What type checkers infer of programs, sync and async. Checked by mypy and pyright, never run.

A line with ``type: ignore`` is wrong on purpose: that it is rejected is checked too, since an ignore that is not needed
is an error.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, assert_type

from durably import (
    AsyncCallback,
    AsyncDurableContext,
    Callback,
    CallbackId,
    ChildConfig,
    DurableBuilder,
    DurableContext,
    DurableFunction,
    DurableHandler,
    Duration,
    ExecutionFailure,
    InvokeConfig,
    JsonSerDes,
    StepContext,
    WaitForCallbackContext,
    durable,
    durable_execution,
    durable_step,
    durable_wait_for_callback,
    durable_with_child_context,
)
from durably.types import (
    AsyncDurableContextProtocol,
    AsyncStepFunction,
    DurableContextProtocol,
    DurableValue,
    StepFunction,
    Submitter,
)


@dataclass
class Order:
    id: str
    total: Decimal


@dataclass
class Receipt:
    order: str


# ---- steps -----------------------------------------------------------------------------------------------------


@durable_step
def charge(step: StepContext, order: str, amount: Decimal = Decimal(1)) -> Receipt:
    return Receipt(f"{order} {amount} {step.attempt} {step.name}")


@durable_step
async def charge_async(step: StepContext, order: str) -> Receipt:
    step.logger.info("charging %s", order)
    return Receipt(order)


@durable_with_child_context
def handle(ctx: DurableContext, order: Order) -> int:
    ctx.step(charge(order.id))
    return 1


@durable_with_child_context
async def handle_async(ctx: AsyncDurableContext, order: Order) -> int:
    await ctx.step(charge_async(order.id))
    return 1


@durable_wait_for_callback
def ask(callback_id: str, context: WaitForCallbackContext, who: str) -> None: ...


def read(step: StepContext) -> dict[str, int]:
    return {"attempt": step.attempt}


async def read_async(step: StepContext) -> dict[str, int]:
    return {"attempt": step.attempt}


def child(ctx: DurableContext) -> tuple[int, str]:
    return 1, str(ctx.is_replaying())


async def child_async(ctx: AsyncDurableContext) -> tuple[int, str]:
    return 1, ctx.execution_arn


# ---- sync -------------------------------------------------------------------------------------------------------


@durable_execution
def process(order: Order, ctx: DurableContext) -> Receipt:
    assert_type(ctx.step(charge(order.id)), Receipt)
    assert_type(ctx.step(charge(order.id, amount=order.total), name="charge"), Receipt)
    assert_type(ctx.step(read), dict[str, int])
    assert_type(ctx.step(lambda step: step.attempt), int)
    ctx.wait(timedelta(days=1), name="cooling off")
    ctx.wait(Duration.from_hours(1))
    assert_type(ctx.create_callback("a"), Callback[Any])
    callback = ctx.create_callback("a", result_type=Order)
    assert_type(callback, Callback[Order])
    assert_type(callback.result(), Order)
    assert_type(callback.callback_id, CallbackId)
    plain_id: str = callback.callback_id
    assert plain_id
    assert_type(ctx.execution_arn.function_name, str)
    assert_type(ctx.wait_for_callback(ask("manager"), result_type=bool), bool)
    assert_type(ctx.invoke("ship", {"id": 1}, result_type=Receipt), Receipt)
    assert_type(ctx.run_in_child_context(child), tuple[int, str])
    assert_type(ctx.run_in_child_context(handle(order), config=ChildConfig(is_virtual=True)), int)

    charge(5)  # type: ignore[arg-type]
    charge()  # type: ignore[call-arg]
    ctx.step(charge("a", wrong=1))  # type: ignore[call-arg]
    ctx.step(5)  # type: ignore[call-overload]
    ctx.step(lambda: 1)  # type: ignore[misc, arg-type]
    ctx.wait(5)  # type: ignore[arg-type]
    ctx.wait("1h")  # type: ignore[arg-type]
    ctx.step(read, config=ChildConfig())  # type: ignore[call-overload]
    ctx.run_in_child_context(child_async)  # type: ignore[arg-type, unused-coroutine]
    ctx.run_in_child_context(read)  # type: ignore[arg-type]
    ctx.wait_for_callback(read)  # type: ignore[arg-type]
    ctx.nonsense  # type: ignore[attr-defined]  # noqa: B018
    text: str = ctx.step(read)  # type: ignore[assignment]
    return Receipt(text)


# ---- async ------------------------------------------------------------------------------------------------------


@durable_execution
async def process_async(order: Order, ctx: AsyncDurableContext) -> Receipt:
    assert_type(await ctx.step(charge_async(order.id)), Receipt)
    assert_type(await ctx.step(charge(order.id)), Receipt)
    assert_type(await ctx.step(read_async), dict[str, int])
    assert_type(await ctx.step(lambda step: step.attempt), int)
    await ctx.wait(timedelta(days=1), name="cooling off")
    callback = await ctx.create_callback("a", result_type=Order)
    assert_type(callback, AsyncCallback[Order])
    assert_type(await callback.result(), Order)
    assert_type(await ctx.wait_for_callback(ask("manager"), result_type=bool), bool)
    assert_type(await ctx.invoke("ship", {"id": 1}, result_type=Receipt), Receipt)
    config: InvokeConfig[int, Order] = InvokeConfig(serdes_result=JsonSerDes())
    assert_type(await ctx.invoke("ship", 1, config=config), Order)
    assert_type(await ctx.run_in_child_context(child_async), tuple[int, str])
    assert_type(await ctx.run_in_child_context(handle_async(order)), int)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(ctx.step(charge_async("a")))
    assert_type(task.result(), Receipt)

    await ctx.wait(5)  # type: ignore[arg-type]
    await ctx.run_in_child_context(child)  # type: ignore[arg-type]
    await ctx.step(charge_async)  # type: ignore[arg-type]
    text: str = await ctx.step(read_async)  # type: ignore[arg-type]
    return Receipt(text)


# ---- handlers -----------------------------------------------------------------------------------------------------

assert_type(process, DurableFunction[Order, Receipt])
assert_type(process_async, DurableFunction[Order, Receipt])


@durable_execution(retention_days=7, execution_timeout=timedelta(days=2))
def with_options(order: Order, ctx: DurableContext) -> Receipt:
    return Receipt(order.id)


@durable_execution  # type: ignore[arg-type]
def too_few(order: Order) -> Receipt:
    return Receipt(order.id)


@durable_execution  # type: ignore[arg-type]
def wrong_context(order: Order, ctx: int) -> Receipt:
    return Receipt(order.id)


@durable_step  # type: ignore[arg-type]
def without_a_context() -> int:
    return 1


# ---- helpers written once --------------------------------------------------------------------------------------


def twice(ctx: DurableContextProtocol, order: Order) -> list[Receipt]:
    def inside(child: DurableContextProtocol) -> Receipt:
        return child.step(charge(order.id))

    return [ctx.step(charge(order.id)), ctx.run_in_child_context(inside)]


async def twice_async(ctx: AsyncDurableContextProtocol, order: Order) -> list[Receipt]:
    async def inside(child: AsyncDurableContextProtocol) -> Receipt:
        return await child.step(charge_async(order.id))

    return [await ctx.step(charge(order.id)), await ctx.run_in_child_context(inside)]


@durable_execution
def uses_helper(order: Order, ctx: DurableContext) -> list[Receipt]:
    twice_async(ctx, order)  # type: ignore[arg-type, unused-coroutine]
    return twice(ctx, order)


@durable_execution
async def uses_helper_async(order: Order, ctx: AsyncDurableContext) -> list[Receipt]:
    twice(ctx, order)  # type: ignore[arg-type]
    return await twice_async(ctx, order)


def step_of(order: Order) -> StepFunction[Receipt]:
    return charge(order.id)


def async_step_of(order: Order) -> AsyncStepFunction[Receipt]:
    return charge_async(order.id)


def hand_out(manager: str) -> Submitter:
    return ask(manager)


anything: DurableValue = {"a": [1, (2.5, None)], "b": Decimal(1)}
nothing: DurableValue = object()  # type: ignore[assignment]


# ---- methods ---------------------------------------------------------------------------------------------------


class Shop:
    @durable_step
    def charge(self, step: StepContext, order: str) -> Receipt:
        return Receipt(order)

    @durable_step
    async def refund(self, step: StepContext, order: str) -> int:
        return 1

    @durable_with_child_context
    def handle(self, ctx: DurableContext, order: Order) -> Receipt:
        self.charge(5)  # type: ignore[arg-type]
        return ctx.step(self.charge(order.id))

    @durable_wait_for_callback
    def ask(self, callback_id: str, context: WaitForCallbackContext, whom: str) -> None: ...


def use_shop(shop: Shop, ctx: DurableContext, order: Order) -> None:
    assert_type(ctx.step(shop.charge(order.id)), Receipt)
    assert_type(ctx.run_in_child_context(shop.handle(order)), Receipt)
    ctx.wait_for_callback(shop.ask("manager"))


async def use_shop_async(shop: Shop, ctx: AsyncDurableContext, order: Order) -> None:
    assert_type(await ctx.step(shop.refund(order.id)), int)


# ---- styles ----------------------------------------------------------------------------------------------------


def bare(order: Order, ctx: DurableContext) -> Receipt:
    return Receipt(order.id)


async def bare_async(order: Order, ctx: AsyncDurableContext) -> Receipt:
    return Receipt(order.id)


def reported(error: Exception, failure: ExecutionFailure) -> Exception | None:
    assert_type([node.name for node in failure.walk()], list[str | None])
    return None


async def reported_async(error: Exception, failure: ExecutionFailure) -> None: ...


assert_type(durable(bare), DurableFunction[Order, Receipt])
assert_type(durable(bare_async, timeout=timedelta(minutes=1)), DurableFunction[Order, Receipt])
assert_type(durable(bare, error_handler=reported), DurableFunction[Order, Receipt])
assert_type(durable(bare_async, error_handler=reported_async), DurableFunction[Order, Receipt])
assert_type(durable_execution(retention_days=3)(bare), DurableFunction[Order, Receipt])
assert_type(durable_execution(retention_days=3)(bare_async), DurableFunction[Order, Receipt])
builder = DurableBuilder(retention_days=3).timeout(Duration(5)).error_handler(reported)
assert_type(builder, DurableBuilder)
assert_type(builder.build(bare), DurableFunction[Order, Receipt])
assert_type(builder(bare_async), DurableFunction[Order, Receipt])
durable(bare, retention="long")  # type: ignore[call-overload]
durable(5)  # type: ignore[call-overload]
DurableBuilder(retention_days="3")  # type: ignore[arg-type]
durable(bare, error_handler=bare)  # type: ignore[arg-type]


class Orders(DurableHandler, retention_days=3):
    def __init__(self, rate: int) -> None:
        self.rate = rate

    def handle(self, order: Order, ctx: DurableContext) -> Receipt:
        return Receipt(order.id)


class AsyncOrders(DurableHandler):
    async def handle(self, order: Order, ctx: AsyncDurableContext) -> Receipt:
        return Receipt(order.id)

    async def on_error(self, error: Exception, failure: ExecutionFailure) -> Exception | None:
        return None


assert_type(Orders(5).function, DurableFunction[Any, Any])
assert_type(Orders(5).is_async, bool)


class Warehouse:
    @durable_execution
    def pick(self, order: Order, ctx: DurableContext) -> Receipt:
        return Receipt(order.id)

    @durable_execution(retention_days=3)
    async def pack(self, order: Order, ctx: AsyncDurableContext) -> Receipt:
        return Receipt(order.id)


assert_type(Warehouse().pick, DurableFunction[Order, Receipt])
assert_type(Warehouse().pack, DurableFunction[Order, Receipt])
