"""A step's time limit, one attempt at a time.

What takes too long waits for an event that nobody has set, so the limits can be short and nothing is timed. What does
not take too long has a long limit: a busy machine may need longer than the short one for anything.
"""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from durably import (
    Duration,
    RetryDecision,
    RetryPresets,
    StepConfig,
    StepError,
    StepSemantics,
    StepTimeoutError,
    ValidationError,
)

from .harness import Flavour, World, run

SECOND = Duration.from_seconds(1)
BRIEF = timedelta(milliseconds=20)
AMPLE = Duration.from_seconds(60)


class Patience:
    """A body that waits for ever in its first attempts, in both worlds; ``gate`` lets threads go at last."""

    def __init__(self, flavour: Flavour, attempts: int) -> None:
        self.gate = threading.Event()
        self.fates: list[str] = []
        self.left = threading.Semaphore(0)
        self.body = self._asynchronous if flavour.is_async else self._synchronous
        self._attempts = attempts
        self._asked = 0

    def limit(self) -> Any:
        """For the attempt that is about to begin, if the handler asks once in each invocation."""
        self._asked += 1
        return BRIEF if self._asked <= self._attempts else AMPLE

    def _synchronous(self, step: Any) -> Any:
        if step.attempt > self._attempts:
            return step.attempt
        self.gate.wait(60)
        self.fates.append("went on")
        self.left.release()
        return "late"

    async def _asynchronous(self, step: Any) -> Any:
        if step.attempt > self._attempts:
            return step.attempt
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.fates.append("cancelled")
            raise


def test_an_attempt_that_takes_too_long_fails_and_is_retried(flavour: Flavour) -> None:
    def handler(event, ctx):
        def strategy(error, attempts):
            asked.append((type(error).__name__, str(error), attempts))
            return RetryDecision(attempts < 3, SECOND)

        config = StepConfig(retry_strategy=strategy, timeout=patience.limit())
        return (yield ctx.step(patience.body, name="slow", config=config))

    asked: list[Any] = []
    patience = Patience(flavour, attempts=2)
    try:
        world = flavour.run(handler)
    finally:
        patience.gate.set()
    assert world.value == 3
    message = asked[0][1]
    assert asked == [("StepTimeoutError", message, 1), ("StepTimeoutError", message, 2)]
    assert "'slow'" in message
    assert "took longer than its timeout of 0.02 s" in message
    retries = [update for update in world.updates if update["Action"] == "RETRY"]
    assert [update["Error"]["ErrorType"] for update in retries] == ["durably.StepTimeoutError"] * 2


