"""What is run while processes are killed. Each step body first writes a line to the ledger and waits for the disk."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import time
from datetime import timedelta
from typing import Any

from durably import (
    AsyncDurableContext,
    DurableContext,
    NoRetry,
    RetryDecision,
    StepConfig,
    StepContext,
    StepError,
    StepSemantics,
    durable_execution,
    durable_step,
    durable_with_child_context,
)

LEDGER = os.environ["CRASH_LEDGER"]
SECOND = timedelta(seconds=1)
BIG = 300_000


def write(**entry: Any) -> None:
    line = json.dumps({**entry, "pid": os.getpid(), "ms": time.time_ns() // 1_000_000}) + "\n"
    ledger = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(ledger, line.encode())
        os.fsync(ledger)
    finally:
        os.close(ledger)


def note(step: StepContext) -> None:
    write(kind="step", arn=step.execution_arn, id=step.operation_id, name=step.name, attempt=step.attempt)


def _again(error: Exception, attempts_made: int) -> RetryDecision:
    return RetryDecision.retry(SECOND)


AGAIN = StepConfig(retry_strategy=_again)
ONCE = StepConfig(step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY, retry_strategy=NoRetry())
ONCE_PER_ATTEMPT = StepConfig(step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY, retry_strategy=_again)


@durable_step
def add(step: StepContext, a: int, b: int) -> int:
    note(step)
    return a + b


@durable_step
async def add_slowly(step: StepContext, a: int, b: int) -> int:
    note(step)
    await asyncio.sleep(0.05)
    return a + b


@durable_step
def third_time(step: StepContext, value: int) -> int:
    note(step)
    if step.attempt < 3:
        raise ConnectionError("not yet")
    return value


@durable_step
def text(step: StepContext, letter: str) -> str:
    note(step)
    return letter * BIG


@durable_with_child_context
def double_twice(ctx: DurableContext, value: int) -> int:
    value = ctx.step(add(value, value), name="once")
    return ctx.step(add(value, value), name="twice")


@durable_execution
def pipeline(n: int, ctx: DurableContext) -> int:
    """n -> 4 * (n + 1) + 9"""
    value = ctx.step(add(n, 1), name="first")
    value = ctx.step(third_time(value), name="flaky", config=AGAIN)
    ctx.wait(SECOND, name="rest")
    value = ctx.run_in_child_context(double_twice(value), name="child")
    return ctx.step(add(value, 9), name="last")


@durable_execution
async def fan(n: int, ctx: AsyncDurableContext) -> list[int]:
    """n -> [n + 1, n + 2, n + 3, n + 4, 100 + n, 101 + n]"""

    async def flow(start: int) -> int:
        value = await ctx.step(add_slowly(n, start), name=f"begin {start}")
        if start % 2:
            await ctx.wait(SECOND, name=f"rest {start}")
        return await ctx.step(add(value, 1), name=f"end {start}")

    async def child(inner: AsyncDurableContext) -> int:
        value = await inner.step(add_slowly(n, 50), name="inner")
        await inner.wait(SECOND, name="inner rest")
        return await inner.step(add(value, 50), name="inner end")

    gathered = await asyncio.gather(*(flow(start) for start in range(4)))
    async with asyncio.TaskGroup() as group:
        one = group.create_task(ctx.run_in_child_context(child, name="child"))
        two = group.create_task(flow(100))
    return [*gathered, one.result(), two.result()]


@durable_execution
def leaf(n: int, ctx: DurableContext) -> int:
    value = ctx.step(add(n, 10), name="before")
    ctx.wait(SECOND, name="rest")
    return ctx.step(add(value, 10), name="after")


def plain(event: int, context: Any) -> int:
    return event * 3


@durable_execution
def parent(n: int, ctx: DurableContext) -> list[int]:
    """n -> [n + 20, 3 * n, 3 * n + 1]"""
    a = ctx.invoke("leaf:$LATEST", n, name="leaf", result_type=int)
    b = ctx.invoke("plain", n, name="plain", result_type=int)
    return [a, b, ctx.step(add(b, 1), name="last")]


@durable_step
def tell(step: StepContext, callback_id: str) -> None:
    note(step)
    write(kind="callback", id=callback_id)


@durable_execution
async def asks(n: int, ctx: AsyncDurableContext) -> list[str]:
    """The answers to three questions."""
    early = await ctx.create_callback(name="early")
    await ctx.step(tell(early.callback_id), name="tell")

    async def ask(callback_id: str, context: Any) -> None:
        write(kind="callback", id=callback_id)

    first, second = await asyncio.gather(
        ctx.wait_for_callback(ask, name="first"), ctx.wait_for_callback(ask, name="second")
    )
    return [await early.result(), first, second]


@durable_step
def careful(step: StepContext, value: int) -> int:
    note(step)
    return value


@durable_execution
def once(n: int, ctx: DurableContext) -> list[Any]:
    """n -> [n or "interrupted", 100 * (n + 1)]"""
    first: Any
    try:
        first = ctx.step(careful(n), name="no retry", config=ONCE)
    except StepError:
        first = "interrupted"
    return [first, sum(ctx.step(careful(n + 1), name="per attempt", config=ONCE_PER_ATTEMPT) for _ in range(100))]


@durable_execution
def big(n: int, ctx: DurableContext) -> str:
    """n -> 300 KB; its child's result is too long to be recorded."""

    def two(child: DurableContext) -> str:
        return child.step(text("a"), name="a") + child.step(text("b"), name="b")

    both = ctx.run_in_child_context(two, name="two")
    ctx.wait(SECOND, name="rest")
    assert both == "a" * BIG + "b" * BIG
    return ctx.step(text("c"), name="c")


