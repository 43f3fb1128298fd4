"""The error handler: told of the handler's own errors with the tree of operations, of nothing else, and once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durably import (
    CallbackExternalError,
    DurableHandler,
    Duration,
    ExecutionError,
    ExecutionFailure,
    InvocationError,
    NoRetry,
    OperationNode,
    OperationStatus,
    RetryDecision,
    StepConfig,
    StepError,
    ValidationError,
    durable,
    durable_execution,
)
from durably.wire.api_errors import ApiError
from engine.harness import Answer, Flavour, Killed, World

from .test_styles import run

ONCE = StepConfig(retry_strategy=NoRetry())
Calls = list[tuple[Exception, ExecutionFailure]]


class OrderFailed(Exception):
    """What the program's own callers understand."""


def told(flavour: Flavour, source: Any, answer: Any = None, input: Any = None, **options: Any) -> tuple[World, Calls]:
    """The world in which ``source`` has run, and what its error handler was called with."""
    calls: Calls = []

    def on_error(error: Exception, failure: ExecutionFailure) -> Any:
        calls.append((error, failure))
        return answer(error) if callable(answer) else answer

    return run(durable(flavour(source), error_handler=on_error), input, **options), calls


def test_the_error_and_the_tree(flavour: Flavour) -> None:
    @flavour
    def good(step: Any) -> int:
        return 5

    @flavour
    def bad(step: Any) -> None:
        raise LookupError("not there")

    @flavour
    def inner(ctx: Any) -> Any:
        yield ctx.step(good, "inside")
        yield ctx.run_in_child_context(deeper, "deeper")

    @flavour
    def deeper(ctx: Any) -> Any:
        yield ctx.wait(timedelta(hours=1), "a while")

    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.step(good, "first")
        yield ctx.run_in_child_context(inner, "block")
        yield ctx.step(bad, "lost", ONCE)

    world, calls = told(flavour, handler, input={"id": 7})
    assert world.error["errorType"] == "durably.StepError"
    ((error, failure),) = calls
    assert isinstance(error, StepError)
    assert failure.execution_arn == world.arn
    assert failure.execution_arn.execution_id == world.arn.rsplit("/", 1)[1]
    assert failure.original_input == '{"id": 7}'
    assert failure.lambda_context is None
    first, block, lost = failure.operations
    assert (first.name, first.status, first.result, first.attempt) == ("first", OperationStatus.SUCCEEDED, "5", 1)
    assert [node.name for node in block.children] == ["inside", "deeper"]
    assert [node.name for node in failure.walk()] == ["first", "block", "inside", "deeper", "a while", "lost"]
    assert (lost.status, lost.attempt) == (OperationStatus.FAILED, 1)
    assert lost.error is not None
    assert lost.error.type == "LookupError"
    wait = block.children[1].children[0]
    assert wait.started_at is not None
    assert wait.ended_at is not None
    assert wait.ended_at - wait.started_at == timedelta(hours=1)
    assert wait.started_at.tzinfo is UTC
    assert failure.describe().splitlines() == [
        "Step 'first': SUCCEEDED",
        "RunInChildContext 'block': SUCCEEDED",
        "  Step 'inside': SUCCEEDED",
        "  RunInChildContext 'deeper': SUCCEEDED",
        "    Wait 'a while': SUCCEEDED",
        "Step 'lost': FAILED (LookupError: not there)",
    ]
    assert "7 operations" in repr(failure)


def test_what_it_returns_takes_the_errors_place(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))
        raise KeyError("k")

    world, calls = told(flavour, handler, lambda error: OrderFailed(f"because of {error!r}"))
    assert world.error["errorType"].endswith("OrderFailed")
    assert world.error["errorMessage"] == "because of KeyError('k')"
    assert any("raised while handling: KeyError: 'k'" in line for line in world.error["stackTrace"])
    assert len(calls) == 1


def test_what_it_raises_does_too(flavour: Flavour) -> None:
    def raises(error: Exception) -> None:
        raise OrderFailed("no") from error

    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))
        raise KeyError("k")

    world, _ = told(flavour, handler, raises)
    assert world.error["errorType"].endswith("OrderFailed")
    assert any("caused by: KeyError: 'k'" in line for line in world.error["stackTrace"])


def test_none_leaves_the_error(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))
        raise KeyError("k")

    world, calls = told(flavour, handler)
    assert (world.error["errorType"], len(calls)) == ("KeyError", 1)
    assert not any("raised while" in line for line in world.error["stackTrace"])


def test_any_other_answer_is_an_error(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))
        raise KeyError("k")

    world, _ = told(flavour, handler, lambda error: "handled")
    assert world.error["errorType"] == "durably.ValidationError"
    assert "the error handler answered 'handled'" in world.error["errorMessage"]


def test_never_for_a_suspension_nor_for_success(flavour: Flavour) -> None:
    @flavour
    def submit(callback_id: str, context: Any) -> None: ...

    @flavour
    def flaky(step: Any) -> int:
        if step.attempt < 3:
            raise LookupError("again")
        return step.attempt

    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))
        try:
            yield ctx.wait_for_callback(submit, "approval")
        except CallbackExternalError:
            pass
        retry = StepConfig(retry_strategy=lambda error, made: RetryDecision.retry(Duration(1)))
        return (yield ctx.step(flaky, config=retry))

    callbacks = {"approval create callback id": Answer(failure={"ErrorMessage": "no"})}
    world, calls = told(flavour, handler, callbacks=callbacks)
    assert world.value == 3
    assert world.invocations == 5
    assert calls == []


