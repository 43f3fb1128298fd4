"""What a run came to: typed values, failures, the tree of operations, and how it is shown."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    ChildConfig,
    DurableContext,
    DurableOperationError,
    Duration,
    ExecutionError,
    FixedDelay,
    StepConfig,
    StepError,
    durable_execution,
)
from durably.testing import (
    CallbackOperation,
    ContextOperation,
    InvokeOperation,
    LocalRunner,
    OperationNotFound,
    Operations,
    RunResult,
    StepOperation,
    WaitOperation,
)
from durably.testing.printing import span

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Report:
    rows: int
    made: datetime


@durable_execution
def everything(rows: int, ctx: DurableContext) -> Report:
    def flaky(step: Any) -> set[int]:
        if step.attempt == 1:
            raise ConnectionError("down")
        return {1, 2}

    ctx.step(flaky, name="read", config=StepConfig(retry_strategy=FixedDelay(Duration.from_minutes(1))))
    ctx.wait(Duration.from_hours(2), name="pause")
    ctx.wait_for_callback(lambda *_: None, name="approval")
    ctx.create_callback(name="bare").result()
    ctx.invoke("ship", [1], name="ship")
    ctx.map([1, 2], lambda child, item, *_: child.step(lambda _: item, name="item"), name="all")

    def fails(child: DurableContext) -> None:
        child.step(_raise, name="broken", config=StepConfig(retry_strategy=FixedDelay(max_attempts=1)))

    try:
        ctx.run_in_child_context(fails, name="risky")
    except Exception:
        pass
    return Report(rows, ctx.now())


def _raise(_: Any) -> None:
    raise ValueError("a bad row")


@pytest.fixture(scope="module")
def result() -> RunResult[Report]:
    runner = LocalRunner(everything, functions={"ship": {"ok": True}}, callbacks={"approval": "yes", "bare": [1]})
    return runner.run(3)


def test_the_outcome(result: RunResult[Report]) -> None:
    assert (result.status, result.succeeded, result.error, result.function) == ("SUCCEEDED", True, None, "everything")
    assert result.value == result.result == result.get_result() == Report(3, START + timedelta(hours=2, minutes=1))
    assert (result.start, result.end) == (START, START + timedelta(hours=2, minutes=1))
    assert result.execution_arn.endswith(
        "everything:$LATEST/durable-execution/run-1/00000000-0000-4000-8000-000000000001"
    )
    assert [event["EventId"] for event in result.history] == [*range(1, len(result.history) + 1)]


def test_the_tree(result: RunResult[Report]) -> None:
    operations = result.operations
    assert operations.names == ["read", "pause", "approval", "bare", "ship", "all", "risky"]
    assert len(operations) == 7
    assert [one.name for one in operations] == operations.names
    assert [one.name for one in operations[1:3]] == ["pause", "approval"]
    assert operations[-1] is operations["risky"]
    children = result.context("all").children
    assert [(one.sub_type, one.parent) for one in children] == [("MapIteration", result.context("all"))] * 2
    assert [one.name for one in children[0].children] == ["item"]
    assert [one.name for one in operations.named("item")] == ["item", "item"]
    assert result.step("item", 1).result == 2
    assert operations.by_id(result.step("item", 1).id) is result.step("item", 1)
    assert operations.of_type("Map") == operations.of_type("CONTEXT")[1:2]
    assert [one.name for one in operations.with_status("FAILED")] == ["risky", "broken"]
    assert [one.name for one in operations.where(lambda one: one.error is not None)] == ["risky", "broken"]
    assert operations.named(None) == operations.open == []
    assert ("item" in operations, "no" in operations, operations[0] in operations) == (True, False, True)


def test_details(result: RunResult[Report]) -> None:
    read = result.step("read")
    assert (type(read), read.type, read.sub_type) == (StepOperation, "STEP", "Step")
    assert (read.attempt, read.next_attempt, read.payload, read.result) == (2, None, "[1,2]", [1, 2])
    assert read.result_as(set[int]) == {1, 2}
    first, second = read.attempts
    assert (first.number, first.start, first.end, first.delay) == (1, START, START, timedelta(minutes=1))
    assert first.error is not None
    assert first.error["ErrorType"] == "ConnectionError"
    assert (second.number, second.start, second.error) == (2, START + timedelta(minutes=1), None)

    pause = result.wait("pause")
    assert (type(pause), pause.seconds, pause.due, pause.duration) == (
        WaitOperation,
        7200,
        pause.end,
        timedelta(hours=2),
    )
    approval = result.callback("approval")
    assert (type(approval), approval.name) == (CallbackOperation, "approval create callback id")
    assert approval.callback_id
    assert (approval.parent, approval.result) == (result.context("approval"), "yes")
    assert result.callback("bare").result == [1]

    ship = result.invoke("ship")
    assert (type(ship), ship.function_name, ship.input, ship.result) == (InvokeOperation, "ship", [1], {"ok": True})

    risky = result.context("risky")
    assert (type(risky), risky.is_open, risky.succeeded, risky.replays_children) == (
        ContextOperation,
        False,
        False,
        False,
    )
    assert risky.error is not None
    assert risky.error["ErrorMessage"] == "a bad row"


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (lambda all: all.get("x"), "no operation named 'x'; there are: Step 'read', Wait 'pause', "),
        (lambda all: all.step("pause"), "no step named 'pause'"),
        (lambda all: all.wait("read"), "no wait named 'read'"),
        (lambda all: all.callback("x"), "no callback named 'x'"),
        (lambda all: all.callback("approval", 1), "1 of callback named 'approval', so none has the index 1"),
        (lambda all: all.invoke("x"), "no invoke named 'x'"),
        (lambda all: all.context("x"), "no context named 'x'"),
        (lambda all: all.step("item", 2), "2 of step named 'item', so none has the index 2"),
        (lambda all: all[9], "no operation number 9"),
        (lambda all: all.by_id("beef"), "no operation with the id 'beef'"),
        (lambda all: all["read"].children.get("x"), "the execution has no operations"),
    ],
)
def test_what_is_not_there(result: RunResult[Report], look: Any, message: str) -> None:
    with pytest.raises(OperationNotFound) as missing:
        look(result.operations)
    assert message in str(missing.value)


def test_shown(result: RunResult[Report]) -> None:
    shown = io.StringIO()
    result.print(shown)
    lines = shown.getvalue().splitlines()
    assert str(result) in repr(result)
    assert lines[0] == "everything SUCCEEDED after 2 h 1 min, 6 invocations"
    columns = [line.split() for line in lines]
    assert ["├─", "read", "Step", "ok", "1", "min", "2", "attempts;"] in [one[:8] for one in columns]
    assert ["├─", "pause", "Wait", "ok", "2", "h", "for", "2", "h"] in columns
    assert ["│", "└─", "item", "Step", "ok", "0", "ms", "2"] in [one[-8:] for one in columns]
    assert "of ship" in str(result)
    assert "broken" in lines[-1]
    assert "ValueError: a bad row" in lines[-1]
    assert repr(result.operations) == "\n".join(lines[2:])
    assert repr(result.step("read")) == "<Step 'read' SUCCEEDED>"
    assert repr(Operations(())) == "<no operations>"


@pytest.mark.parametrize(
    ("duration", "shown"),
    [
        (timedelta(milliseconds=20), "20 ms"),
        (timedelta(seconds=1.5), "1.5 s"),
        (timedelta(seconds=59.9), "59.9 s"),
        (timedelta(minutes=61), "1 h 1 min"),
        (timedelta(days=1000, hours=2, minutes=5), "1,000 d 2 h"),
    ],
)
def test_spans(duration: timedelta, shown: str) -> None:
    assert span(duration) == shown


# ---- failures ------------------------------------------------------------------------------------------------------


def failed(error: BaseException, **options: Any) -> RunResult[Any]:
    @durable_execution
    async def handler(_: None, ctx: AsyncDurableContext) -> None:
        await ctx.wait(Duration.from_minutes(1), name="before")
        raise error

    return LocalRunner(handler, **options).run()


def test_an_error_of_the_program() -> None:
    result = failed(ValueError("wrong"))
    assert (result.status, result.result) == ("FAILED", None)
    with pytest.raises(DurableOperationError) as failure:
        _ = result.value
    assert str(failure.value) == "wrong"
    assert (failure.value.error_type, failure.value.stack_trace is not None) == ("ValueError", True)
    assert "before  Wait" in failure.value.__notes__[0]


def test_an_error_of_durably_is_found_by_its_class() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> None:
        ctx.step(_raise, config=StepConfig(retry_strategy=FixedDelay(max_attempts=1)))

    with pytest.raises(StepError, match="a bad row"):
        LocalRunner(handler).run().get_result()


def test_without_a_result() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> None:
        ctx.wait(Duration.from_days(3), name="long")

    result = LocalRunner(handler, execution_timeout=timedelta(days=1)).run()
    assert result.status == "TIMED_OUT"
    with pytest.raises(ExecutionError, match=r"the execution is TIMED_OUT and has no result(.|\n)*long  Wait  open"):
        _ = result.value


def test_nothing_is_something() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> None:
        return None

    result = LocalRunner(handler).run()
    assert (result.value, result.payload) == (None, "null")
    assert str(result).splitlines()[1] == "  result: null"


def test_what_is_too_large_to_be_kept_is_rebuilt() -> None:
    @durable_execution
    def handler(_: None, ctx: DurableContext) -> int:
        def large(child: DurableContext) -> str:
            return child.step(lambda _: "x" * 200_000) + child.step(lambda _: "y" * 200_000)

        text = ctx.run_in_child_context(large, name="large", config=ChildConfig())
        ctx.wait(Duration.from_seconds(1))
        return len(text)

    result = LocalRunner(handler).run()
    assert result.value == 400_000
    assert result.context("large").replays_children
