"""LocalRunner: outcomes, virtual time, callbacks by rule, invoked functions, and what it refuses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    DurableContext,
    Duration,
    StepConfig,
    StepError,
    create_retry_strategy,
    durable_execution,
)
from durably.retries import RetryStrategyConfig
from durably.testing import (
    NEVER,
    Answer,
    ExecutionStuck,
    LocalRunner,
    Mock,
    OpenCallback,
    TestingError,
    TooManyInvocations,
    UnknownFunction,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Order:
    id: int
    days: int = 40


@dataclass
class Receipt:
    order: int
    paid: datetime


@durable_execution
def process(order: Order, ctx: DurableContext) -> Receipt:
    ctx.step(lambda _: order.id * 100, name="charge")
    ctx.wait(timedelta(days=order.days), name="cooling off")
    return Receipt(order.id, ctx.now())


@durable_execution
async def process_async(order: Order, ctx: AsyncDurableContext) -> Receipt:
    async def charge(_: Any) -> int:
        return order.id * 100

    await ctx.step(charge, name="charge")
    await ctx.wait(timedelta(days=order.days), name="cooling off")
    return Receipt(order.id, ctx.now())


@pytest.fixture(params=["sync", "async"])
def handler(request: pytest.FixtureRequest) -> Any:
    return process if request.param == "sync" else process_async


def test_runs_to_the_end_in_virtual_time(handler: Any) -> None:
    result = LocalRunner(handler).run(Order(7))
    assert (result.status, result.error) == ("SUCCEEDED", None)
    assert result.value == result.result == Receipt(7, START + timedelta(days=40))
    assert result.duration == timedelta(days=40)
    assert [(one.start, one.end) for one in result.invocations] == [
        (START, START),
        (START + timedelta(days=40), START + timedelta(days=40)),
    ]


def test_awaited(handler: Any) -> None:
    async def test() -> None:
        async with LocalRunner(handler) as runner:
            assert (await runner.arun(Order(7))).value.order == 7

    asyncio.run(test())


def test_in_a_running_loop_the_remedy_is_named() -> None:
    async def test() -> None:
        with pytest.raises(TestingError, match=r"await runner\.arun\("):
            LocalRunner(process).run(Order(7))
        with pytest.raises(TestingError, match=r"await runner\.astart\("):
            LocalRunner(process).start(Order(7))

    asyncio.run(test())


def test_runs_of_one_runner_are_separate_and_time_goes_on(handler: Any) -> None:
    with LocalRunner(handler, start_time=START) as runner:
        first, second = runner.run(Order(1, days=1)), runner.run(Order(2, days=2))
    assert first.execution_arn != second.execution_arn
    assert [one.name for one in second.operations] == ["charge", "cooling off"]
    assert second.value == Receipt(2, START + timedelta(days=3))
    assert runner.clock.now() == START + timedelta(days=3)


def test_a_failure_is_a_result_until_its_value_is_asked_for() -> None:
    @durable_execution
    def fails(_: None, ctx: DurableContext) -> int:
        def broken(_: Any) -> int:
            raise ValueError("out of paper")

        return ctx.step(broken, name="print", config=StepConfig(retry_strategy=lambda *_: None))  # type: ignore[arg-type, return-value]

    result = LocalRunner(fails).run()
    assert (result.status, result.result) == ("FAILED", None)
    with pytest.raises(StepError) as failure:
        result.get_result()
    assert "print" in "".join(failure.value.__notes__)


def test_an_undecorated_handler_is_decorated() -> None:
    def plain(event: int, ctx: DurableContext) -> int:
        return ctx.step(lambda _: event + 1)

    assert LocalRunner(plain).run(1).value == 2  # type: ignore[arg-type]


def test_retries_pass_in_virtual_time() -> None:
    @durable_execution
    def flaky(_: None, ctx: DurableContext) -> int:
        def body(step: Any) -> int:
            if step.attempt < 4:
                raise ConnectionError(f"attempt {step.attempt}")
            return int(step.attempt)

        strategy = create_retry_strategy(
            RetryStrategyConfig(max_attempts=5, initial_delay=Duration.from_hours(1), max_delay=Duration.from_days(1))
        )
        return ctx.step(body, name="call", config=StepConfig(retry_strategy=strategy))

    result = LocalRunner(flaky).run()
    attempts = result.step("call").attempts
    assert result.value == 4
    assert [attempt.error and attempt.error["ErrorMessage"] for attempt in attempts] == [
        "attempt 1",
        "attempt 2",
        "attempt 3",
        None,
    ]
    for one, other in pairwise(attempts):
        assert one.delay is not None
        assert one.end is not None
        assert other.start == one.end + one.delay


def test_the_input_may_be_json_of_another_program(handler: Any) -> None:
    runner: LocalRunner[Any, Any] = LocalRunner(handler)
    assert runner.run({"id": 7}).value.order == 7
    refused = runner.run({"number": 7})
    assert refused.error is not None
    assert "does not fit the handler" in refused.error["ErrorMessage"]


# ---- callbacks ------------------------------------------------------------------------------------------


@durable_execution
def approval(_: None, ctx: DurableContext) -> Any:
    sent: list[str] = []
    answer = ctx.wait_for_callback(lambda callback_id, _: sent.append(callback_id), name="approval")
    return [answer, ctx.now().isoformat()]


@durable_execution
async def approval_async(_: None, ctx: AsyncDurableContext) -> Any:
    async def submit(callback_id: str, _: Any) -> None:
        await asyncio.sleep(0)

    answer = await ctx.wait_for_callback(submit, name="approval")
    return [answer, ctx.now().isoformat()]


@pytest.fixture(params=["sync", "async"])
def asks(request: pytest.FixtureRequest) -> Any:
    return approval if request.param == "sync" else approval_async


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("yes", "yes"),
        ({"ok": True}, '{"ok":true}'),
        (lambda callback: callback.name, "approval"),
        (None, None),
    ],
    ids=["text", "json", "function", "nothing"],
)
def test_callbacks_are_answered_by_name(asks: Any, given: Any, expected: Any) -> None:
    assert LocalRunner(asks, callbacks={"approval": given}).run().value == [expected, START.isoformat()]


def test_an_answer_may_take_its_time(asks: Any) -> None:
    runner = LocalRunner(asks)
    runner.answer_callback("approval", "late", after=timedelta(hours=3))
    assert runner.run().value == ["late", (START + timedelta(hours=3)).isoformat()]


@pytest.mark.parametrize("given", [ValueError("no"), Answer(ValueError("no"))])
def test_an_exception_fails_the_callback(asks: Any, given: Any) -> None:
    result = LocalRunner(asks, callbacks={"approval": given}).run()
    assert result.error is not None
    assert (result.error["ErrorType"], result.error["ErrorMessage"]) == ("durably.CallbackExternalError", "no")


def test_a_function_that_raises_fails_the_callback(asks: Any) -> None:
    def refuse(callback: OpenCallback) -> None:
        raise PermissionError(f"{callback.name} refused")

    result = LocalRunner(asks, callbacks={"approval": refuse}).run()
    assert result.error is not None
    assert result.error["ErrorMessage"] == "approval refused"


def test_a_coroutine_function_is_no_answer(asks: Any) -> None:
    async def answer(callback: OpenCallback) -> str:
        return "yes"

    with pytest.raises(TestingError, match="give a plain function"):
        LocalRunner(asks, callbacks={"approval": answer}).run()


@pytest.mark.parametrize("callbacks", [{}, {"approval": NEVER}, {"other": 1}])
def test_what_nobody_answers_is_reported_at_once(asks: Any, callbacks: Any) -> None:
    runner = LocalRunner(asks, callbacks=callbacks)
    with pytest.raises(
        ExecutionStuck, match=r"callback 'approval' is open.*runner\.callbacks\['approval'\] = "
    ) as stuck:
        runner.run()
    assert "approval create callback id" in str(stuck.value)
    assert runner.clock.now() == START


def test_an_execution_timeout_that_is_meant_comes_first(asks: Any) -> None:
    result = LocalRunner(asks, execution_timeout=timedelta(days=2)).run()
    assert (result.status, result.end) == ("TIMED_OUT", START + timedelta(days=2))


# ---- invoked functions ------------------------------------------------------------------------------------


@durable_execution
def child(event: dict[str, int], ctx: DurableContext) -> int:
    ctx.wait(Duration.from_hours(1))
    return event["n"] * 2


@durable_execution
def parent(target: str, ctx: DurableContext) -> Any:
    return ctx.invoke(target, {"n": 21}, name="ask")


@durable_execution
async def parent_async(target: str, ctx: AsyncDurableContext) -> Any:
    return await ctx.invoke(target, {"n": 21}, name="ask")


async def _async_target(event: Any) -> Any:
    await asyncio.sleep(60)
    return event


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Any:
    return parent if request.param == "sync" else parent_async


@pytest.mark.parametrize(
    ("registered", "called", "target", "expected"),
    [
        ("child", "child:prod", child, 42),
        ("child:prod", "child:prod", child, 42),
        ("ship", "ship", lambda event, context: [event, context.function_name], [{"n": 21}, "ship"]),
        ("ship", "arn:aws:lambda:eu-central-1:123456789012:function:ship:3", lambda event: event, {"n": 21}),
        ("ship", "ship", Mock({"ok": True}), {"ok": True}),
        ("ship", "ship", 5, 5),
        ("ship", "ship", _async_target, {"n": 21}),
        ("ship", "ship", Mock(_async_target), {"n": 21}),
    ],
)
def test_functions_may_be_invoked(caller: Any, registered: str, called: str, target: Any, expected: Any) -> None:
    result = LocalRunner(caller, functions={registered: target}).run(called)
    assert result.value == expected
    assert result.invoke("ask").input == {"n": 21}


def test_a_mock_tells_how_it_was_called(caller: Any) -> None:
    mock = Mock(lambda payload: payload["n"] + 1)
    assert LocalRunner(caller, functions={"ship": mock}).run("ship").value == 22
    assert mock.calls == [{"n": 21}]


@pytest.mark.parametrize("target", [ValueError("sunk"), Mock(error=ValueError("sunk"))])
def test_an_exception_fails_the_invocation(caller: Any, target: Any) -> None:
    result = LocalRunner(caller, functions={"ship": target}).run("ship")
    assert result.error is not None
    assert (result.error["ErrorType"], result.error["ErrorMessage"]) == ("durably.InvokeError", "sunk")
    assert result.invoke("ask").status == "FAILED"


def test_an_unknown_function_is_a_mistake_of_the_test(caller: Any) -> None:
    runner = LocalRunner(caller, functions={"ship": 1})
    with pytest.raises(UnknownFunction, match=r"'shop'.*it knows parent(_async)?, ship.*functions=\{'shop': "):
        runner.run("shop")


# ---- what does not end, and what is not the program's ------------------------------------------------------------


def test_an_endless_loop_is_ended() -> None:
    @durable_execution
    def forever(_: None, ctx: DurableContext) -> None:
        while True:
            ctx.wait(Duration.from_minutes(1))

    with pytest.raises(TooManyInvocations, match=r"forever was invoked 20 times.*max_invocations="):
        LocalRunner(forever, max_invocations=20).run()


def test_a_coroutine_that_waits_for_nothing_durable_is_stuck() -> None:
    @durable_execution
    async def waits(_: None, ctx: AsyncDurableContext) -> None:
        await ctx.step(lambda _: 1, name="before")
        await asyncio.get_running_loop().create_future()

    runner = LocalRunner(waits)
    with pytest.raises(ExecutionStuck, match="waits for something that is not durable"):
        runner.run()


@pytest.mark.parametrize("outcome", [KeyboardInterrupt, pytest.fail.Exception])
def test_what_is_meant_for_the_test_reaches_it(handler: Any, outcome: type[BaseException]) -> None:
    @durable_execution
    def interrupted(_: None, ctx: DurableContext) -> None:
        def body(_: Any) -> None:
            raise outcome

        ctx.step(body)

    with pytest.raises(outcome):
        LocalRunner(interrupted).run()
