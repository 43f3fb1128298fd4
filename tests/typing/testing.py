"""What the testing kit is inferred to give, and what is rejected. Checked, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_type

from durably import AsyncDurableContext, DurableContext, durable_execution
from durably.testing import (
    AsyncLocalExecution,
    CallbackOperation,
    Faults,
    Limits,
    LocalExecution,
    LocalRunner,
    RecordedOperation,
    RunResult,
    StepOperation,
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
