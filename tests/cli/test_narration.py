"""Every event of the service model has its line, and the tree knows what it means."""

from __future__ import annotations

from typing import Any

import click
import pytest

from durably.cli.narration import Narrator
from durably.wire.names import EventType

PAYLOAD = {"Payload": '{"a":1}'}
ERROR = {"Payload": {"ErrorType": "Oops", "ErrorMessage": "it broke"}}


def event(kind: str, at: int = 0, **members: Any) -> dict[str, Any]:
    details = members.pop("details", {})
    return {"EventType": kind, "EventId": 1, "EventTimestamp": at, kind + "Details": details, **members}


def lines(*events: dict[str, Any], options: str = "") -> list[str]:
    narrator = Narrator(options)
    told = [narrator.tell(one) for one in events]
    return [click.unstyle(line.render()) for line in told if line is not None]


def step(kind: str, at: int = 0, **details: Any) -> dict[str, Any]:
    return event(kind, at, Id="s", Name="charge", SubType="Step", details=details)


def test_a_step_that_is_retried() -> None:
    again = {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 90}
    assert lines(
        step("StepStarted"),
        step("StepFailed", 5, Error=ERROR, RetryDetails=again),
        step("StepStarted", 90_005),
        step("StepSucceeded", 90_010, Result=PAYLOAD, RetryDetails={"CurrentAttempt": 2}),
    ) == [
        "● charge  step started",
        "↻ charge  attempt 1 failed: Oops: it broke; again in 1 min 30 s",
        "● charge  step started, attempt 2",
        '✓ charge  step succeeded at attempt 2 in 1 min 30 s  {"a":1}',
    ]


def test_a_step_that_fails_for_good() -> None:
    assert lines(step("StepStarted"), step("StepFailed", 5, Error=ERROR, RetryDetails={"CurrentAttempt": 3})) == [
        "● charge  step started",
        "✗ charge  step failed for good at attempt 3: Oops: it broke",
    ]


def test_a_condition_that_is_not_yet_met() -> None:
    members = {"Id": "c", "Name": "paid", "SubType": "WaitForCondition"}
    again = {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 2}
    assert lines(
        event("StepStarted", 0, **members),
        event("StepSucceeded", 1, **members, details={"Result": PAYLOAD, "RetryDetails": again}),
    ) == ["● paid  wait for condition started", '↻ paid  wait for condition not yet; again in 2 s  {"a":1}']


def test_a_wait_and_its_end() -> None:
    members = {"Id": "w", "Name": "cooling off", "SubType": "Wait"}
    ends = {"Duration": 3, "ScheduledEndTimestamp": 3000}
    told = lines(event("WaitStarted", 0, **members, details=ends), event("WaitSucceeded", 3000, **members, details={}))
    assert told[0].startswith("◷ cooling off  waiting 3 s, until ")
    assert told[1] == "✓ cooling off  waited 3 s"
    assert lines(event("WaitStarted", 0, Id="w", details=ends), event("WaitCancelled", 1, Id="w"))[1] == (
        "■ wait  cancelled"
    )


def test_a_callback_says_how_to_answer_it_under_the_name_the_user_gave() -> None:
    told = lines(
        event("ContextStarted", Id="p", Name="approval", SubType="WaitForCallback"),
        event(
            "CallbackStarted",
            Id="c",
            ParentId="p",
            Name="approval create callback id",
            SubType="Callback",
            details={"CallbackId": "YWJj"},
        ),
        event("CallbackTimedOut", 7, Id="c", ParentId="p", details={"Error": ERROR}),
        options=" --endpoint-url http://x:1",
    )
    assert told == [
        "▸ approval  wait for callback started",
        "  ✉ approval  waiting for an answer; give it with:  "
        "durably callback succeed --endpoint-url http://x:1 YWJj RESULT",
        "  ✗ approval  callback timed out: Oops: it broke",
    ]


def test_an_invoke_names_its_target() -> None:
    members = {"Id": "i", "Name": "ship", "SubType": "ChainedInvoke"}
    started = event("ChainedInvokeStarted", **members, details={"FunctionName": "ship:$LATEST", "Input": PAYLOAD})
    assert lines(started, event("ChainedInvokeStopped", 1, **members, details={"Error": ERROR})) == [
        '→ ship  invoking ship:$LATEST  {"a":1}',
        "✗ ship  invoke was stopped: Oops: it broke",
    ]


def test_an_invocation_is_mentioned_only_when_it_failed() -> None:
    ended = {"StartTimestamp": 0, "EndTimestamp": 1, "RequestId": "r"}
    assert lines(event("InvocationCompleted", details=ended)) == []
    assert lines(event("InvocationCompleted", details={**ended, "Error": ERROR})) == [
        "⚠ function  invocation failed: Oops: it broke; it is invoked again unless the execution has ended"
    ]


@pytest.mark.parametrize("kind", [kind.value for kind in EventType if kind is not EventType.INVOCATION_COMPLETED])
def test_every_event_has_a_line_even_alone_and_bare(kind: str) -> None:
    """As a log that begins in the middle, or a service that leaves out what is optional, gives it."""
    bare = {"EventType": kind, "EventId": 9, "EventTimestamp": 5, "Id": "x", "ParentId": "unknown"}
    assert len(lines(bare)) == 1


def test_an_event_of_a_later_model_is_passed_over() -> None:
    assert lines({"EventType": "SomethingNew", "EventId": 1, "EventTimestamp": 0}) == []
    assert lines({"EventType": "ExecutionRelocated", "EventId": 1, "EventTimestamp": 0}) == []


def test_the_status_says_what_is_going_on() -> None:
    narrator = Narrator()
    narrator.tell(event("ExecutionStarted"))
    assert narrator.status(0) == ""
    narrator.tell(event("ContextStarted", Id="p", Name="around", SubType="RunInChildContext"))
    narrator.tell(event("WaitStarted", Id="w", ParentId="p", Name="rest", details={"ScheduledEndTimestamp": 9_500}))
    narrator.tell(event("CallbackStarted", Id="c", Name="approval", details={"CallbackId": "YQ=="}))
    narrator.tell(step("StepStarted"))
    assert narrator.status(1_000) == "  rest in 8 s; waiting for callback approval; charge runs"
    narrator.tell(step("StepFailed", 5, Error=ERROR, RetryDetails={"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1}))
    assert narrator.status(1_000) == "  rest in 8 s; waiting for callback approval; retry of charge in a moment"
    narrator.tell(event("ExecutionPaused"))
    assert narrator.status(1_000).startswith("  paused; rest")


def test_the_tree_has_parents_before_children_in_order_of_start() -> None:
    narrator = Narrator()
    for identifier, parent in (("a", None), ("b", "a"), ("c", None), ("d", "b"), ("e", "a")):
        members = {"Id": identifier, **({"ParentId": parent} if parent else {})}
        narrator.tell(event("ContextStarted", **members))
    assert [(node.id, node.depth) for node in narrator.tree.walk()] == [
        ("a", 0),
        ("b", 1),
        ("d", 2),
        ("e", 1),
        ("c", 0),
    ]
