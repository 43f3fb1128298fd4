"""Unit tests of functions that take a context, without any service."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    CallbackExternalError,
    ChildContextError,
    ContextMisuseError,
    DurableContext,
    InvokeError,
    StepConfig,
    StepError,
    UnrecoverableError,
    WaitForConditionConfig,
    durable_step,
)
from durably.retries import FixedDelay, NoRetry
from durably.testing import (
    NEVER,
    TIMES_OUT,
    CallbackNotReady,
    LocalRunner,
    Mock,
    MockAsyncDurableContext,
    MockDurableContext,
    StepOperation,
    TestingError,
    UnknownFunction,
    assert_checkpoint_count,
)
from durably.waits import FixedWait

ONCE = StepConfig(retry_strategy=NoRetry())


@dataclass
class Receipt:
    amount: int


@durable_step
def charge(step: Any, amount: int) -> Receipt:
    raise AssertionError("the real one")


def buy(ctx: DurableContext, amount: int) -> Receipt:
    receipt = ctx.step(charge(amount), name="charge")
    ctx.wait(timedelta(days=30), name="cooling off")
    ctx.wait_for_callback(lambda callback_id, step: None, name="approval")
    return receipt


async def buy_async(ctx: AsyncDurableContext, amount: int) -> Receipt:
    receipt = await ctx.step(charge(amount), name="charge")
    await ctx.wait(timedelta(days=30), name="cooling off")
    await ctx.wait_for_callback(lambda callback_id, step: None, name="approval")
    return receipt


# ---- stand-ins ----------------------------------------------------------------------------------------------


def test_a_step_has_a_stand_in() -> None:
    ctx = MockDurableContext(steps={"charge": Receipt(5)}, callbacks={"approval": "yes"})
    assert buy(ctx, 5) == Receipt(5)
    assert ctx.operations.names == ["charge", "cooling off", "approval"]
    assert ctx.operations.step("charge").result == {"amount": 5}
    assert ctx.operations.callback("approval").result == "yes"


def test_async() -> None:
    async def test() -> None:
        ctx = MockAsyncDurableContext(steps={"charge": Receipt(5)}, callbacks={"approval": "yes"})
        assert await buy_async(ctx, 5) == Receipt(5)
        assert ctx.operations.names == ["charge", "cooling off", "approval"]

    asyncio.run(test())


def test_without_one_the_step_runs_and_is_retried_at_once() -> None:
    attempts: list[int] = []

    def flaky(step: Any) -> str:
        attempts.append(step.attempt)
        if step.attempt < 3:
            raise ConnectionError("try again")
        return "done"

    ctx = MockDurableContext()
    assert ctx.step(flaky, name="flaky", config=StepConfig(retry_strategy=FixedDelay(timedelta(hours=1)))) == "done"
    assert attempts == [1, 2, 3]
    operation = ctx.operations.step("flaky")
    assert isinstance(operation, StepOperation)
    assert operation.attempt == 3
    assert ctx.now() == datetime(2026, 1, 1, 2, tzinfo=UTC)  # two delays later


def test_outcomes_attempt_by_attempt() -> None:
    mock = Mock.each(ConnectionError("down"), Receipt(7))
    ctx = MockDurableContext(steps={"charge": mock}, callbacks={"approval": None})
    assert buy(ctx, 1) == Receipt(7)
    assert [call.attempt for call in mock.calls] == [1, 2]


def test_a_stand_in_may_be_a_function_an_error_or_a_timeout() -> None:
    ctx = MockDurableContext(steps={"a": lambda step: step.attempt * 10, "b": ValueError("no"), "c": TIMES_OUT})
    assert ctx.step(lambda step: 0, name="a") == 10
    with pytest.raises(StepError, match="no"):
        ctx.step(lambda step: 0, name="b", config=ONCE)
    with pytest.raises(StepError) as failure:
        ctx.step(lambda step: 0, name="c", config=ONCE)
    assert str(failure.value.error_type).endswith("StepTimeoutError")
    ctx.steps["d"] = "later"
    assert ctx.step(lambda step: 0, name="d") == "later"


def test_an_async_stand_in() -> None:
    async def later(step: Any) -> str:
        await asyncio.sleep(0)
        return "later"

    async def test() -> None:
        ctx = MockAsyncDurableContext(steps={"a": later, "b": ValueError("no")})
        assert await ctx.step(lambda step: "", name="a") == "later"
        with pytest.raises(StepError):
            await ctx.step(lambda step: "", name="b", config=ONCE)

    asyncio.run(test())


# ---- the other operations --------------------------------------------------------------------------------------


def everything(ctx: DurableContext) -> Any:
    def inside(child: DurableContext) -> int:
        return child.step(lambda step: 2, name="inner")

    def undo(child: DurableContext, result: int) -> None:
        child.step(lambda step: None, name=f"undo {result}")

    future = ctx.start(ctx.step, lambda step: "started", name="future")
    found = [
        ctx.run_in_child_context(inside, name="child"),
        ctx.map([1, 2, 3], lambda branch, item: branch.step(lambda step: item * 2), name="map").get_results(),
        ctx.parallel([inside, inside], name="parallel").get_results(),
        future.result(),
        ctx.race([inside, lambda child: child.create_callback("never").result()], name="race"),
        ctx.all([inside, inside]),
        ctx.with_retry(lambda child, attempt: child.step(lambda step: attempt), name="block"),
        ctx.wait_for_condition(
            lambda state, check: state + 1,
            WaitForConditionConfig(FixedWait(lambda state: state >= 3, timedelta(hours=1)), 0),
            name="condition",
        ),
        ctx.step_with_compensation(lambda step: 4, undo, name="with"),
        len(ctx.run_compensations().items),
        ctx.create_callback("now").result(),
    ]
    with ctx.batch():
        ctx.step(lambda step: None, name="one")
        ctx.step(lambda step: None, name="two")
    with ctx.saga() as saga:
        saga.step(lambda step: 5, undo, name="in saga")
    return found


CALLBACKS = {"never": NEVER, "now": "given"}


def test_all_operations_do_what_they_do() -> None:
    ctx = MockDurableContext(callbacks=CALLBACKS)
    found = everything(ctx)
    assert found == [2, [2, 4, 6], [2, 2], "started", 2, [2, 2], 1, 3, 4, 1, "given"]

    def handler(event: Any, context: DurableContext) -> Any:
        return everything(context)

    assert LocalRunner(handler, callbacks=CALLBACKS).run().value == found  # type: ignore[arg-type]


def test_all_operations_of_the_async_context() -> None:
    async def inside(child: AsyncDurableContext) -> int:
        return await child.step(lambda step: 2, name="inner")

    async def never(child: AsyncDurableContext) -> Any:
        return await (await child.create_callback("never")).result()

    async def item(branch: AsyncDurableContext, item: int) -> int:
        first, second = await asyncio.gather(branch.step(lambda step: item), branch.step(lambda step: item))
        return first + second

    async def test() -> None:
        ctx = MockAsyncDurableContext(callbacks=CALLBACKS)
        future = ctx.start(ctx.step, lambda step: "started", name="future")
        assert await ctx.run_in_child_context(inside, name="child") == 2
        assert (await ctx.map([1, 2, 3], item, name="map")).get_results() == [2, 4, 6]
        assert await future == "started"
        assert await ctx.race([inside, never], name="race") == 2
        async with ctx.batch():
            await ctx.step(lambda step: None, name="one")
            await ctx.step(lambda step: None, name="two")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ctx.step(lambda step: 1, name=f"task {n}")) for n in range(3)]
        assert [task.result() for task in tasks] == [1, 1, 1]
        assert ctx.client.calls[-1].actions  # everything was sent

    asyncio.run(test())


def test_invoked_functions() -> None:
    ship = Mock(lambda payload: {"track": payload["id"]})
    ctx = MockDurableContext(functions={"ship": ship, "broken": ValueError("no"), "stuck": Mock(TIMES_OUT)})
    assert ctx.invoke("ship:prod", {"id": 7}) == {"track": 7}
    assert ship.calls == [{"id": 7}]
    with pytest.raises(InvokeError, match="no"):
        ctx.invoke("broken", None)
    with pytest.raises(InvokeError, match="timed out"):
        ctx.invoke("stuck", None)


def test_callbacks() -> None:
    asked: list[str] = []
    ctx = MockDurableContext(callbacks={"id": lambda callback_id: callback_id, "no": ValueError("rejected")})
    answer = ctx.wait_for_callback(lambda callback_id, step: asked.append(callback_id), name="id")
    assert [answer] == asked
    with pytest.raises(CallbackExternalError, match="rejected"):
        ctx.create_callback("no").result()


def test_it_knows_of_the_execution_what_a_context_knows() -> None:
    ctx = MockDurableContext(input={"id": 7}, lambda_context="the context")
    assert ctx.original_input == '{"id":7}'
    assert ctx.lambda_context == "the context"
    assert ctx.execution_arn.endswith("/mock-execution")
    assert not ctx.is_replaying()
    assert ctx.now() == ctx.execution_start_time
    assert ctx.uuid() != ctx.uuid()
    ctx.logger.debug("may be used")


def test_calls_are_recorded_the_same_way_each_time() -> None:
    def program(ctx: DurableContext) -> None:
        ctx.step(lambda step: 1, name="one")
        ctx.run_in_child_context(lambda child: child.step(lambda step: 2, name="two"), name="child")

    first, second = MockDurableContext(), MockDurableContext()
    program(first)
    program(second)
    assert [call.actions for call in first.client.calls] == [
        ["STEP START one", "STEP SUCCEED one"],
        ["CONTEXT START child", "STEP START two", "STEP SUCCEED two"],
        ["CONTEXT SUCCEED child"],
    ]
    assert [call.actions for call in second.client.calls] == [call.actions for call in first.client.calls]
    assert_checkpoint_count(first, 3)


def test_in_a_fixture_and_in_another_thread() -> None:
    """Where it was made does not matter."""
    ctx = MockDurableContext()
    results: list[int] = []

    async def test() -> None:
        results.append(await asyncio.to_thread(ctx.step, lambda step: 1))

    asyncio.run(test())
    assert results == [1]


def test_two_in_one_test_and_one_after_another() -> None:
    one, other = MockDurableContext(), MockDurableContext()
    one.step(lambda step: 1, name="a")
    other.step(lambda step: 2, name="b")
    one.step(lambda step: 3, name="c")
    assert one.operations.names[-2:] == ["a", "c"]
    assert other.operations.names == ["b"]
    assert LocalRunner(lambda event, ctx: ctx.step(lambda step: 1)).run().value == 1  # type: ignore[arg-type]


# ---- what it cannot do ----------------------------------------------------------------------------------------


def test_a_callback_without_an_answer() -> None:
    ctx = MockDurableContext()
    with pytest.raises(CallbackNotReady, match=r"callbacks=\{'approval': \.\.\.\}"):
        ctx.wait_for_callback(lambda callback_id, step: None, name="approval")

    async def test() -> None:
        actx = MockAsyncDurableContext()
        with pytest.raises(CallbackNotReady, match="waits for the callback 'approval', which nobody answers"):
            await (await actx.create_callback("approval")).result()

    asyncio.run(test())


def test_a_callback_that_is_never_answered_and_nothing_else() -> None:
    ctx = MockDurableContext(callbacks={"approval": NEVER})
    with pytest.raises(CallbackNotReady, match="NEVER answered, and for nothing else"):
        ctx.create_callback("approval").result()


def test_a_function_it_does_not_know() -> None:
    with pytest.raises(UnknownFunction, match=r"functions=\{'ship': \.\.\.\}"):
        MockDurableContext().invoke("ship", None)

    async def test() -> None:
        with pytest.raises(UnknownFunction):
            await MockAsyncDurableContext().invoke("ship", None)

    asyncio.run(test())


def test_an_execution_that_would_fail() -> None:
    def fatal(step: Any) -> None:
        raise UnrecoverableError("give up", None)  # type: ignore[arg-type]

    with pytest.raises(Exception, match="give up"):
        MockDurableContext().step(fatal)


def test_misuse_is_still_misuse() -> None:
    ctx = MockDurableContext()
    with pytest.raises((ContextMisuseError, ChildContextError), match="used inside"):
        ctx.run_in_child_context(lambda child: ctx.step(lambda step: 1))
    with pytest.raises((ContextMisuseError, StepError), match="used inside"):
        ctx.step(lambda step: ctx.step(lambda inner: 1), config=ONCE)


def test_an_async_mock_outside_of_a_loop() -> None:
    ctx = MockAsyncDurableContext()
    with pytest.raises(TestingError, match="where an event loop runs"):
        ctx.step(lambda step: 1)
    with pytest.raises(AttributeError, match="no_such"):
        _ = ctx.no_such
