"""Each transition, each refusal (laws 1, 2, 5, 6, 13 of durably.service.machine)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from durably.service.store.memory import MemoryStore
from durably.wire import limits

from .conftest import World, callback, context, invoke, retry, step, wait

Update = dict[str, Any]

SUCCEEDED_STEP = [step("a"), step("a", "SUCCEED", Payload="1")]

# (what was recorded before, the update, a word of the refusal)
REFUSALS: list[tuple[str, Sequence[Update], Update, str]] = [
    ("step again after its end", SUCCEEDED_STEP, step("a"), "has ended"),
    ("completion after the end", SUCCEEDED_STEP, step("a", "FAIL"), "has ended"),
    ("retry after the end", SUCCEEDED_STEP, retry("a"), "has ended"),
    ("start while pending", [retry("a")], step("a"), "PENDING"),
    ("succeed while pending", [retry("a")], step("a", "SUCCEED"), "PENDING"),
    ("retry without a delay", [step("a")], step("a", "RETRY"), "NextAttemptDelaySeconds"),
    ("retry with delay 0", [step("a")], retry("a", 0), "from 1 to"),
    ("retry after a leap year", [step("a")], retry("a", 31_622_401), "31,622,400"),
    ("retry with a fraction", [step("a")], retry("a", 1.5), "integer"),  # type: ignore[arg-type]
    ("retry with both", [step("a")], retry("a", Payload="1", Error={}), "not both"),
    ("succeed with an error", [step("a")], step("a", "SUCCEED", Error={"ErrorType": "E"}), "not an Error"),
    ("fail with a payload", [step("a")], step("a", "FAIL", Payload="1"), "not a Payload"),
    ("cancel a step", [step("a")], step("a", "CANCEL"), "Action 'CANCEL'"),
    ("no such action", [], step("a", "JUMP"), "Action 'JUMP'"),
    ("no such type", [], {"Id": "a", "Type": "DANCE", "Action": "START"}, "Type 'DANCE'"),
    ("type not a string", [], {"Id": "a", "Type": ["STEP"], "Action": "START"}, "must be a string"),
    ("no id", [], {"Type": "STEP", "Action": "START"}, "Id of an update"),
    ("empty id", [], step(""), "1 to 64"),
    ("id of 65 characters", [], step("a" * 65), "1 to 64"),
    ("id with a slash", [], step("a/b"), "1 to 64"),
    ("empty name", [], step("a", Name=""), "printable ASCII"),
    ("name with a newline", [], step("a", Name="a\nb"), "printable ASCII"),
    ("name of 257", [], step("a", Name="n" * 257), "printable ASCII"),
    ("subtype of 33", [], step("a") | {"SubType": "s" * 33}, "1 to 32"),
    ("another type", [step("a")], context("a", "SUCCEED"), "is a STEP"),
    ("another name", [step("a", Name="x")], step("a", "SUCCEED", Name="y"), "keeps its identity"),
    ("another subtype", [step("a")], step("a", "SUCCEED") | {"SubType": "Other"}, "keeps its identity"),
    ("another parent", [context("c"), step("a")], step("a", "SUCCEED", ParentId="c"), "keeps its identity"),
    ("no such parent", [], step("a", ParentId="zz"), "does not exist"),
    ("parent is a step", [step("p")], step("a", ParentId="p"), "not a CONTEXT"),
    ("parent has ended", [context("p", "SUCCEED")], step("a", ParentId="p"), "has ended"),
    ("own parent", [], context("a", ParentId="a"), "does not exist"),
    (
        "completion below an ended parent",
        [context("p"), step("a", ParentId="p"), context("q"), context("p", "SUCCEED") | {"Id": "p"}],
        step("a", "SUCCEED"),
        "has ended",
    ),
    ("wait again", [wait("w")], wait("w"), "exists already"),
    ("wait 0 seconds", [], wait("w", 0), "from 1 to"),
    ("wait a leap year and a second", [], wait("w", 31_622_401), "31,622,400"),
    ("wait true seconds", [], wait("w", True), "integer"),
    ("wait without options", [], {"Id": "w", "Type": "WAIT", "Action": "START"}, "WaitSeconds"),
    ("wait with odd options", [], wait("w") | {"WaitOptions": 5}, "must be an object"),
    ("wait succeeds by itself", [wait("w")], {"Id": "w", "Type": "WAIT", "Action": "SUCCEED"}, "Action 'SUCCEED'"),
    ("cancel no wait", [], {"Id": "w", "Type": "WAIT", "Action": "CANCEL"}, "does not exist"),
    ("callback again", [callback("c")], callback("c"), "exists already"),
    ("callback succeeds by checkpoint", [callback("c")], callback("c") | {"Action": "SUCCEED"}, "Action 'SUCCEED'"),
    ("callback timeout too long", [], callback("c", timeout=100_000_000), "99,999,999"),
    ("negative heartbeat", [], callback("c", heartbeat=-1), "from 0 to"),
    ("invoke again", [invoke("i", "plain")], invoke("i", "plain"), "exists already"),
    ("invoke cancelled", [invoke("i", "plain")], invoke("i", "plain") | {"Action": "CANCEL"}, "Action 'CANCEL'"),
    ("invoke nothing", [], {"Id": "i", "Type": "CHAINED_INVOKE", "Action": "START"}, "FunctionName"),
    ("invoke no name", [], invoke("i", "not a name!"), "not a function name"),
    ("invoke for a bad tenant", [], invoke("i", "plain", TenantId="a\nb"), "TenantId"),
    ("context retries", [], context("c", "RETRY"), "Action 'RETRY'"),
    ("context start after its end", [context("c", "SUCCEED")], context("c"), "has ended"),
    ("odd ReplayChildren", [], context("c", "SUCCEED", ContextOptions={"ReplayChildren": 1}), "true or false"),
    ("payload not text", [], step("a", "SUCCEED", Payload={"a": 1}), "serialize it first"),
    ("payload too long", [], step("a", "SUCCEED", Payload="x" * (limits.MAX_OPERATION_PAYLOAD + 1)), "1,048,576"),
    ("payload too long in bytes", [], step("a", "SUCCEED", Payload="€" * 349_526), "1,048,578"),
    ("error too long", [], step("a", "FAIL", Error={"ErrorData": "x" * 1_048_577}), "shorten it"),
    ("error not an object", [], step("a", "FAIL", Error="bad"), "must be an object"),
    ("error with a number", [], step("a", "FAIL", Error={"ErrorType": 5}), "must be a string"),
    ("error with an odd trace", [], step("a", "FAIL", Error={"StackTrace": "line"}), "list of strings"),
    ("execution starts", [], {"Id": "e", "Type": "EXECUTION", "Action": "START"}, "EXECUTION"),
    ("execution fails with a payload", [], {"Id": "e", "Type": "EXECUTION", "Action": "FAIL", "Payload": "1"}, "Error"),
    (
        "execution succeeds with an error",
        [],
        {"Id": "e", "Type": "EXECUTION", "Action": "SUCCEED", "Error": {}},
        "Payload",
    ),
    (
        "execution result too long",
        [],
        {"Id": "e", "Type": "EXECUTION", "Action": "SUCCEED", "Payload": "x" * 1_048_577},
        "1,048,576",
    ),
]


@pytest.mark.parametrize(("before", "update", "word"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_refused_whole(before: Sequence[Update], update: Update, word: str) -> None:
    """Law 1: an update that is refused takes the good ones before it along; the token stays good."""
    world = World(MemoryStore(), max_checkpoint_bytes=10 * 1024 * 1024)
    run = world.start()
    for earlier in before:
        run.checkpoint(earlier)
    history = world.history(run.arn)
    refusal = run.refused(step("good"), update)
    assert refusal.code == "InvalidParameterValueException"
    assert word in refusal.message
    assert not refusal.is_stale_token
    assert world.history(run.arn) == history
    run.checkpoint(step("good"))
    world.service.close()


def op(answer: dict[str, Any], op_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [o for o in answer["NewExecutionState"]["Operations"] if o["Id"] == op_id]
    assert len(found) == 1
    return found[0]


def test_step_in_one_call(world: World) -> None:
    run = world.start()
    answer = run.checkpoint(step("a", Name="charge"), step("a", "SUCCEED", Name="charge", Payload="1"))
    now = world.clock.now_ms()
    assert op(answer, "a") == {
        "Id": "a",
        "Name": "charge",
        "Type": "STEP",
        "SubType": "Step",
        "StartTimestamp": now,
        "EndTimestamp": now,
        "Status": "SUCCEEDED",
        "StepDetails": {"Attempt": 1, "Result": "1"},
    }
    assert world.history(run.arn)[1:] == [
        {
            "EventType": "StepStarted",
            "EventId": 2,
            "EventTimestamp": now,
            "Id": "a",
            "Name": "charge",
            "SubType": "Step",
            "StepStartedDetails": {},
        },
        {
            "EventType": "StepSucceeded",
            "EventId": 3,
            "EventTimestamp": now,
            "Id": "a",
            "Name": "charge",
            "SubType": "Step",
            "StepSucceededDetails": {
                "Result": {"Payload": "1", "Truncated": False},
                "RetryDetails": {"CurrentAttempt": 1},
            },
        },
    ]


def test_start_again_is_nothing(world: World) -> None:
    """An interrupted at-least-once step or context may START again; the history shows one start."""
    run = world.start()
    run.checkpoint(step("a"), context("c"))
    answer = run.checkpoint(step("a"), context("c"))
    assert answer["NewExecutionState"]["Operations"] == []
    assert world.kinds(run.arn) == ["ExecutionStarted", "StepStarted", "ContextStarted"]


def test_completion_without_start(world: World) -> None:
    run = world.start()
    answer = run.checkpoint(
        step("a", "SUCCEED", Payload="1"), step("b", "FAIL", Error={"ErrorType": "E"}), context("c", "FAIL")
    )
    assert [o["Status"] for o in answer["NewExecutionState"]["Operations"]] == ["SUCCEEDED", "FAILED", "FAILED"]
    assert world.kinds(run.arn)[1:] == ["StepSucceeded", "StepFailed", "ContextFailed"]


def test_retry_with_error(world: World) -> None:
    """Law 13, and PENDING -> READY -> STARTED."""
    run = world.start()
    answer = run.checkpoint(step("a"), retry("a", 3, Error={"ErrorType": "E", "ErrorMessage": "m"}))
    due = world.clock.now_ms() + 3000
    details = {"Attempt": 1, "NextAttemptTimestamp": due, "Error": {"ErrorType": "E", "ErrorMessage": "m"}}
    assert op(answer, "a")["Status"] == "PENDING"
    assert op(answer, "a")["StepDetails"] == details
    failed = world.history(run.arn)[-1]
    assert failed["EventType"] == "StepFailed"
    assert failed["StepFailedDetails"] == {
        "Error": {"Payload": {"ErrorType": "E", "ErrorMessage": "m"}, "Truncated": False},
        "RetryDetails": {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 3},
    }
    run.suspends()
    world.advance(2.999)
    assert world.idle
    world.advance(0.001)
    run = world.next_run()
    assert run.event["UpdatedOperationIds"] == ["a"]
    assert run.operations[1]["Status"] == "READY"
    answer = run.checkpoint(step("a"), step("a", "SUCCEED", Payload="2"))
    assert op(answer, "a")["StepDetails"] == {"Attempt": 2, "Result": "2"}
    assert world.kinds(run.arn)[3:] == ["InvocationCompleted", "StepStarted", "StepSucceeded"]
    assert world.history(run.arn)[-1]["StepSucceededDetails"]["RetryDetails"] == {"CurrentAttempt": 2}


def test_retry_with_payload_is_a_success_so_far(world: World) -> None:
    """wait_for_condition: the state comes back in StepDetails.Result, also while the next attempt runs."""
    run = world.start()
    answer = run.checkpoint(step("a"), retry("a", 2, Payload='{"n":1}'))
    assert op(answer, "a")["StepDetails"]["Result"] == '{"n":1}'
    event = world.history(run.arn)[-1]
    assert event["StepSucceededDetails"] == {
        "Result": {"Payload": '{"n":1}', "Truncated": False},
        "RetryDetails": {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 2},
    }
    run.suspends()
    world.advance(2)
    run = world.next_run()
    answer = run.checkpoint(step("a"))
    assert op(answer, "a")["StepDetails"] == {"Attempt": 1, "Result": '{"n":1}'}


def test_step_may_complete_from_ready(world: World) -> None:
    run = world.start()
    run.checkpoint(step("a"), retry("a", 1))
    run.suspends()
    world.advance(1)
    run = world.next_run()
    answer = run.checkpoint(step("a", "FAIL", Error={"ErrorType": "E"}))
    assert op(answer, "a")["StepDetails"] == {"Attempt": 2, "Error": {"ErrorType": "E"}}


def test_context(world: World) -> None:
    run = world.start()
    run.checkpoint(context("c", Name="box"), step("a", ParentId="c"))
    answer = run.checkpoint(
        step("a", "SUCCEED", ParentId="c", Payload="1"),
        context("c", "SUCCEED", Payload="2", ContextOptions={"ReplayChildren": True}),
    )
    assert op(answer, "c")["ContextDetails"] == {"ReplayChildren": True, "Result": "2"}
    events = world.history(run.arn)
    assert [e.get("ParentId") for e in events] == [None, None, "c", "c", None]
    assert events[-1]["ContextSucceededDetails"] == {"Result": {"Payload": "2", "Truncated": False}}


def test_cancel_a_wait(world: World) -> None:
    run = world.start()
    run.checkpoint(wait("w", 5), wait("v", 9))
    answer = run.checkpoint({"Id": "w", "Type": "WAIT", "Action": "CANCEL", "Error": {"ErrorType": "E"}})
    assert op(answer, "w")["Status"] == "CANCELLED"
    cancelled = world.history(run.arn)[-1]
    assert cancelled["WaitCancelledDetails"] == {"Error": {"Payload": {"ErrorType": "E"}, "Truncated": False}}
    run.suspends()
    world.advance(8)
    assert world.idle, "a cancelled wait wakes nobody"
    world.advance(1)
    assert world.next_run().event["UpdatedOperationIds"] == ["v"]


def test_a_wait_that_has_ended_may_be_cancelled_without_effect(world: World) -> None:
    run = world.start()
    run.checkpoint(wait("w"))
    world.advance(60)
    answer = run.checkpoint({"Id": "w", "Type": "WAIT", "Action": "CANCEL"})
    assert op(answer, "w")["Status"] == "SUCCEEDED"
    assert "WaitCancelled" not in world.kinds(run.arn)


@pytest.mark.parametrize(
    "updates",
    [
        [step("a"), step("a")],
        [step("a", "SUCCEED"), step("a", "SUCCEED")],
        [step("a"), step("a", "SUCCEED"), step("a", "SUCCEED")],
        [wait("w"), {"Id": "w", "Type": "WAIT", "Action": "CANCEL"}],
        [callback("c"), callback("c")],
    ],
)
def test_one_update_per_operation(memory_world: World, updates: list[Update]) -> None:
    refusal = memory_world.start().refused(*updates)
    assert "two updates" in refusal.message


def test_sizes_of_a_call(memory_world: World) -> None:
    run = memory_world.start()
    assert "250" in run.refused(*(step(f"a{n}") for n in range(251))).message
    big = [step(f"b{n}", "SUCCEED", Payload="x" * 260_000) for n in range(3)]
    assert "768,000" in run.refused(*big).message
    run.checkpoint(*(step(f"a{n}") for n in range(250)))
    run.checkpoint(*big[:2])
    run.checkpoint(step("alone", "SUCCEED", Payload="x" * limits.MAX_OPERATION_PAYLOAD))


def test_execution_update_is_last_and_ends_the_calls(world: World) -> None:
    done = {"Id": "execution-result-1", "Type": "EXECUTION", "Action": "SUCCEED", "Payload": '"big"'}
    run = world.start()
    assert "must be the last" in run.refused(done, step("a")).message
    token = run.token
    answer = run.checkpoint(step("a", "SUCCEED"), done)
    assert "CheckpointToken" not in answer
    run.token = token
    assert run.refused(step("b")).is_stale_token
    run.returns('{"Status":"SUCCEEDED","Result":""}')
    assert world.get(run.arn)["Result"] == '"big"'
    assert world.kinds(run.arn)[-2:] == ["InvocationCompleted", "ExecutionSucceeded"]


def test_recorded_result_survives_a_crash(world: World) -> None:
    run = world.start()
    run.checkpoint({"Id": "r", "Type": "EXECUTION", "Action": "FAIL", "Error": {"ErrorType": "Big"}})
    world.reopen()
    assert world.get(run.arn)["Error"] == {"ErrorType": "Big"}
    assert world.idle


def test_order_of_operations(world: World) -> None:
    """Law 8: EXECUTION first, then by last change, in answers, pages and events alike."""
    run = world.start()
    run.checkpoint(step("a"), step("b"), wait("w", 1))
    answer = run.checkpoint(step("b", "SUCCEED"), step("a", "SUCCEED"))
    assert [o["Id"] for o in answer["NewExecutionState"]["Operations"]] == ["b", "a"]
    run.suspends()
    world.advance(1)
    run = world.next_run()
    assert [o["Id"] for o in run.operations[1:]] == ["b", "a", "w"]
    assert run.operations[0]["Type"] == "EXECUTION"


def test_answers_tell_what_completed_meanwhile(world: World) -> None:
    """Law 8: told once, and only once."""
    run = world.start()
    run.checkpoint(wait("w", 2), step("a"))
    world.advance(2)
    answer = run.checkpoint(step("a", "SUCCEED"))
    assert [(o["Id"], o["Status"]) for o in answer["NewExecutionState"]["Operations"]] == [
        ("w", "SUCCEEDED"),
        ("a", "SUCCEEDED"),
    ]
    assert run.checkpoint()["NewExecutionState"]["Operations"] == []


def test_junk_is_refused_politely(memory_world: World) -> None:
    run = memory_world.start()
    for junk in ("x", 5, {"Id": "a"}):
        refusal = memory_world.refused(
            "CheckpointDurableExecution", DurableExecutionArn=run.arn, CheckpointToken=run.token, Updates=junk
        )
        assert refusal.code == "InvalidParameterValueException"
    assert "must be an object" in run.refused("x").message  # type: ignore[arg-type]
