"""GetDurableExecution, its history, the list of a function: contents and pages."""

from __future__ import annotations

from typing import Any

import pytest

from durably.wire.api_errors import ApiError
from durably.wire.ids import ExecutionArn

from .conftest import World, retry, step, wait


def full_history(world: World, arn: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    marker: str | None = None
    while True:
        page = world.call("GetDurableExecutionHistory", DurableExecutionArn=arn, Marker=marker, **params)
        found += page["Events"]
        marker = page.get("NextMarker")
        if marker is None:
            return found
        assert page["Events"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_history_in_pages(world: World, size: int) -> None:
    """Law 7."""
    run = world.start()
    for n in range(3):
        run.checkpoint(step(f"a{n}"), step(f"a{n}", "SUCCEED", Payload="1"), step(f"b{n}"))
        run.checkpoint()
    run.crashes()
    events = full_history(world, run.arn, MaxItems=size)
    assert [event["EventId"] for event in events] == list(range(1, 12))
    assert events == full_history(world, run.arn, MaxItems=size, ReverseOrder=True)[::-1]


def test_history_default_page_and_growth(world: World) -> None:
    run = world.start()
    for n in range(5):
        run.checkpoint(*(step(f"a{n}-{m}") for m in range(30)))
    page = world.call("GetDurableExecutionHistory", DurableExecutionArn=run.arn, MaxItems=0)
    assert len(page["Events"]) == 100
    run.checkpoint(step("late"))
    rest = world.call("GetDurableExecutionHistory", DurableExecutionArn=run.arn, Marker=page["NextMarker"])
    assert [event["EventId"] for event in rest["Events"]] == list(range(101, 153))
    assert "NextMarker" not in rest


def test_history_without_data(world: World) -> None:
    run = world.start("1")
    run.checkpoint(step("a", "SUCCEED", Payload="secret"), retry("b", 1, Error={"ErrorMessage": "secret"}))
    run.crashes()
    events = world.history(run.arn, IncludeExecutionData=False)
    assert "secret" not in str(events)
    assert events[0]["ExecutionStartedDetails"]["Input"] == {"Truncated": False}
    assert events[1]["StepSucceededDetails"] == {"Result": {"Truncated": False}, "RetryDetails": {"CurrentAttempt": 1}}
    assert "secret" in str(world.history(run.arn))


@pytest.mark.parametrize(
    "params",
    [{"MaxItems": -1}, {"MaxItems": 1001}, {"MaxItems": "5"}, {"Marker": "x"}, {"ReverseOrder": 1}, {"Marker": 5}],
)
def test_odd_history_requests(memory_world: World, params: dict[str, Any]) -> None:
    run = memory_world.start()
    refusal = memory_world.refused("GetDurableExecutionHistory", DurableExecutionArn=run.arn, **params)
    assert refusal.code == "InvalidParameterValueException"


def test_get(world: World) -> None:
    run = world.start('{"a":1}', DurableExecutionName="mine", TraceId="Root=1")
    found = world.get(run.arn)
    assert found == {
        "DurableExecutionArn": run.arn,
        "DurableExecutionName": "mine",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:order:$LATEST",
        "StartTimestamp": world.clock.now_ms(),
        "Status": "RUNNING",
        "Version": "$LATEST",
        "ExecutionDataIncluded": True,
        "DurableConfig": {"ExecutionTimeout": 31_622_400, "RetentionPeriodInDays": 14},
        "TraceHeader": {"XAmznTraceId": "Root=1"},
        "InputPayload": '{"a":1}',
        "ExpectedExecutionTimeoutTimestamp": world.clock.now_ms() + 31_622_400_000,
    }
    assert run.invocation.trace_id == "Root=1"
    world.clock.advance(5)
    run.succeeds("2")
    found = world.get(run.arn)
    assert (found["Status"], found["Result"], found["EndTimestamp"]) == ("SUCCEEDED", "2", world.clock.now_ms())
    assert "ExpectedExecutionTimeoutTimestamp" not in found
    bare = world.get(run.arn, IncludeExecutionData=False)
    assert bare["ExecutionDataIncluded"] is False
    assert not {"InputPayload", "Result"} & set(bare)
    assert (
        "true or false"
        in world.refused("GetDurableExecution", DurableExecutionArn=run.arn, IncludeExecutionData="no").message
    )


def names(world: World, **params: Any) -> list[str]:
    answer = world.call("ListDurableExecutionsByFunction", **({"FunctionName": "order"} | params))
    return [entry["DurableExecutionName"] for entry in answer["DurableExecutions"]]


def test_list_of_a_function_that_is_served_no_more(world: World) -> None:
    run = world.start()
    assert names(world, FunctionName="child") == [], "served, and not started yet"
    world.worker.specs.clear()
    assert names(world) == [ExecutionArn.parse(run.arn).name]
    assert names(world, Statuses=["FAILED"]) == []
    with pytest.raises(ApiError, match="Function not found"):
        names(world, FunctionName="child")


def test_list(world: World) -> None:
    started = world.clock.now_ms()
    runs = {}
    for n in range(5):
        runs[n] = world.start(str(n), DurableExecutionName=f"n{n}")
        if n != 2:  # two of them start within one millisecond
            world.clock.advance(10)
    world.start(function="child:$LATEST")
    runs[1].succeeds()
    runs[3].fails()
    assert names(world) == ["n4", "n3", "n2", "n1", "n0"]
    assert names(world, ReverseOrder=True) == ["n0", "n1", "n2", "n3", "n4"]
    assert names(world, Statuses=["RUNNING", "FAILED"]) == ["n4", "n3", "n2", "n0"]
    assert names(world, DurableExecutionName="n2") == ["n2"]
    assert names(world, StartedAfter=started, StartedBefore=started + 30) == ["n3", "n2", "n1"]
    assert names(world, FunctionName="order:$LATEST") == names(world, Qualifier="$LATEST") == names(world)
    assert names(world, Qualifier="7") == []
    with pytest.raises(ApiError, match=r"Function not found: .*:unknown:") as refusal:
        names(world, FunctionName="unknown")
    assert refusal.value.code == "ResourceNotFoundException"
    entries = world.call("ListDurableExecutionsByFunction", FunctionName="order")["DurableExecutions"]
    assert entries[3] == {
        "DurableExecutionArn": runs[1].arn,
        "DurableExecutionName": "n1",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:order:$LATEST",
        "Status": "SUCCEEDED",
        "StartTimestamp": started + 10,
        "EndTimestamp": world.clock.now_ms(),
    }
    assert "EndTimestamp" not in entries[0]


@pytest.mark.parametrize("oldest_first", [False, True])
def test_list_in_pages(world: World, oldest_first: bool) -> None:
    for n in range(5):
        world.start(str(n), DurableExecutionName=f"n{n}")
    seen: list[str] = []
    marker: str | None = None
    pages = 0
    while pages == 0 or marker is not None:
        answer = world.call(
            "ListDurableExecutionsByFunction",
            FunctionName="order",
            MaxItems=2,
            Marker=marker,
            ReverseOrder=oldest_first,
        )
        seen += [entry["DurableExecutionName"] for entry in answer["DurableExecutions"]]
        marker = answer.get("NextMarker")
        pages += 1
    assert pages == 3
    assert seen == sorted(seen, reverse=not oldest_first)
    assert len(set(seen)) == 5


@pytest.mark.parametrize(
    "params",
    [
        {"Statuses": []},
        {"Statuses": ["DANCING"]},
        {"Statuses": "RUNNING"},
        {"StartedAfter": "yesterday"},
        {"Marker": "x"},
        {"MaxItems": 5000},
        {"FunctionName": "a b"},
        {"DurableExecutionName": 5},
        {"Qualifier": 5},
    ],
)
def test_odd_lists(memory_world: World, params: dict[str, Any]) -> None:
    refusal = memory_world.refused("ListDurableExecutionsByFunction", **({"FunctionName": "order"} | params))
    assert refusal.code == "InvalidParameterValueException"


def test_events_are_heard_once_committed(memory_world: World) -> None:
    heard: list[tuple[str, list[Any]]] = []
    unsubscribe = memory_world.service.subscribe(lambda arn, events: heard.append((arn, events)))
    run = memory_world.start()
    run.checkpoint(step("a"), wait("w", 1))
    run.refused(step("b"), step("b"))
    unsubscribe()
    run.checkpoint(step("c"))
    assert [arn for arn, _ in heard] == [run.arn, run.arn]
    assert [event for _, events in heard for event in events] == memory_world.history(run.arn)[:3]
