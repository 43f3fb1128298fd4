"""Faults between the function and the service change nothing about the outcome; the service's limits hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from durably import AsyncDurableContext, DurableContext, Duration, durable_execution
from durably.testing import Crash, Faults, Limits, LocalRunner, RunResult, ServiceCall
from durably.wire.api_errors import ApiError


@durable_execution
def handler(_: None, ctx: DurableContext) -> list[int]:
    first = ctx.step(lambda _: 1, name="first")
    ctx.wait(Duration.from_minutes(1), name="pause")
    inside = ctx.run_in_child_context(lambda child: child.step(lambda _: 2, name="inner"), name="child")
    return [first, inside, ctx.step(lambda _: 3, name="last")]


@durable_execution
async def handler_async(_: None, ctx: AsyncDurableContext) -> list[int]:
    async def give(value: int) -> int:
        return value

    async def child(inner: AsyncDurableContext) -> int:
        return await inner.step(lambda _: give(2), name="inner")

    first = await ctx.step(lambda _: give(1), name="first")
    await ctx.wait(Duration.from_minutes(1), name="pause")
    inside = await ctx.run_in_child_context(child, name="child")
    return [first, inside, await ctx.step(lambda _: give(3), name="last")]


@pytest.fixture(params=["sync", "async"])
def program(request: pytest.FixtureRequest) -> Any:
    return handler if request.param == "sync" else handler_async


KINDS = ["throttle", "server_errors", "lost_requests", "lost_responses", "missing_token"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", [1, 2, "first", "pause", "inner", "last"])
def test_a_fault_at_one_call(program: Any, kind: str, which: Any) -> None:
    faults = Faults(**{kind: [which]})
    result = LocalRunner(program, faults=faults).run()
    assert result.value == [1, 2, 3]
    assert len(faults.injected) == 1
    kinds, call = faults.injected[0]
    assert kind.startswith(kinds.removesuffix("s")) or kinds == "missing_token"
    assert call.number == which or which in call.names
    assert [one.name for one in result.operations] == ["first", "pause", "child", "last"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_every_third_call(program: Any, kind: str) -> None:
    faults = Faults(**{kind: [lambda call: call.number % 3 == 0]}, latency=timedelta(milliseconds=100))
    result = LocalRunner(program, faults=faults).run()
    assert result.value == [1, 2, 3]
    assert faults.injected


@pytest.mark.parametrize("latency", [timedelta(seconds=2), lambda call: 2 if call.kind == "checkpoint" else 0])
def test_latency_is_virtual_time(program: Any, latency: Any) -> None:
    runner = LocalRunner(program, faults=Faults(latency=latency))
    result = runner.run()
    calls = runner.world.executions[result.execution_arn].calls
    assert result.duration >= timedelta(minutes=1) + (len(calls) - 2) * timedelta(seconds=2)


def test_a_service_that_never_answers_fails_the_execution(program: Any) -> None:
    result = LocalRunner(program, faults=Faults(server_errors=[lambda call: True])).run()
    assert result.status == "FAILED"
    assert len(result.invocations) == 10


def test_the_same_faults_for_several_runs(program: Any) -> None:
    faults = Faults(throttle=["first", 3])
    runner = LocalRunner(program, faults=faults)
    assert [runner.run().value for _ in range(2)] == [[1, 2, 3]] * 2
    assert LocalRunner(program, faults=faults).run().value == [1, 2, 3]
    assert len(faults.injected) == 6


# ---- interceptors ------------------------------------------------------------------------------------------------


class Watching:
    """Sees everything, and may kill."""

    def __init__(self, kill: tuple[str, int] | None = None) -> None:
        self.seen: list[tuple[str, ServiceCall]] = []
        self.kill = kill

    def before(self, call: ServiceCall) -> None:
        self._see("before", call)

    def after(self, call: ServiceCall) -> None:
        self._see("after", call)

    def _see(self, moment: str, call: ServiceCall) -> None:
        self.seen.append((moment, call))
        assert call.applied == (moment == "after")
        if self.kill == (moment, call.number):
            raise Crash


def test_every_call_is_seen(program: Any) -> None:
    watching = Watching()
    result = LocalRunner(program, interceptors=[watching]).run()
    calls = [call for moment, call in watching.seen if moment == "before"]
    assert [call.number for call in calls] == [*range(1, len(calls) + 1)]
    assert {call.invocation for call in calls} == {1, 2}
    assert {call.execution_arn for call in calls} == {result.execution_arn}
    actions = [action for call in calls for action in call.actions]
    assert ("STEP START first" in actions, "CONTEXT SUCCEED child" in actions) == (True, True)
    assert all("NewExecutionState" in call.answer for call in calls)


def runs(program: Any, watching: Watching) -> tuple[RunResult[Any], list[tuple[str | None, int]]]:
    runner = LocalRunner(program, interceptors=[watching])
    result = runner.run()
    record = runner.world.executions[result.execution_arn]
    return result, [(name, invocation) for name, _, _, invocation in record.bodies]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_at_every_call(program: Any, moment: str) -> None:
    plain = Watching()
    runs(program, plain)
    for number in range(1, len(plain.seen) // 2 + 1):
        watching = Watching((moment, number))
        result, bodies = runs(program, watching)
        assert result.value == [1, 2, 3]
        assert len(result.invocations) == 3
        crashed = [one.number for one in result.invocations if one.error]
        assert len(crashed) == 1
        assert {name for name, _ in bodies} == {"first", "inner", "last"}


# ---- limits -------------------------------------------------------------------------------------------------------


def test_the_input_is_limited_as_on_aws() -> None:
    @durable_execution
    def takes(text: str, ctx: DurableContext) -> int:
        return len(text)

    with pytest.raises(ApiError, match="6,291,458 bytes long, more than the 6,291,456 allowed"):
        LocalRunner(takes).run("x" * (6 * 1024 * 1024))


@pytest.mark.parametrize("size", [200, 2_000_000])
def test_payloads_are_limited(size: int) -> None:
    @durable_execution
    def gives(_: None, ctx: DurableContext) -> int:
        return len(ctx.step(lambda _: "x" * size, name="large"))

    limits = None if size > 1000 else Limits(max_operation_payload=100)
    result = LocalRunner(gives, limits=limits).run()
    assert result.status == "FAILED"
    assert result.error is not None
    assert f"{size + 2:,} bytes" in result.error["ErrorMessage"]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_name_length=10), "longer than 10 characters"),
        (Limits(max_delay_seconds=3600), "must be from 1 to 3,600, not 7,200"),
        (Limits(max_operations=2), "has 2 operations, the most one may have"),
    ],
)
def test_names_delays_and_counts_are_configurable(limits: Limits, message: str) -> None:
    @durable_execution
    def goes_too_far(_: None, ctx: DurableContext) -> None:
        ctx.step(lambda _: 1, name="first")
        ctx.wait(Duration.from_hours(2), name="a long pause")
        ctx.step(lambda _: 1, name="last")

    assert LocalRunner(goes_too_far).run().succeeded
    result = LocalRunner(goes_too_far, limits=limits).run()
    assert result.error is not None
    assert message in result.error["ErrorMessage"]


def test_pages_are_configurable() -> None:
    @durable_execution
    def many(_: None, ctx: DurableContext) -> int:
        total = 0
        for number in range(30):
            total += ctx.step(lambda _: 1, name=f"{number}")
            if number % 10 == 0:
                ctx.wait(Duration.from_seconds(1))
        return total

    runner = LocalRunner(many, limits=Limits(page_operations=7))
    result = runner.run()
    assert result.value == 30
    assert [call.kind for call in runner.world.executions[result.execution_arn].calls].count("get_state") == 2
