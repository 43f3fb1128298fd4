"""What a test of a durable function costs: the testing kits, each with a test of its own idiom.

A hello (one step), ten waits of a minute that time is to skip, and a callback that the test answers once it has been
submitted. Every test makes a runner, as tests do. The rate is that of hello tests, one after another in one process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from support.model import Case, Measurement, Row, Settings, check
from support.timing import median

Test = Callable[[], Any]


def measure(tests: dict[str, Test], settings: Settings) -> Measurement:
    measurement: Measurement = {}
    for name, test in tests.items():
        test()  # what the first test of a process loads is not counted
        measurement[f"{name}_ms"] = median([_seconds(test) for _ in range(settings.count(5, 1))]) * 1e3
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < settings.count(2, 1):
        tests["hello"]()
        count += 1
    measurement["per_second"] = count / (time.perf_counter() - began)
    return measurement


def _seconds(test: Test) -> float:
    began = time.perf_counter()
    test()
    return time.perf_counter() - began


def durably_sync(settings: Settings) -> Measurement:
    from durably import DurableContext, Duration, durable_execution
    from durably.testing import LocalRunner

    @durable_execution
    def hello(event: int, context: DurableContext) -> int:
        return context.step(lambda _: event + 1, name="hello")

    @durable_execution
    def waits(event: int, context: DurableContext) -> int:
        for _ in range(10):
            context.wait(Duration.from_minutes(1))
        return event + 1

    @durable_execution
    def callback(event: int, context: DurableContext) -> Any:
        return context.wait_for_callback(lambda callback_id, _: None, name="approval")

    def answer() -> None:
        execution = LocalRunner(callback).start(1)
        execution.callback("approval").succeed("yes")
        check(execution.result().value == "yes", "wrong answer")

    return measure(
        {
            "hello": lambda: check(LocalRunner(hello).run(1).value == 2, "wrong answer"),
            "waits": lambda: check(LocalRunner(waits).run(1).value == 2, "wrong answer"),
            "callback": answer,
        },
        settings,
    )


def durably_async(settings: Settings) -> Measurement:
    from durably import AsyncDurableContext, Duration, durable_execution
    from durably.testing import LocalRunner

    @durable_execution
    async def hello(event: int, context: AsyncDurableContext) -> int:
        async def body(_: Any) -> int:
            return event + 1

        return await context.step(body, name="hello")

    @durable_execution
    async def waits(event: int, context: AsyncDurableContext) -> int:
        for _ in range(10):
            await context.wait(Duration.from_minutes(1))
        return event + 1

    @durable_execution
    async def callback(event: int, context: AsyncDurableContext) -> Any:
        async def submit(callback_id: str, _: Any) -> None:
            pass

        return await context.wait_for_callback(submit, name="approval")

    async def run(handler: Any) -> None:
        check((await LocalRunner(handler).arun(1)).value == 2, "wrong answer")

    async def answer() -> None:
        execution = await LocalRunner(callback).astart(1)
        await execution.callback("approval").succeed("yes")
        check((await execution.result()).value == "yes", "wrong answer")

    with asyncio.Runner() as loop:
        return measure(
            {
                "hello": lambda: loop.run(run(hello)),
                "waits": lambda: loop.run(run(waits)),
                "callback": lambda: loop.run(answer()),
            },
            settings,
        )


def official(settings: Settings) -> Measurement:
    from aws_durable_execution_sdk_python import DurableContext, durable_execution
    from aws_durable_execution_sdk_python.config import Duration
    from aws_durable_execution_sdk_python_testing.runner import DurableFunctionTestRunner

    @durable_execution
    def hello(event: int, context: DurableContext) -> int:
        return context.step(lambda _: event + 1, name="hello")

    @durable_execution
    def waits(event: int, context: DurableContext) -> int:
        for _ in range(10):
            context.wait(Duration.from_minutes(1))
        return event + 1

    @durable_execution
    def callback(event: int, context: DurableContext) -> Any:
        return context.wait_for_callback(lambda callback_id, _: None, name="approval")

    def run(handler: Any) -> None:
        with DurableFunctionTestRunner(handler=handler) as runner:
            result = runner.run(input="1", timeout=60)
        check((result.status.value, result.result) == ("SUCCEEDED", "2"), f"wrong answer: {result}")

    def answer() -> None:
        with DurableFunctionTestRunner(handler=callback) as runner:
            arn = runner.run_async(input="1", timeout=60)
            runner.send_callback_success(runner.wait_for_callback(arn), b"yes")
            result = runner.wait_for_result(arn)
        check(result.status.value == "SUCCEEDED", f"wrong answer: {result}")

    return measure({"hello": lambda: run(hello), "waits": lambda: run(waits), "callback": answer}, settings)


PEERS = {"official-testing": "official-testing"}

CASE = Case(
    number=11,
    title="tests with the testing kits",
    programs={
        "durably/sync": durably_sync,
        "durably/async": durably_async,
        "official-testing": official,
    },
    rows=(
        Row("hello, sync", "hello_ms", "ms", "durably/sync", PEERS, target=5, digits=2),
        Row("hello, async", "hello_ms", "ms", "durably/async", PEERS, target=5, digits=2),
        Row("ten waits, sync", "waits_ms", "ms", "durably/sync", PEERS, target=10, digits=2),
        Row("ten waits, async", "waits_ms", "ms", "durably/async", PEERS, target=10, digits=2),
        Row("a callback, sync", "callback_ms", "ms", "durably/sync", PEERS, target=5, digits=2),
        Row("a callback, async", "callback_ms", "ms", "durably/async", PEERS, target=5, digits=2),
        Row("hello tests, sync", "per_second", "/s", "durably/sync", PEERS, target=1000, higher=True, digits=0),
        Row("hello tests, async", "per_second", "/s", "durably/async", PEERS, target=1000, higher=True, digits=0),
    ),
    notes=(
        "The runner of the official testing SDK skips time by default (skip_time). Its functions are sync; the same "
        "numbers stand beside both of ours.",
    ),
)
