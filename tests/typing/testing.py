"""What the testing kit is inferred to give, and what is rejected. Checked, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from durably import (
    AsyncDurableContext,
    DurableContext,
    DurableFunction,
    DurableHandler,
    StepContext,
    durable_execution,
    durable_step,
)
from durably.testing import (
    AsyncLocalExecution,
    CallbackOperation,
    CrashReport,
    DeterminismReport,
    Faults,
    Limits,
    LocalExecution,
    LocalRunner,
    MockAsyncDurableContext,
    MockDurableContext,
    RecordedOperation,
    RunResult,
    StepOperation,
    aexplore_crashes,
    check_determinism,
    explore_crashes,
)


@dataclass
class Order:
    id: int


@dataclass
class Receipt:
    id: int


@durable_execution
def process(order: Order, ctx: DurableContext) -> Receipt:
    return Receipt(order.id)


@durable_execution
async def aprocess(order: Order, ctx: AsyncDurableContext) -> Receipt:
    return Receipt(order.id)


def sync_test() -> None:
    runner = LocalRunner(process, limits=Limits(), faults=Faults(latency=timedelta(seconds=1)))
    assert_type(runner, LocalRunner[Order, Receipt])
    result = runner.run(Order(1))
    assert_type(result, RunResult[Receipt])
    assert_type(result.value, Receipt)
    assert_type(result.result, Receipt | None)
    assert_type(result.step("charge"), StepOperation)
    assert_type(result.operations[0], RecordedOperation)
    assert_type(result.operations.callback("approval"), CallbackOperation)
    execution = runner.start(Order(1))
    assert_type(execution, LocalExecution[Receipt])
    assert_type(execution.result().value, Receipt)
    with LocalRunner(aprocess) as entered:
        assert_type(entered.run(Order(1)).value, Receipt)
    runner.run("an order")  # type: ignore[arg-type]
    LocalRunner(process, callback={})  # type: ignore[call-arg]


async def async_test() -> None:
    async with LocalRunner(aprocess) as runner:
        assert_type((await runner.arun(Order(1))).value, Receipt)
        execution = await runner.astart(Order(1))
        assert_type(execution, AsyncLocalExecution[Receipt])
        assert_type((await execution.result()).value, Receipt)
        await execution.callback("approval").succeed("yes")
        await runner.acallback("approval").fail(ValueError("no"))


# ---- whatever is a durable function, or becomes one ------------------------------------------------------------------


class Orders(DurableHandler):
    def handle(self, order: Order, ctx: DurableContext) -> Receipt:
        return Receipt(order.id)

    def plain(self, order: Order, ctx: DurableContext) -> Receipt:
        return Receipt(order.id)

    @durable_execution
    def decorated(self, order: Order, ctx: DurableContext) -> Receipt:
        return Receipt(order.id)


class AsyncOrders(DurableHandler):
    async def handle(self, order: Order, ctx: AsyncDurableContext) -> Receipt:
        return Receipt(order.id)


def plain(order: Order, ctx: DurableContext) -> Receipt | None:
    return None


async def plain_async(order: Order, ctx: AsyncDurableContext) -> Receipt | None:
    return None


def too_few(order: Order) -> Receipt:
    return Receipt(order.id)


def runners() -> None:
    assert_type(LocalRunner(Orders()), LocalRunner[Order, Receipt])
    assert_type(LocalRunner(AsyncOrders()), LocalRunner[Order, Receipt])
    assert_type(LocalRunner(Orders().decorated), LocalRunner[Order, Receipt])
    assert_type(LocalRunner(Orders().plain), LocalRunner[Order, Receipt])
    assert_type(LocalRunner(plain), LocalRunner[Order, Receipt | None])
    assert_type(LocalRunner(plain_async).run(Order(1)).value, Receipt | None)
    assert_type(LocalRunner(process).copy(real_time=True), LocalRunner[Order, Receipt])
    assert_type(LocalRunner(process).handler, DurableFunction[Order, Receipt])
    assert_type(explore_crashes(process, Order(1)), CrashReport)
    assert_type(check_determinism(LocalRunner(Orders()), Order(1)), DeterminismReport)
    LocalRunner(5)  # type: ignore[arg-type]
    LocalRunner(too_few)  # type: ignore[arg-type]
    explore_crashes(process, 5)  # type: ignore[misc]
    check_determinism(too_few, Order(1))  # type: ignore[arg-type]


async def explored() -> None:
    assert_type(await aexplore_crashes(aprocess, Order(1)), CrashReport)


def looked_at(operation: StepOperation) -> None:
    assert_type(operation.result, Any)
    assert_type(operation.result_as(Receipt), Receipt | None)
    assert_type(operation.result_as(list[Receipt]), list[Receipt] | None)
    assert_type(operation.result_as(Receipt | str), Receipt | str | None)
    operation.result_as(5)  # type: ignore[call-overload]


@durable_step
def charge(step: StepContext, order: Order) -> Receipt:
    return Receipt(order.id)


async def mocked() -> None:
    assert_type(MockDurableContext(steps={"charge": Receipt(1)}).step(charge(Order(1))), Receipt)
    assert_type(await MockAsyncDurableContext().step(charge(Order(1))), Receipt)
    MockDurableContext().step(5)  # type: ignore[call-overload]
