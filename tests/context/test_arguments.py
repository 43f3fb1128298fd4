"""Bad arguments are refused where they are given, before anything is recorded; the message names value and remedy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from durably import AsyncDurableContext, DurableContext, Duration, ValidationError
from durably.engine.scope import CURRENT, Scope


class Refusing:
    """A run in which nothing may be recorded."""

    is_async = False
    verdict = None
    returned = False
    arn = "arn:test"
    hooks = None
    keeps_records = True
    ops: dict[str, Any] = {}  # noqa: RUF012

    def refuse_if_ended(self) -> None:
        pass

    def drive(self, protocol: Any) -> Any:
        raise AssertionError("an operation began")

    def send(self, update: Any, *, awaited: bool) -> int:
        raise AssertionError("an operation was recorded")


@pytest.fixture(params=[DurableContext, AsyncDurableContext])
def ctx(request: pytest.FixtureRequest) -> Any:
    run: Any = Refusing()
    context = request.param(run)
    token = CURRENT.set(Scope(run, context, None, "the handler"))
    yield context
    CURRENT.reset(token)


NAMES = ["x" * 257, "line\nbreak", "caf\u00e9", "\x7f", 5, b"bytes"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "call",
    [
        lambda ctx, name: ctx.step(lambda step: 1, name=name),
        lambda ctx, name: ctx.wait(Duration.from_seconds(1), name=name),
        lambda ctx, name: ctx.create_callback(name=name),
        lambda ctx, name: ctx.wait_for_callback(lambda callback_id, context: None, name=name),
        lambda ctx, name: ctx.invoke("f", 1, name=name),
        lambda ctx, name: ctx.run_in_child_context(lambda inner: 1, name=name),
    ],
)
def test_names(ctx: Any, call: Callable[..., Any], name: Any) -> None:
    with pytest.raises(ValidationError, match="1 to 256 printable ASCII characters"):
        call(ctx, name)


def test_a_long_name_is_not_repeated_in_full(ctx: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        ctx.step(lambda step: 1, name="x" * 100_000)
    assert len(str(caught.value)) < 300
    assert "100000 characters" in str(caught.value)


@pytest.mark.parametrize(
    "duration",
    [
        Duration.from_seconds(0),
        Duration.from_days(367),
        timedelta(0),
        timedelta(seconds=-5),
        timedelta(days=400),
        5,
        1.5,
        "1h",
        None,
    ],
)
def test_durations_of_waits(ctx: Any, duration: Any) -> None:
    with pytest.raises(ValidationError):
        ctx.wait(duration)


@pytest.mark.parametrize("name", ["", "with space", "a" * 257, "f:bad/qualifier", 5, None, "arn:aws:s3:::bucket"])
def test_function_names(ctx: Any, name: Any) -> None:
    with pytest.raises(ValidationError, match="not the name or ARN of a function"):
        ctx.invoke(name, 1)


@pytest.mark.parametrize(
    "name",
    [
        "ship",
        "ship:$LATEST",
        "ship:prod",
        "ship:12",
        "arn:aws:lambda:eu-west-1:123456789012:function:ship",
        "arn:aws:lambda:eu-west-1:123456789012:function:ship:$LATEST",
        "123456789012:function:ship",
    ],
)
def test_good_function_names(name: str) -> None:
    run: Any = Refusing()
    context = DurableContext(run)
    token = CURRENT.set(Scope(run, context, None, "the handler"))
    try:
        with pytest.raises(AssertionError, match="an operation began"):
            context.invoke(name, 1)
    finally:
        CURRENT.reset(token)


@pytest.mark.parametrize("operation", ["step", "run_in_child_context", "wait_for_callback"])
@pytest.mark.parametrize("given", [None, 5, "name first"])
def test_what_is_not_a_function(ctx: Any, operation: str, given: Any) -> None:
    shown = "None" if given is None else f"{type(given).__name__} {given!r}"
    with pytest.raises(ValidationError, match=rf"{operation}\(\) takes .*, not {shown}$"):
        getattr(ctx, operation)(given)


@pytest.mark.parametrize("operation", ["step", "run_in_child_context", "wait_for_callback"])
def test_a_function_that_was_already_called(ctx: Any, operation: str) -> None:
    async def body(step: Any) -> int:
        return 1

    with pytest.raises(ValidationError, match="was given a coroutine: the function was already called"):
        getattr(ctx, operation)(body(None))


def test_names_that_were_refused_stay_refused(ctx: Any) -> None:
    for _ in range(2):
        with pytest.raises(ValidationError):
            ctx.wait(Duration.from_seconds(1), name="\u00fc")
