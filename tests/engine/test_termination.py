"""An invocation ends by itself before the function's timeout, and the next one goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pytest

from durably import (
    CheckpointMode,
    Duration,
    InvocationError,
    RetryDecision,
    StepConfig,
    TerminationReason,
)

from .harness import Call, Flavour
from .modes import world_of
from .timed import Clock, LambdaContext, Timed, VirtualLoop, use_clock

HOUR = Duration.from_hours(1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return use_clock(monkeypatch)


@pytest.fixture
def timed(flavour: Flavour, clock: Clock) -> Timed:
    return Timed(flavour, clock)


MODES = list(CheckpointMode)


# ---- the rule -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_the_next_invocation_goes_on_and_repeats_nothing(timed: Timed, mode: CheckpointMode) -> None:
    def handler(event, ctx):
        found = []
        for n in range(20):
            found.append((yield timed.step(ctx, f"s{n}", 0.9)))
        return found

    world = timed.run(handler, mode=mode)
    names = [f"s{n}" for n in range(20)]
    assert world.value == names
    assert world.effects == names
    assert world.invocations == 3
    assert [type(error) for error in timed.cut_off] == [InvocationError] * 2
    for error in timed.cut_off:
        assert isinstance(error, InvocationError)
        assert error.termination_reason is TerminationReason.LAMBDA_TIMEOUT_APPROACHING
        assert "the function's timeout is near: what is done is recorded" in str(error)
    assert not [update for update in world.updates if update["Action"] in ("FAIL", "RETRY")]


@pytest.mark.parametrize(("seconds", "margin"), [(1, 0.2), (2, 0.4), (3, 0.6), (10, 2), (25, 5), (60, 5), (900, 5)])
def test_the_margin(timed: Timed, seconds: float, margin: float) -> None:
    """Steps begin until then, and the last to begin may finish."""

    def handler(event, ctx):
        yield timed.step(ctx, "long", seconds - 2 * margin)
        for n in range(8):
            yield timed.step(ctx, f"s{n}", 0.3 * margin)

    world = timed.run(handler, seconds=seconds)
    assert world.status == "SUCCEEDED"
    assert world.invocations == 2
    assert world.effects == ["long", *(f"s{n}" for n in range(8))]
    assert timed.left[0] == pytest.approx(0.8 * margin)


def test_an_invocation_with_time_enough_is_not_cut_off(timed: Timed) -> None:
    def handler(event, ctx):
        for n in range(5):
            yield timed.step(ctx, f"s{n}", 1)

    assert timed.run(handler).invocations == 1


def test_what_begins_late_does_not_begin(timed: Timed) -> None:
    """Nothing of the operation that was not admitted is recorded."""

    def handler(event, ctx):
        yield timed.step(ctx, "long", 7.9)
        yield timed.step(ctx, "beyond", 0.05)
        if timed.world.invocations == 1:
            if timed.flavour.is_async:
                yield asyncio.sleep(0.2)
            timed.clock.work(0.1)
        yield ctx.create_callback(name="callback")

    world = timed.run(handler)
    assert world.invocations == 2
    first = [name for call in world.link.calls if call.invocation == 1 for _, _, name in call.actions]
    assert set(first) == {"long", "beyond"}


def test_a_handler_that_returns_late_has_returned(clock: Clock) -> None:
    timed = Timed(Flavour("sync"), clock)

    def handler(event, ctx):
        yield timed.step(ctx, "s", 1)
        clock.work(8.5)
        return "in time"

    world = timed.run(handler)
    assert world.value == "in time"
    assert world.invocations == 1


def test_child_contexts_are_left_open(timed: Timed) -> None:
    def handler(event, ctx):
        def inside(inner):
            found = []
            for n in range(12):
                found.append((yield timed.step(inner, f"s{n}", 0.9)))
            return found

        return (yield ctx.run_in_child_context(timed.flavour(inside), name="child"))

    world = timed.run(handler)
    assert world.value == world.effects == [f"s{n}" for n in range(12)]
    assert [update["Action"] for update in world.updates if update.get("Name") == "child"] == ["START", "SUCCEED"]


@pytest.mark.parametrize("mode", MODES)
def test_batches_are_recorded_as_far_as_they_got(timed: Timed, mode: CheckpointMode) -> None:
    seconds = 1.8 if timed.flavour.is_async else 0.5  # at the same time, or one after another for the clock

    def handler(event, ctx):
        def one(inner, item, *rest):
            for n in range(6):
                yield timed.step(inner, f"{item}.{n}", seconds)

        yield ctx.map([1, 2, 3, 4], timed.flavour(one), name="all")

    world = timed.run(handler, mode=mode)
    assert world.status == "SUCCEEDED", world.outcome
    assert world.invocations == 2
    assert sorted(world.effects) == sorted(f"{item}.{n}" for item in range(1, 5) for n in range(6))
    assert not [update for update in world.updates if update["Action"] == "FAIL"]


def test_a_wait_that_goes_on_meanwhile_is_left_alone(timed: Timed) -> None:
    """It is not the wait that the next invocation is to wait for."""

    def handler(event, ctx):
        def waits(inner):
            yield inner.wait(HOUR, name="wait")
            return "waited"

        def works(inner):
            for n in range(12):
                yield timed.step(inner, f"s{n}", 0.9)
            return "worked"

        return (yield ctx.parallel([timed.flavour(waits), timed.flavour(works)])).get_results()

    world = timed.run(handler)
    assert world.value == ["waited", "worked"]
    assert world.effects == [f"s{n}" for n in range(12)]
    assert [type(output).__name__ for output in world.outputs] == ["InvocationError", "dict", "dict"]
    assert world.outputs[1] == {"Status": "PENDING"}
    assert len([update for update in world.updates if update["Type"] == "WAIT"]) == 1


def test_a_step_between_attempts_is_left_alone(timed: Timed) -> None:
    config = StepConfig(retry_strategy=lambda error, n: RetryDecision(True, Duration.from_minutes(1)))

    def handler(event, ctx):
        def flaky(inner):
            def body(step):
                attempts.append(step.attempt)
                if step.attempt == 1:
                    raise OSError("away")

            yield inner.step(timed.flavour(body), name="flaky", config=config)

        def works(inner):
            for n in range(12):
                yield timed.step(inner, f"s{n}", 0.9)

        yield ctx.parallel([timed.flavour(flaky), timed.flavour(works)])

    attempts: list[int] = []
    world = timed.run(handler)
    assert world.status == "SUCCEEDED", world.outcome
    assert attempts == [1, 2]
    assert world.effects == [f"s{n}" for n in range(12)]


def test_cleaning_up_records_nothing(timed: Timed) -> None:
    def handler(event, ctx):
        try:
            for n in range(12):
                yield timed.step(ctx, f"s{n}", 0.9)
        except Exception:
            yield timed.step(ctx, "handled", 0)
        finally:
            if len(timed.world.effects) == 12:
                yield timed.step(ctx, "clean", 0)

    world = timed.run(handler)
    assert world.effects == [*(f"s{n}" for n in range(12)), "clean"]


# ---- contexts that do not know ------------------------------------------------------------------------------------


def answering(value: Any) -> Callable[[], Any]:
    class Context:
        def get_remaining_time_in_millis(self) -> Any:
            return value

    return Context


class NotCallable:
    get_remaining_time_in_millis = 5000


@pytest.mark.parametrize(
    "context",
    [
        lambda: None,
        object,
        dict,
        NotCallable,
        MagicMock,
        answering(None),
        answering("5000"),
        answering(0),
        answering(-1),
        answering(True),
        answering(0.5),
        answering(float("nan")),
        answering(float("inf")),
        answering(10**30),
    ],
)
def test_a_context_that_does_not_say_how_long(flavour: Flavour, clock: Clock, context: Callable[[], Any]) -> None:
    timed = Timed(flavour, clock)

    def handler(event, ctx):
        for n in range(10):
            yield timed.step(ctx, f"s{n}", 0.001 if flavour.is_async else 1000)

    timed.world = world = world_of(flavour, handler, lambda_context=context)
    world.run()
    assert world.status == "SUCCEEDED"
    assert world.invocations == 1


@pytest.mark.parametrize("left", [10_000, 10_000.0])
def test_whole_and_other_numbers(timed: Timed, left: float) -> None:
    def handler(event, ctx):
        for n in range(12):
            yield timed.step(ctx, f"s{n}", 0.9)

    class Context(LambdaContext):
        def get_remaining_time_in_millis(self) -> Any:
            return left

    timed.world = world = world_of(
        timed.flavour,
        handler,
        lambda_context=lambda: Context(timed.clock, 10),
        loop_factory=(lambda: VirtualLoop(timed.clock)) if timed.flavour.is_async else None,
    )
    world.run()
    assert world.invocations == 2


# ---- sync code with threads ------------------------------------------------------------------------------------------


def test_what_runs_in_other_threads_is_let_finish_and_recorded(clock: Clock) -> None:
    timed = Timed(Flavour("sync"), clock)
    refused = threading.Event()

    def handler(event, ctx):
        def patient(inner):
            def body(step):
                assert refused.wait(60)
                timed.world.effect("patient")

            yield inner.step(body, name="patient")
            yield timed.step(inner, "after", 0)

        def hasty(inner):
            try:
                yield timed.step(inner, "long", 8.5)
                yield timed.step(inner, "late", 0)
            finally:
                refused.set()

        yield ctx.parallel([timed.flavour(patient), timed.flavour(hasty)])

    world = timed.run(handler)
    assert world.status == "SUCCEEDED", world.outcome
    assert world.invocations == 2
    assert sorted(world.effects) == ["after", "late", "long", "patient"]


def test_a_started_operation_is_let_finish_and_recorded(clock: Clock) -> None:
    timed = Timed(Flavour("sync"), clock)

    def handler(event, ctx):
        def body(step):
            assert began.wait(20)
            timed.world.effect("started")
            return "started"

        future = ctx.start(ctx.step, body, name="started")
        yield timed.step(ctx, "long", 8.5)
        began.set()
        yield timed.step(ctx, "late", 0)
        return future.result()

    began = threading.Event()
    world = timed.run(handler)
    assert world.value == "started"
    assert world.invocations == 2
    assert sorted(world.effects) == ["late", "long", "started"]


def test_what_was_collected_is_recorded_although_a_step_outlasts_the_invocation() -> None:
    """By the real clock, of which nothing is measured: the last step ends when the call has been made."""
    called = threading.Event()

    def handler(event, ctx):
        for n in range(3):
            yield ctx.step(lambda step, n=n: world.effect(n), name=f"s{n}")
        yield ctx.step(lambda step: ended.append(called.wait(60)), name="endless")

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 500

    ended: list[bool] = []
    world = world_of(Flavour("sync"), handler, checkpointing=CheckpointMode.BATCHED, lambda_context=Context)
    world.link.before = lambda call: called.set()
    world.run()
    assert ended[0]
    assert world.flushed[0] == ["s0", "s1", "s2"]
    assert world.effects == [0, 1, 2]


@pytest.mark.parametrize("where", ["in a started operation", "in the handler"])
def test_no_attempt_begins_in_the_margin(clock: Clock, where: str) -> None:
    """The second attempt falls due while a step beside it is being let finish."""
    timed = Timed(Flavour("sync"), clock)
    to_be_repeated = threading.Event()

    def handler(event, ctx):
        def flaky(step):
            attempts.append((timed.world.invocations, step.attempt))
            if step.attempt == 1:
                raise OSError("away")

        def long(step):
            assert to_be_repeated.wait(60)
            timed.retries_fall_due()  # the answer to its own record brings the other's
            clock.work(8.5)

        if where == "in the handler":
            started = ctx.start(ctx.step, long, name="long")
            yield ctx.step(flaky, name="flaky", config=retried)
        else:
            started = ctx.start(ctx.step, flaky, name="flaky", config=retried)
            yield ctx.step(long, name="long")
        yield started.result()

    def after(call: Call) -> None:
        if ("STEP", "RETRY", "flaky") in call.actions:
            to_be_repeated.set()

    retried = StepConfig(retry_strategy=lambda error, n: RetryDecision(True, Duration.from_seconds(1)))
    attempts: list[tuple[int, int]] = []
    timed.before_run = lambda world: setattr(world.link, "after", after)
    world = timed.run(handler)
    assert world.status == "SUCCEEDED"
    assert attempts == [(1, 1), (2, 2)]
    assert [type(error) for error in timed.cut_off] == [InvocationError]