def test_without_a_retry_the_step_has_failed_the_same_way_on_replay(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = StepConfig(retry_strategy=RetryPresets.none(), timeout=BRIEF)
        with pytest.raises(StepError, match="took longer than its timeout") as raised:
            yield ctx.step(patience.body, config=config)
        seen.append((raised.value.error_type, str(raised.value)))
        yield ctx.wait(SECOND)

    seen: list[Any] = []
    patience = Patience(flavour, attempts=1)
    try:
        world = flavour.run(handler)
    finally:
        patience.gate.set()
    assert world.status == "SUCCEEDED", world.outcome
    assert seen[0] == seen[1]
    assert seen[0][0] == "durably.StepTimeoutError"


def test_an_attempt_in_time_is_none_of_its_business(flavour: Flavour) -> None:
    def handler(event, ctx):
        value = yield ctx.step(
            flavour(lambda step: [step.attempt, step.name]), name="s", config=StepConfig(timeout=AMPLE)
        )
        with pytest.raises(StepError, match="own failure") as raised:
            yield ctx.step(flavour(fail), config=StepConfig(retry_strategy=RetryPresets.none(), timeout=AMPLE))
        return [*value, raised.value.error_type]

    def fail(step):
        raise TimeoutError("own failure")

    assert flavour.run(handler).value == [1, "s", "TimeoutError"]


def test_an_at_most_once_attempt_that_takes_too_long_is_used_up(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = StepConfig(
            retry_strategy=lambda error, n: RetryDecision(n < 2, SECOND),
            step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY,
            timeout=patience.limit(),
        )
        return (yield ctx.step(patience.body, name="slow", config=config))

    patience = Patience(flavour, attempts=1)
    try:
        world = flavour.run(handler)
    finally:
        patience.gate.set()
    assert world.value == 2
    assert world.batches[0] == [("STEP", "START", "slow")]


def test_a_body_left_behind_can_record_nothing_sync() -> None:
    """It ends while the next attempt has been recorded; what it returns is not looked at."""
    flavour = Flavour("sync")
    patience = Patience(flavour, attempts=1)

    def handler(event: Any, ctx: Any) -> Any:
        config = StepConfig(retry_strategy=lambda error, n: RetryDecision(n < 2, SECOND), timeout=patience.limit())
        value = ctx.step(patience.body, name="slow", config=config)
        patience.gate.set()
        assert patience.left.acquire(timeout=60)
        return [value, ctx.step(lambda step: "after", name="after")]

    world = run(handler)
    assert world.value == [2, "after"]
    assert patience.fates == ["went on"]
    ends = [(update["Name"], update["Action"], update.get("Payload")) for update in world.updates]
    assert ends == [
        ("slow", "START", None),
        ("slow", "RETRY", None),
        ("slow", "START", None),
        ("slow", "SUCCEED", "2"),
        ("after", "START", None),
        ("after", "SUCCEED", '"after"'),
    ]


def test_a_coroutine_is_cancelled_when_its_time_is_over() -> None:
    patience = Patience(Flavour("async"), attempts=1)

    async def handler(event: Any, ctx: Any) -> Any:
        config = StepConfig(retry_strategy=RetryPresets.none(), timeout=BRIEF)
        with pytest.raises(StepError):
            await ctx.step(patience.body, config=config)
        return await ctx.step(lambda step: list(patience.fates))

    assert run(handler).value == ["cancelled"]


def test_a_timeout_of_the_programs_own_around_the_step_is_another_thing() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        async def slow(step: Any) -> None:
            own.reschedule(asyncio.get_running_loop().time())
            await asyncio.Event().wait()

        try:
            async with asyncio.timeout(None) as own:
                await ctx.step(slow, name="slow", config=StepConfig(timeout=AMPLE))
        except TimeoutError as error:
            return type(error).__name__

    world = run(handler)
    assert world.value == "TimeoutError"
    assert world.named("slow")["StepDetails"]["Error"]["ErrorType"] == "asyncio.CancelledError"


def test_a_plain_body_in_async_code_is_left_behind_in_its_thread() -> None:
    gate = threading.Event()
    limits = iter([BRIEF, AMPLE])

    async def handler(event: Any, ctx: Any) -> Any:
        def blocking(step: Any) -> Any:
            if step.attempt == 1:
                gate.wait(60)
            else:
                gate.set()
            return step.attempt

        config = StepConfig(retry_strategy=lambda error, n: RetryDecision(n < 2, SECOND), timeout=next(limits))
        try:
            return await ctx.step(blocking, config=config)
        finally:
            gate.set()  # the loop waits for its threads when it closes

    assert run(handler).value == 2


def test_what_is_no_exception_passes_through() -> None:
    def handler(event: Any, ctx: Any) -> Any:
        def body(step: Any) -> None:
            raise SystemExit("stop")

        ctx.step(body, config=StepConfig(timeout=AMPLE))

    with pytest.raises(SystemExit, match="stop"):
        World(handler).run()


def test_a_branch_whose_step_times_out_has_failed(flavour: Flavour) -> None:
    def handler(event, ctx):
        def branch(inner):
            yield inner.step(patience.body, config=StepConfig(retry_strategy=RetryPresets.none(), timeout=BRIEF))

        result = yield ctx.parallel([flavour(branch)])
        (error,) = result.get_errors()
        return [error.type, "took longer" in error.message]

    patience = Patience(flavour, attempts=1)
    try:
        assert flavour.run(handler).value == ["durably.StepError", True]
    finally:
        patience.gate.set()


@pytest.mark.parametrize("timeout", [Duration(0), timedelta(0), 5, "1s", timedelta(seconds=-1)])
def test_a_timeout_that_is_none(timeout: Any) -> None:
    with pytest.raises(ValidationError, match="timeout"):
        StepConfig(timeout=timeout)


def test_the_error_is_a_timeout_and_worth_another_try() -> None:
    assert issubclass(StepTimeoutError, TimeoutError)
    assert StepTimeoutError.retriable