def test_never_for_an_invocation_that_is_tried_again(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))
        if not tried:
            tried.append(1)
            raise InvocationError("once more")
        return "done"

    tried: list[int] = []
    world, calls = told(flavour, handler)
    assert (world.value, calls) == ("done", [])


def test_it_may_ask_for_another_try(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))
        if len(answers) < 2:
            raise KeyError("k")
        return "done"

    answers: list[Any] = []

    def again(error: Exception) -> Any:
        answers.append(error)
        return InvocationError("not yet")

    world, _ = told(flavour, handler, again)
    assert world.value == "done"
    assert len(answers) == 2


def test_never_for_what_the_engine_ends_an_execution_with(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        try:
            yield ctx.wait(Duration(1), "a" if not runs else "b")
        finally:
            runs.append(1)

    runs: list[int] = []
    world, calls = told(flavour, handler)
    assert world.error["errorType"] == "durably.NonDeterministicExecutionError"
    assert calls == []

    refused, calls = told_with_refused_checkpoint(flavour)
    assert "no such execution" in refused.error["errorMessage"]
    assert calls == []


def told_with_refused_checkpoint(flavour: Flavour) -> tuple[World, Calls]:
    calls: Calls = []

    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))

    def on_error(error: Exception, failure: ExecutionFailure) -> None:
        calls.append((error, failure))

    world = World(flavour(handler))
    world.function = durable_execution(client=world.link, error_handler=on_error)(flavour(handler))
    world.link.before = lambda call: ApiError("ResourceNotFoundException", "no such execution")
    return world.run(), calls


def test_an_execution_error_out_of_a_step_is_the_users(flavour: Flavour) -> None:
    @flavour
    def gives_up(step: Any) -> None:
        raise ExecutionError("broken for good")

    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.step(gives_up)

    world, calls = told(flavour, handler, lambda error: OrderFailed(str(error)))
    assert world.error["errorType"].endswith("OrderFailed")
    assert [type(error) for error, _ in calls] == [ExecutionError]


def test_a_bad_input_and_a_bad_result_are_told(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))
        return object()

    function = flavour(handler)
    function.__wrapped__.__annotations__ = {"event": dict[str, int]}
    calls: Calls = []

    def on_error(error: Exception, failure: ExecutionFailure) -> None:
        calls.append((error, failure))

    assert "does not fit" in run(durable(function, error_handler=on_error), "text").error["errorMessage"]
    assert "no recorded form" in run(durable(function, error_handler=on_error), {"a": 1}).error["errorMessage"]
    assert len(calls) == 2


def test_contexts_are_refused_in_it(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        contexts.append(ctx)
        yield ctx.wait(Duration(1))
        raise KeyError("k")

    contexts: list[Any] = []

    def uses(error: Exception) -> None:
        contexts[-1].wait(Duration(1))

    world, _ = told(flavour, handler, uses)
    assert world.error["errorType"] == "durably.ContextMisuseError"
    assert len(world.operations) == 1


def test_it_is_called_again_if_the_process_dies_in_it(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))
        raise KeyError("k")

    calls: list[int] = []

    def on_error(error: Exception) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise Killed
        return OrderFailed("at last")

    world, _ = told(flavour, handler, on_error)
    assert world.error["errorMessage"] == "at last"
    assert len(calls) == 2


def test_a_coroutine_for_a_coroutine_handler() -> None:
    flavour = Flavour("async")

    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))
        raise KeyError("k")

    async def on_error(error: Exception, failure: ExecutionFailure) -> Exception:
        return OrderFailed(str(len(failure.operations)))

    assert run(durable(flavour(handler), error_handler=on_error)).error["errorMessage"] == "1"
    with pytest.raises(ValidationError, match=r"on_error\(\) is a coroutine function"):
        durable(lambda event, ctx: None, error_handler=on_error)

    world = run(durable(Flavour("sync")(handler), error_handler=lambda error, failure: on_error(error, failure)))
    assert "it answered with an awaitable" in world.error["errorMessage"]


def test_on_error_of_a_class(flavour: Flavour) -> None:
    def handle(self: Any, event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))
        raise KeyError("k")

    class Orders(DurableHandler):
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def on_error(self, error: Exception, failure: ExecutionFailure) -> Any:
            self.seen.append((type(error), failure.describe()))
            return OrderFailed("of the class")

    class Made(Orders):
        def handle(self, event: Any, ctx: Any) -> Any:
            raise NotImplementedError

    Made.handle = flavour(handle)  # type: ignore[method-assign]
    orders = Made()
    assert run(orders).error["errorMessage"] == "of the class"
    assert orders.seen == [(KeyError, "Wait: SUCCEEDED")]


def test_the_tree_of_what_has_no_time_or_parent() -> None:
    from durably.failures import operation_tree

    records: Any = [
        {"Id": "x", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1},
        {"Id": "b", "Type": "WAIT", "Status": "STARTED", "StartTimestamp": 5},
        {"Id": "a", "Type": "CONTEXT", "SubType": "Map", "Status": "STARTED", "ParentId": "virtual"},
    ]
    nodes = operation_tree(records)
    assert [node.id for node in nodes] == ["a", "b"]
    assert nodes[0].started_at is None
    assert nodes[1].started_at == datetime(1970, 1, 1, 0, 0, 0, 5000, tzinfo=UTC)
    assert isinstance(nodes[0], OperationNode)
    assert str(nodes[1]) == "WAIT: STARTED"
    step: Any = {"Id": "s", "Type": "STEP", "SubType": "Step", "Status": "PENDING", "StepDetails": {"Attempt": 3}}
    assert str(operation_tree([step])[0]) == "Step: PENDING, attempt 3"
