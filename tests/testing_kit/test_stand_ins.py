"""Mocks of steps and of invoked functions."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    DurableContext,
    Duration,
    FixedDelay,
    RetryPresets,
    StepConfig,
    WaitForConditionConfig,
    WaitForConditionDecision,
    durable_execution,
)
from durably.testing import TIMES_OUT, LocalRunner, Mock, RunResult

RETRIES = StepConfig(
    retry_strategy=FixedDelay(Duration.from_minutes(1), max_attempts=3), timeout=Duration.from_seconds(30)
)
ran: list[str] = []


@pytest.fixture(autouse=True)
def nothing_has_run() -> None:
    ran.clear()


@durable_execution
def charge(amount: int, ctx: DurableContext) -> dict[str, int]:
    def body(_: Any) -> dict[str, int]:
        ran.append("charge")
        return {"charged": amount}

    return ctx.step(body, name="charge", config=RETRIES)


@durable_execution
async def charge_async(amount: int, ctx: AsyncDurableContext) -> dict[str, int]:
    async def body(_: Any) -> dict[str, int]:
        ran.append("charge")
        return {"charged": amount}

    return await ctx.step(body, name="charge", config=RETRIES)


@pytest.fixture(params=["sync", "async"])
def handler(request: pytest.FixtureRequest) -> Any:
    return charge if request.param == "sync" else charge_async


def signatures(result: RunResult[Any]) -> list[tuple[str, Any]]:
    return [(event["EventType"], event.get("SubType")) for event in result.history]


def test_a_value_is_recorded_as_if_the_step_had_returned_it(handler: Any) -> None:
    real = LocalRunner(handler).run(7)
    ran.clear()
    mocked = LocalRunner(handler, steps={"charge": {"charged": 0}}).run(7)
    assert (mocked.value, ran) == ({"charged": 0}, [])
    assert signatures(mocked) == signatures(real)
    assert mocked.step("charge").result == {"charged": 0}


def test_other_steps_are_run(handler: Any) -> None:
    assert LocalRunner(handler, steps={"refund": 1}).run(7).value == {"charged": 7}
    assert ran == ["charge"]


@pytest.mark.parametrize("error", [ValueError("declined"), Mock(error=ValueError("declined"))])
def test_an_error_is_retried_like_the_real_one(handler: Any, error: Any) -> None:
    result = LocalRunner(handler, steps={"charge": error}).run(7)
    step = result.step("charge")
    assert [attempt.error["ErrorMessage"] for attempt in step.attempts if attempt.error] == ["declined"] * 3
    assert (step.status, step.duration, ran) == ("FAILED", timedelta(minutes=2), [])


def test_one_outcome_for_each_attempt(handler: Any) -> None:
    mock = Mock.each(ConnectionError("down"), TIMES_OUT, {"charged": 1})
    result = LocalRunner(handler, steps={"charge": mock}).run(7)
    assert result.value == {"charged": 1}
    assert [attempt.error and attempt.error["ErrorType"] for attempt in result.step("charge").attempts] == [
        "ConnectionError",
        "durably.StepTimeoutError",
        None,
    ]
    assert result.step("charge").duration == timedelta(minutes=2, seconds=30)
    assert [context.attempt for context in mock.calls] == [1, 2, 3]


def test_a_timeout_looks_like_a_real_one() -> None:
    @durable_execution
    def slow(_: None, ctx: DurableContext) -> None:
        config = StepConfig(retry_strategy=RetryPresets.none(), timeout=Duration.from_seconds(30))
        ctx.step(lambda _: runner.clock.sleep(60), name="slow", config=config)

    runner = LocalRunner(slow)
    real = runner.run()
    mocked = LocalRunner(slow, steps={"slow": TIMES_OUT}).run()
    assert real.status == mocked.status == "FAILED"
    told = [one.step("slow").error for one in (real, mocked)]
    assert [(one["ErrorType"], one["ErrorMessage"]) for one in told if one] == [
        ("durably.StepTimeoutError", "Step 'slow' took longer than its timeout of 30 s")
    ] * 2
    assert real.step("slow").duration == mocked.step("slow").duration == timedelta(seconds=30)


@pytest.mark.parametrize("function", [lambda: {"charged": -1}, lambda step: {"charged": -step.attempt}])
def test_a_function_is_called_instead(handler: Any, function: Any) -> None:
    assert LocalRunner(handler, steps={"charge": function}).run(7).value == {"charged": -1}


def test_a_coroutine_function_is_awaited() -> None:
    async def instead(step: Any) -> dict[str, int]:
        await asyncio.sleep(25)
        return {"charged": 60}

    result = LocalRunner(charge_async, steps={"charge": instead}).run(7)
    assert (result.value, result.step("charge").duration) == ({"charged": 60}, timedelta(seconds=25))


def test_mocks_may_change_between_runs(handler: Any) -> None:
    runner = LocalRunner(handler)
    runner.steps["charge"] = {"charged": 1}
    assert runner.run(7).value == {"charged": 1}
    del runner.steps["charge"]
    assert runner.run(7).value == {"charged": 7}


def test_a_mock_of_a_condition_gets_its_state() -> None:
    @durable_execution
    def poll(_: None, ctx: DurableContext) -> int:
        config = WaitForConditionConfig(
            wait_strategy=lambda state, attempt: WaitForConditionDecision(state < 3, Duration(60)), initial_state=0
        )
        return ctx.wait_for_condition(lambda state, _: 99, config, name="poll")

    mock = Mock(lambda state, _: state + 1)
    assert LocalRunner(poll, steps={"poll": mock}).run().value == 3
    assert len(mock.calls) == 3


def test_the_submitter_of_a_callback_is_a_step_too() -> None:
    @durable_execution
    def asks(_: None, ctx: DurableContext) -> Any:
        return ctx.wait_for_callback(lambda *_: ran.append("mail"), name="approval")

    runner = LocalRunner(asks, steps={"approval submitter": None}, callbacks={"approval": "yes"})
    assert (runner.run().value, ran) == ("yes", [])


# ---- invoked functions ------------------------------------------------------------------------------------------


@durable_execution
def invokes(count: int, ctx: DurableContext) -> list[Any]:
    return [ctx.invoke("ship", number, name=f"ship {number}") for number in range(count)]


def test_one_outcome_for_each_call() -> None:
    mock = Mock.each("a", "b")
    assert LocalRunner(invokes, functions={"ship": mock}).run(3).value == ["a", "b", "b"]
    assert (mock.calls, mock.called) == ([0, 1, 2], True)


def test_a_function_that_times_out() -> None:
    result = LocalRunner(invokes, functions={"ship": TIMES_OUT}).run(1)
    assert (result.status, result.invoke("ship 0").status) == ("FAILED", "TIMED_OUT")
    assert result.duration == timedelta(minutes=15)


def test_a_mock_can_be_seen() -> None:
    mock = Mock.each(ValueError("x"), 2)
    assert repr(mock) == "<Mock of ValueError('x'), 2; called 0 times>"
    with pytest.raises(ValueError, match="at least one outcome"):
        Mock.each()