@durable_execution
def loop(n: int, ctx: DurableContext) -> int:
    """500 steps"""
    for number in range(500):
        n = ctx.step(add(n, number), name=f"{number}")
    return n


@durable_execution
async def async_loop(n: int, ctx: AsyncDurableContext) -> int:
    for number in range(100):
        n = await ctx.step(add_slowly(n, number), name=f"{number}")
    return n


@durable_execution
def long(n: int, ctx: DurableContext) -> int:
    """One step that outlasts many a process, until the file that the test makes is there."""

    def work(step: StepContext) -> int:
        note(step)
        while not os.path.exists(LEDGER + ".go"):
            time.sleep(0.01)
        return n

    return ctx.step(work, name="work")


def hang_once(step: StepContext) -> str:
    """The first run hangs for longer than its function may take, then goes on as if nothing had happened."""
    note(step)
    try:
        os.close(os.open(LEDGER + ".first", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "second"
    time.sleep(4)
    write(kind="woken")
    return "first"


@durable_execution(timeout=timedelta(seconds=2))
def frozen(n: int, ctx: DurableContext) -> str:
    result = ctx.step(hang_once, name="work")
    ctx.step(add(n, 1), name=f"after {result}")
    ctx.wait(timedelta(seconds=8), name="rest")
    return result


@durable_execution(timeout=timedelta(seconds=2))
async def frozen_async(n: int, ctx: AsyncDurableContext) -> str:
    """Its event loop hangs with it."""

    async def work(step: StepContext) -> str:
        return hang_once(step)

    result = await ctx.step(work, name="work")
    await ctx.step(add(n, 1), name=f"after {result}")
    await ctx.wait(timedelta(seconds=8), name="rest")
    return result


@durable_execution
def escapes(n: int, ctx: DurableContext) -> str:
    """Its first process does not end with the service, and goes on when the test says so."""

    def work(step: StepContext) -> str:
        try:
            os.close(os.open(LEDGER + ".first", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return "second"
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, 0, 0, 0, 0)
        note(step)
        while not os.path.exists(LEDGER + ".go"):
            time.sleep(0.01)
        write(kind="woken")
        return "first"

    result = ctx.step(work, name="work")
    ctx.step(add(n, 1), name=f"after {result}")
    ctx.wait(timedelta(seconds=15), name="rest")
    return result


@durable_execution(timeout=timedelta(seconds=2))
def stoppable(n: int, ctx: DurableContext) -> int:
    """Long enough to be stopped in; once the file is there it is quick."""

    def work(step: StepContext) -> int:
        note(step)
        if not os.path.exists(LEDGER + ".go"):
            time.sleep(1)
        return n

    return ctx.step(work, name="work")


@durable_execution
def size(data: str, ctx: DurableContext) -> int:
    def measure(step: StepContext) -> int:
        note(step)
        return len(data)

    return ctx.step(measure, name="measure")
