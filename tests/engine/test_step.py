"""Steps: laws R1, R5 and R8."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from durably import (
    Duration,
    ExecutionError,
    RetryableSerDesError,
    RetryDecision,
    RetryPresets,
    SerDes,
    SerDesContext,
    SerDesError,
    StepConfig,
    StepError,
    StepInterruptedError,
    StepSemantics,
    durable_step,
)

from .harness import Flavour, Killed, World

NO_RETRY = StepConfig(retry_strategy=RetryPresets.none())
AT_MOST_ONCE = StepSemantics.AT_MOST_ONCE_PER_RETRY


def retries(count: int, seconds: int = 5) -> StepConfig:
    def strategy(error: Exception, attempts_made: int) -> RetryDecision:
        return RetryDecision(attempts_made <= count, Duration.from_seconds(seconds))

    return StepConfig(retry_strategy=strategy)


# ---- success and replay ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("undisturbed")
def test_a_quick_step_costs_one_call(flavour: Flavour) -> None:
    def handler(event, ctx):
        return (yield ctx.step(flavour(lambda step: {"attempt": step.attempt}), name="a"))

    world = flavour.run(handler)
    assert world.value == {"attempt": 1}
    assert world.batches == [[("STEP", "START", "a"), ("STEP", "SUCCEED", "a")]]
    assert world.invocations == 1


@pytest.mark.usefixtures("undisturbed")
def test_sequential_steps_cost_one_call_each(flavour: Flavour) -> None:
    def handler(event, ctx):
        total = 0
        for n in range(5):
            total += yield ctx.step(flavour(lambda step, n=n: n), name=f"s{n}")
        return total

    world = flavour.run(handler)
    assert world.value == 10
    assert world.batches == [[("STEP", "START", f"s{n}"), ("STEP", "SUCCEED", f"s{n}")] for n in range(5)]


def test_a_recorded_step_is_not_run_again(flavour: Flavour) -> None:
    """R1."""

    def handler(event, ctx):
        first = yield ctx.step(flavour(lambda step: world.effects.append("ran") or [1, 2]), name="a")
        yield ctx.wait(Duration.from_hours(1))
        return first

    world = flavour.world(handler)
    world.run()
    assert world.value == [1, 2]
    assert world.effects == ["ran"]
    assert world.invocations == 2


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}, "text", 1.5, {"a": [None]}])
def test_every_result_comes_back_the_same(flavour: Flavour, value: object) -> None:
    seen = []

    def handler(event, ctx):
        seen.append((yield ctx.step(flavour(lambda step: value), name="a")))
        yield ctx.wait(Duration.from_seconds(1))
        return seen[-1]

    world = flavour.run(handler)
    assert world.value == value
    assert seen == [value, value]
    assert type(seen[0]) is type(seen[1])


def test_the_first_run_returns_what_replay_returns(flavour: Flavour) -> None:
    """R8: not the object that the body returned, but what its record says."""
    kept = {"list": [1]}
    seen = []

    def handler(event, ctx):
        value = yield ctx.step(flavour(lambda step: kept), name="a")
        value["list"].append(2)
        seen.append(value)
        yield ctx.wait(Duration.from_seconds(1))

    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert kept == {"list": [1]}
    assert seen == [{"list": [1, 2]}, {"list": [1, 2]}]


def test_a_step_started_and_cut_off_runs_again_without_another_start(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            world.effects.append(("ran", step.attempt))
            if len(world.effects) == 1:
                wait_until(lambda: world.batches)  # START has travelled
                world.kill()
            return "done"

        if flavour.is_async:

            async def slow(step):
                import asyncio

                world.effects.append(("ran", step.attempt))
                if len(world.effects) == 1:
                    while not world.operations:  # noqa: ASYNC110 - turns of the loop, not time
                        await asyncio.sleep(0)
                    world.kill()
                return "done"

            return (yield ctx.step(slow, name="a"))
        return (yield ctx.step(body, name="a"))

    world = flavour.world(handler)
    world.run()
    assert world.value == "done"
    assert world.effects == [("ran", 1), ("ran", 1)]
    assert world.batches == [[("STEP", "START", "a")], [("STEP", "SUCCEED", "a")]]


def wait_until(true) -> None:
    event = threading.Event()
    while not true():
        event.wait(0.001)


# ---- at most once ---------------------------------------------------------------------------------------


def test_an_at_most_once_step_records_its_start_first(flavour: Flavour) -> None:
    """R5."""

    def handler(event, ctx):
        def body(step):
            world.effects.append([operation["Status"] for operation in world.operations.values()])

        yield ctx.step(flavour(body), name="a", config=StepConfig(step_semantics=AT_MOST_ONCE))

    world = flavour.world(handler)
    world.run()
    assert world.effects == [["STARTED"]]
    assert world.batches == [[("STEP", "START", "a")], [("STEP", "SUCCEED", "a")]]


def test_an_interrupted_at_most_once_step_is_not_run_again_by_itself(flavour: Flavour) -> None:
    asked = []

    def strategy(error, attempts):
        asked.append((type(error), attempts))
        return RetryDecision.no_retry()

    def handler(event, ctx):
        def body(step):
            world.effects.append("ran")
            world.kill()

        config = StepConfig(step_semantics=AT_MOST_ONCE, retry_strategy=strategy)
        try:
            yield ctx.step(flavour(body), name="a", config=config)
        except StepError as error:
            return [error.error_type, str(error)]

    world = flavour.world(handler)
    world.run()
    kind, message = world.value
    assert kind == "durably.StepInterruptedError"
    assert "interrupted" in message
    assert world.effects == ["ran"]
    assert asked == [(StepInterruptedError, 1)]
    assert world.batches == [[("STEP", "START", "a")], [("STEP", "FAIL", "a")]]


def test_an_interrupted_at_most_once_step_runs_again_if_its_strategy_says_so(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            world.effects.append(step.attempt)
            if step.attempt == 1:
                world.kill()
            return "ok"

        config = StepConfig(step_semantics=AT_MOST_ONCE, retry_strategy=retries(3).retry_strategy)
        return (yield ctx.step(flavour(body), name="a", config=config))

    world = flavour.world(handler)
    world.run()
    assert world.value == "ok"
    assert world.effects == [1, 2]
    assert [batch[0][1] for batch in world.batches] == ["START", "RETRY", "START", "SUCCEED"]


# ---- retries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failures", [0, 1, 2, 3])
def test_retries_until_success_or_exhaustion(flavour: Flavour, failures: int) -> None:
    def handler(event, ctx):
        def body(step):
            world.effects.append(step.attempt)
            if step.attempt <= failures:
                raise ValueError(f"attempt {step.attempt}")
            return step.attempt

        try:
            return (yield ctx.step(flavour(body), name="a", config=retries(2)))
        except StepError as error:
            return [error.error_type, str(error)]

    world = flavour.world(handler)
    world.run()
    if failures <= 2:
        assert world.value == failures + 1
        assert world.effects == list(range(1, failures + 2))
    else:
        assert world.value == ["ValueError", "attempt 3"]
        assert world.effects == [1, 2, 3]
    assert world.invocations == 1 + min(failures, 2)


def test_a_retry_waits_as_long_as_the_strategy_says(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            world.effects.append(world.clock.now_ms())
            if step.attempt == 1:
                raise ValueError

        yield ctx.step(flavour(body), name="a", config=retries(1, seconds=3600))

    world = flavour.world(handler)
    world.run()
    first, second = world.effects
    assert 3_600_000 <= second - first < 3_601_000
    (retry,) = [update for update in world.updates if update["Action"] == "RETRY"]
    assert retry["StepOptions"] == {"NextAttemptDelaySeconds": 3600}


def test_a_pending_step_suspends_until_its_next_attempt(flavour: Flavour) -> None:
    """Found PENDING on entry: no body, no update."""

    def handler(event, ctx):
        def body(step):
            if step.attempt == 1:
                raise ValueError
            return "ok"

        try:
            return (yield ctx.step(flavour(body), name="a", config=retries(1)))
        finally:
            if world.invocations == 1:
                world.effects.append("unwound")

    world = flavour.world(handler)
    early = []

    def between() -> None:
        if world.invocations == 2:
            early.append(world.named("a")["Status"])

    world.between = between
    world.run()
    assert early == ["READY"]
    assert world.value == "ok"


def test_a_step_error_is_the_same_in_the_first_run_and_in_replay(flavour: Flavour) -> None:
    """R8 for errors."""
    seen = []

    class OutOfStock(Exception):
        error_data = {"sku": 7}  # noqa: RUF012

    def handler(event, ctx):
        def body(step):
            raise OutOfStock("no more")

        try:
            yield ctx.step(flavour(body), name="a", config=NO_RETRY)
        except StepError as error:
            seen.append((str(error), error.error_type, error.data, error.stack_trace, type(error.__cause__)))
        yield ctx.wait(Duration.from_seconds(1))

    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert seen[0] == seen[1]
    message, kind, data, stack, _ = seen[0]
    assert (message, json.loads(data)) == ("no more", {"sku": 7})
    assert kind.endswith("OutOfStock")
    assert any("body" in line for line in stack)


def test_a_strategy_that_raises_fails_its_step_for_good(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            world.effects.append("ran")
            raise ValueError("the real cause")

        def strategy(error, attempts):
            raise KeyError("broken strategy")

        try:
            yield ctx.step(flavour(body), name="a", config=StepConfig(retry_strategy=strategy))
        except StepError as error:
            message = str(error)
        yield ctx.wait(Duration.from_seconds(1))
        return message

    world = flavour.world(handler)
    world.run()
    assert "broken strategy" in world.value
    assert "ValueError" in world.value
    assert world.effects == ["ran"]
    assert world.named("a")["Status"] == "FAILED"


def test_an_uncaught_step_error_fails_the_execution_under_its_own_name(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            raise ValueError("no")

        yield ctx.step(flavour(body), name="a", config=NO_RETRY)

    world = flavour.run(handler)
    assert world.error["errorType"] == "durably.StepError"
    assert world.error["errorMessage"] == "no"
    assert world.named("a")["StepDetails"]["Error"]["ErrorType"] == "ValueError"


# ---- what cannot be recorded ----------------------------------------------------------------------------


def test_an_unserializable_result_fails_the_step_at_once(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            world.effects.append("ran")
            return {"items": [object()]}

        try:
            yield ctx.step(flavour(body), name="a", config=retries(5))
        except SerDesError as error:
            message = str(error)
        yield ctx.wait(Duration.from_seconds(1))
        return message

    world = flavour.world(handler)
    world.run()
    assert "items" in world.value
    assert "object" in world.value
    assert world.effects == ["ran"]
    assert world.named("a")["Status"] == "FAILED"


def test_an_oversized_result_is_refused_readably(flavour: Flavour) -> None:
    def handler(event, ctx):
        try:
            yield ctx.step(flavour(lambda step: "x" * (6 * 1024 * 1024)), name="a")
        except SerDesError as error:
            return str(error)

    world = flavour.run(handler)
    assert "6,291,458 bytes" in world.value


class Failing(SerDes[object]):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def serialize(self, value: object, context: SerDesContext) -> str:
        raise self.error

    def deserialize(self, data: str, context: SerDesContext) -> object:
        return json.loads(data)


def test_an_execution_error_in_a_step_fails_the_execution_whoever_catches_it(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            raise ExecutionError("give up")

        try:
            yield ctx.step(flavour(body), name="a", config=retries(5))
        except BaseException:
            pass
        return "swallowed"

    world = flavour.run(handler)
    assert world.error["errorMessage"] == "give up"
    assert world.invocations == 1


def test_a_retryable_serdes_error_tries_the_invocation_again(flavour: Flavour) -> None:
    serdes = Failing(RetryableSerDesError("store away"))

    def handler(event, ctx):
        if world.invocations == 3:
            serdes.error = SerDesError("still away")
        try:
            yield ctx.step(flavour(lambda step: 1), name="a", config=StepConfig(serdes=serdes))
        except SerDesError as error:
            return str(error)
        except BaseException:
            return "swallowed"

    world = flavour.world(handler)
    world.run()
    assert world.value == "still away"
    assert [type(one) for one in world.outputs] == [RetryableSerDesError, RetryableSerDesError, dict]


# ---- how a body is called -------------------------------------------------------------------------------


@pytest.mark.parametrize("coroutine", [False, True])
def test_a_function_of_the_wrong_arity_is_explained_and_not_retried(flavour: Flavour, coroutine: bool) -> None:
    def plain():
        return 1

    async def asynchronous():
        return 1

    body = asynchronous if coroutine and flavour.is_async else plain

    def handler(event, ctx):
        try:
            yield ctx.step(body, name="a", config=retries(5))
        except StepError as error:
            return [error.error_type, str(error)]

    world = flavour.run(handler)
    kind, message = world.value
    assert kind == "durably.ContextMisuseError"
    assert "one parameter" in message
    assert world.invocations == 1


def test_a_type_error_inside_a_body_is_an_ordinary_failure(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            return len(5)  # type: ignore[arg-type]

        try:
            yield ctx.step(flavour(body), name="a", config=retries(1))
        except StepError as error:
            return error.error_type

    world = flavour.run(handler)
    assert world.value == "TypeError"
    assert world.invocations == 2


def test_a_coroutine_function_in_a_sync_step_is_refused() -> None:
    async def body(step):
        return 1

    def handler(event, ctx):
        ctx.step(body, name="a", config=NO_RETRY)

    world = World(handler)
    world.run()
    assert "async def" in world.error["errorMessage"]


def test_plain_functions_of_async_steps_run_in_a_thread_and_lambdas_do_not() -> None:
    async def handler(event, ctx):
        def blocking(step):
            return threading.get_ident()

        here = threading.get_ident()
        there = await ctx.step(blocking)
        same = await ctx.step(lambda step: threading.get_ident())
        return [there == here, same == here]

    assert World(handler).run().value == [False, True]


def test_the_step_context_tells_who_it_is(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            return [step.name, step.operation_id, step.execution_arn, step.attempt]

        return (yield ctx.step(flavour(body), name="a"))

    world = flavour.run(handler)
    assert world.value == ["a", world.named("a")["Id"], world.arn, 1]


def test_a_base_exception_in_a_body_leaves_the_step_to_the_next_invocation(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            world.effects.append("ran")
            if len(world.effects) == 1:
                raise Killed
            return "ok"

        return (yield ctx.step(flavour(body), name="a"))

    world = flavour.world(handler)
    world.run()
    assert world.value == "ok"
    assert world.effects == ["ran", "ran"]


def test_a_step_that_lacks_an_argument_fails_at_once_and_says_so(flavour: Flavour) -> None:
    def ship(step: Any, order: str) -> str:
        return order

    unfinished: Any = durable_step(ship)

    def lacking(event: Any, ctx: Any) -> Any:
        yield ctx.step(unfinished(), name="ship")

    world = flavour.run(lacking)
    assert world.error["errorType"] == "durably.StepError"
    assert "missing 1 required positional argument: 'order'" in world.error["errorMessage"]
    assert world.invocations == 1, "no attempt could go better"

    def unbound(event: Any, ctx: Any) -> Any:
        yield ctx.step(unfinished, name="ship")

    assert "the arguments come first, ctx.step(ship(...))" in flavour.run(unbound).error["errorMessage"]


def test_a_coroutine_function_in_a_plain_handler_is_not_tried_again() -> None:
    async def coroutine(step: Any) -> int:
        return 1

    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.step(coroutine, name="s")

    world = Flavour("sync").run(handler)
    assert "AsyncDurableContext" in world.error["errorMessage"]
    assert world.invocations == 1
