"""``tracing=``: a context manager around each invocation and each run of an operation's function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from durably import Duration, MapConfig, NoRetry, StepConfig, StepError, TraceSpan, ValidationError, durable
from durably.tracing import Tracing
from engine.harness import Flavour

from .test_styles import run

around: ContextVar[tuple[str, ...]] = ContextVar("around", default=())


class Tracer:
    def __init__(self) -> None:
        self.log: list[Any] = []

    @contextmanager
    def __call__(self, span: TraceSpan) -> Iterator[None]:
        label = f"{span.kind} {span.name}"
        token = around.set((*around.get(), label))
        self.log.append(("enter", label, span.attempt, span.is_replay))
        try:
            yield
        except Exception as error:
            self.log.append(("error", label, str(error)))
            raise
        finally:
            self.log.append(("leave", label))
            around.reset(token)


def test_spans(flavour: Flavour) -> None:
    seen: list[Any] = []

    @flavour
    def look(step: Any) -> int:
        seen.append(around.get())
        return 5

    @flavour
    def fails(step: Any) -> None:
        raise LookupError("not there")

    @flavour
    def block(ctx: Any) -> Any:
        seen.append(around.get())
        yield ctx.step(look, "inside")

    @flavour
    def each(ctx: Any, item: int) -> Any:
        return (yield ctx.step(look, f"item {item}"))

    def handler(event: Any, ctx: Any) -> Any:
        seen.append(around.get())
        yield ctx.run_in_child_context(block, "block")
        yield ctx.wait(Duration(1))
        try:
            yield ctx.step(fails, "lost", StepConfig(retry_strategy=NoRetry()))
        except StepError:
            pass
        yield ctx.map([1, 2], each, "each", MapConfig(max_concurrency=1))

    tracer = Tracer()
    function = durable(flavour(handler), tracing=tracer)
    name = function.__name__
    world = run(function)
    assert world.outcome.status == "SUCCEEDED"
    top = f"invocation {name}"
    inside = (top, "RunInChildContext block")
    assert seen[:3] == [(top,), inside, (*inside, "Step inside")]
    assert [call[-1] for call in seen[4:]] == ["Step item 1", "Step item 2"]
    entered = [entry[1:] for entry in tracer.log if entry[0] == "enter"]
    assert entered[:3] == [(top, None, False), ("RunInChildContext block", None, False), ("Step inside", 1, False)]
    assert entered[3] == (top, None, True)
    assert ("error", "Step lost", "not there") in tracer.log
    assert [entry for entry in tracer.log if entry[0] == "error"] == [("error", "Step lost", "not there")]
    assert sum(entry[0] == "enter" for entry in tracer.log) == sum(entry[0] == "leave" for entry in tracer.log)
    assert around.get() == ()


def test_a_failed_execution_leaves_with_its_error(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration(1))
        raise KeyError("k")

    tracer = Tracer()
    function = durable(flavour(handler), tracing=tracer)
    assert run(function).error["errorType"] == "KeyError"
    top = f"invocation {function.__name__}"
    assert [entry for entry in tracer.log if entry[0] == "error"] == [("error", top, "'k'")]
    assert tracer.log[:2] == [("enter", top, None, False), ("leave", top)], "a suspension is no error"


@pytest.mark.parametrize("broken", ["call", "enter", "leave"])
def test_a_broken_hook_changes_nothing(flavour: Flavour, broken: str, caplog: pytest.LogCaptureFixture) -> None:
    class Manager:
        def __enter__(self) -> None:
            if broken == "enter":
                raise OSError("no tracer")

        def __exit__(self, *_: object) -> None:
            if broken == "leave":
                raise OSError("no tracer")

    def tracing(span: TraceSpan) -> Any:
        if broken == "call":
            raise OSError("no tracer")
        return Manager()

    @flavour
    def look(step: Any) -> int:
        return 5

    def handler(event: Any, ctx: Any) -> Any:
        return (yield ctx.step(look))

    assert run(durable(flavour(handler), tracing=tracing)).value == 5
    assert "went" not in caplog.text
    assert "no tracer" in caplog.text


def test_what_is_no_hook_is_refused() -> None:
    wrong: Any = "otel"
    with pytest.raises(ValidationError, match="tracing is 'otel'"):
        durable(lambda event, ctx: None, tracing=wrong)
    wrong = lambda: None  # noqa: E731
    with pytest.raises(ValidationError, match="a function of a TraceSpan"):
        durable(lambda event, ctx: None, tracing=wrong)


def test_type() -> None:
    tracing: Tracing = Tracer()
    assert callable(tracing)
