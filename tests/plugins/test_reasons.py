"""InvocationEndInfo.termination_reason: why each invocation ended as it did."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from durably import (
    CallbackConfig,
    Duration,
    ExecutionError,
    FixedWait,
    InvocationError,
    RetryDecision,
    StepConfig,
    WaitForConditionConfig,
)
from durably.wire.api_errors import ApiError
from engine.harness import Answer, Flavour

from .recorder import RecorderFactory, watch, with_plugins

SECOND = Duration.from_seconds(1)
AGAIN = StepConfig(lambda error, n: RetryDecision(n < 2, SECOND))
ONCE = StepConfig(lambda error, n: RetryDecision.no_retry())


def flaky(step: Any) -> int:
    if step.attempt == 1:
        raise OSError("once")
    return 1


def check(state: int, context: Any) -> int:
    return state + 1


CONDITION: WaitForConditionConfig[int] = WaitForConditionConfig(FixedWait(lambda state: state == 2, SECOND), 0)


def retry(flavour, ctx):
    yield ctx.step(flavour(flaky), config=AGAIN)


def poll(flavour, ctx):
    yield ctx.wait_for_condition(flavour(check), CONDITION)


def wait(flavour, ctx):
    yield ctx.wait(SECOND)


def callback(flavour, ctx):
    yield (yield ctx.create_callback(name="cb")).result()


def invoke(flavour, ctx):
    yield ctx.invoke("double", 1)


def wait_before_callback(flavour, ctx):
    """The service comes back for the wait, whatever the callback does."""
    late = ctx.start(ctx.wait, SECOND)
    callback = yield ctx.create_callback(name="cb")
    yield late if flavour.is_async else late.result()
    yield callback.result()


PENDING: dict[str, tuple[Callable[..., Any], list[str]]] = {
    "retry": (retry, ["RETRY_SCHEDULED"]),
    "poll": (poll, ["RETRY_SCHEDULED"]),
    "wait": (wait, ["WAIT_SCHEDULED"]),
    "callback": (callback, ["CALLBACK_PENDING"]),
    "invoke": (invoke, ["INVOKE_PENDING"]),
    "wait before callback": (wait_before_callback, ["WAIT_SCHEDULED"]),
}


@pytest.mark.parametrize("name", PENDING)
def test_what_an_invocation_waits_for(flavour: Flavour, name: str) -> None:
    source, expected = PENDING[name]

    def handler(event, ctx):
        yield from source(flavour, ctx)

    world, seen = watch(flavour, handler, callbacks={"cb": Answer("yes")}, functions={"double": lambda n: n * 2})
    assert world.status == "SUCCEEDED"
    reasons = [info.termination_reason for info in seen.of("invocation-end")]
    assert [reason.value for reason in reasons[: len(expected)]] == expected
    assert reasons[-1] is None


def unwritable(step: Any) -> object:
    return object()


def fails(error: Exception) -> Callable[..., Any]:
    def source(flavour, ctx):
        raise error
        yield

    return source


def silent(flavour, ctx):
    yield (yield ctx.create_callback(config=CallbackConfig(timeout=SECOND))).result()


def written(flavour, ctx):
    yield ctx.step(flavour(unwritable))


def failing_step(flavour, ctx):
    yield ctx.step(flavour(flaky), config=ONCE)


def misused(flavour, ctx):
    """The context in a thread that never received it."""
    found: list[BaseException] = []

    def elsewhere() -> None:
        try:
            ctx.create_callback()
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    raise found[0]
    yield


FAILED: dict[str, tuple[Callable[..., Any], str]] = {
    "an error of the program": (fails(KeyError("x")), "UNHANDLED_ERROR"),
    "ExecutionError": (fails(ExecutionError("over")), "EXECUTION_ERROR"),
    "a callback": (silent, "CALLBACK_ERROR"),
    "serialization": (written, "SERIALIZATION_ERROR"),
    "a step": (failing_step, "UNHANDLED_ERROR"),
    "misuse": (misused, "CONTEXT_VALIDATION_ERROR"),
}


@pytest.mark.parametrize("name", FAILED)
def test_what_an_execution_failed_with(flavour: Flavour, name: str) -> None:
    source, expected = FAILED[name]

    def handler(event, ctx):
        yield from source(flavour, ctx)

    world, seen = watch(flavour, handler)
    assert world.status == "FAILED"
    assert seen.of("invocation-end")[-1].termination_reason.value == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvocationError("again"), "INVOCATION_ERROR"),
        (ApiError("TooManyRequestsException", "slow down"), "CHECKPOINT_FAILED"),
        (OSError("cable cut"), "UNHANDLED_ERROR"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_what_an_invocation_is_made_again_for(flavour: Flavour, error: Exception, expected: str) -> None:
    raised: list[Exception] = []

    def once(call: Any) -> Exception | None:
        if raised:
            return None
        raised.append(error)
        return error

    def handler(event, ctx):
        if isinstance(error, InvocationError) and once(None):
            raise error
        return (yield ctx.step(flavour(lambda step: 1)))

    seen = RecorderFactory()
    world = with_plugins(flavour.world(handler), [seen])
    if not isinstance(error, InvocationError):
        world.link.before = once
    world.run()
    assert world.value == 1
    reasons = [info.termination_reason for info in seen.of("invocation-end")]
    assert reasons[0].value == expected
    assert reasons[-1] is None


def test_an_invocation_that_the_service_ends(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            world.service.call("StopDurableExecution", DurableExecutionArn=world.arn)

        yield ctx.step(flavour(body))

    seen = RecorderFactory()
    world = with_plugins(flavour.world(handler), [seen])
    world.run()
    (info,) = seen.of("invocation-end")
    assert info.termination_reason.value == "OPERATION_TERMINATED"
