"""Invoke, Stop, Pause, Resume, Delete, timeouts, retention (laws 5, 7, 15)."""

from __future__ import annotations

from typing import Any

import pytest

from durably.service.ports import FunctionSpec, InvocationResult
from durably.service.store.memory import MemoryStore
from durably.wire.api_errors import ApiError
from durably.wire.ids import ExecutionArn

from .conftest import FUNCTION, World, callback, step, wait

_366_DAYS_MS = 31_622_400_000


def invoke_sync(world: World, **params: Any) -> list[Any]:
    """The replies, so that the test can look before and after the end."""
    replies: list[Any] = []
    world.service.submit("Invoke", {"FunctionName": f"{FUNCTION}:$LATEST", **params}, replies.append)
    world.service.drain()
    return replies


@pytest.mark.parametrize(
    ("name", "qualifier"),
    [
        ("order:$LATEST", None),
        ("order", "$LATEST"),
        ("order:$LATEST", "$LATEST"),
        ("000000000000:function:order:$LATEST", None),
        ("000000000000:order", "$LATEST"),
        ("function:order", "$LATEST"),
        ("arn:aws:lambda:us-east-1:000000000000:function:order", "$LATEST"),
        ("arn:aws:lambda:us-east-1:000000000000:function:order:$LATEST", None),
    ],
)
def test_names_of_a_function(memory_world: World, name: str, qualifier: str | None) -> None:
    answer = memory_world.call("Invoke", FunctionName=name, Qualifier=qualifier, InvocationType="Event")
    assert answer["StatusCode"] == 202
    assert answer["ExecutedVersion"] == "$LATEST"
    arn = ExecutionArn.parse(answer["DurableExecutionArn"])
    assert (arn.function, arn.version) == ("order", "$LATEST")
    assert memory_world.next_run().arn == str(arn)


def test_aliases_mean_the_version_there_is(memory_world: World) -> None:
    memory_world.worker.specs["order"] = FunctionSpec("order", aliases=("live", "green"))
    for name, qualifier in (("order:live", None), ("order", "green")):
        answer = memory_world.call("Invoke", FunctionName=name, Qualifier=qualifier, InvocationType="Event")
        assert answer["ExecutedVersion"] == "$LATEST"
        assert ExecutionArn.parse(answer["DurableExecutionArn"]).version == "$LATEST"
        assert memory_world.next_run().invocation.invoked_function_arn.endswith(":function:order:$LATEST")
    with pytest.raises(ApiError, match=r"order:blue; only \$LATEST and live and green is served here"):
        memory_world.call("Invoke", FunctionName="order:blue")
    for params in ({"FunctionName": "order:live"}, {"FunctionName": "order", "Qualifier": "green"}):
        found = memory_world.call("ListDurableExecutionsByFunction", **params)["DurableExecutions"]
        assert len(found) == 2


@pytest.mark.parametrize(
    ("params", "code", "word"),
    [
        ({"FunctionName": "order"}, "InvalidParameterValueException", "order:$LATEST"),
        ({"FunctionName": "none:$LATEST"}, "ResourceNotFoundException", "order"),
        ({"FunctionName": "order:7"}, "ResourceNotFoundException", "$LATEST"),
        ({"FunctionName": "order:$LATEST", "Qualifier": "7"}, "InvalidParameterValueException", "one of them"),
        ({"FunctionName": "or der"}, "InvalidParameterValueException", "not a function name"),
        ({"FunctionName": None}, "InvalidParameterValueException", "not a function name"),
        ({"InvocationType": "Later"}, "InvalidParameterValueException", "DryRun"),
        ({"Payload": "{bad"}, "InvalidRequestContentException", "Could not parse request body into json"),
        ({"Payload": b"\xff"}, "InvalidRequestContentException", "Could not parse request body into json"),
        ({"Payload": '"' + "x" * 6_291_456 + '"'}, "RequestTooLargeException", "6,291,456"),
        (
            {"Payload": '"' + "x" * 1_048_576 + '"', "InvocationType": "Event"},
            "RequestTooLargeException",
            "1,048,576",
        ),
        ({"DurableExecutionName": "a b"}, "InvalidParameterValueException", "1 to 64"),
        ({"DurableExecutionName": "n" * 65}, "InvalidParameterValueException", "1 to 64"),
        ({"FunctionName": "plain", "DurableExecutionName": "n"}, "InvalidParameterValueException", "not a durable"),
        ({"TenantId": "a\nb"}, "InvalidParameterValueException", "TenantId"),
    ],
)
def test_refused_invokes(memory_world: World, params: dict[str, Any], code: str, word: str) -> None:
    refusal = memory_world.refused("Invoke", **({"FunctionName": "order:$LATEST"} | params))
    assert refusal.code == code
    assert word in refusal.message
    assert memory_world.idle


def test_sync_invoke_answers_after_the_end(world: World) -> None:
    replies = invoke_sync(world, Payload='{"a":1}')
    run = world.next_run()
    run.checkpoint(wait("w", 5))
    run.suspends()
    assert replies == []
    world.advance(5)
    world.next_run().succeeds('{"b":2}')
    assert replies == [
        {"StatusCode": 200, "ExecutedVersion": "$LATEST", "DurableExecutionArn": run.arn, "Payload": '{"b":2}'}
    ]
    assert world.kinds(run.arn)[-1] == "ExecutionSucceeded"


def test_sync_invoke_of_a_failure_with_its_log(world: World) -> None:
    replies = invoke_sync(world, LogType="Tail")
    run = world.next_run()
    run.end(InvocationResult("crashed", log="one\n"))
    world.advance(1)
    run = world.next_run()
    run.end(InvocationResult("returned", '{"Status":"FAILED","Error":{"ErrorType":"E","ErrorMessage":"m"}}', log="two"))
    assert replies == [
        {
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "DurableExecutionArn": run.arn,
            "FunctionError": "Unhandled",
            "Payload": '{"errorMessage":"m","errorType":"E"}',
            "LogResult": "b25lCnR3bw==",
        }
    ]


def test_dry_run_and_payload_defaults(world: World) -> None:
    assert world.call("Invoke", FunctionName="order:$LATEST", InvocationType="DryRun")["StatusCode"] == 204
    assert world.idle
    world.call("Invoke", FunctionName="order:$LATEST", InvocationType="Event")
    assert world.next_run().operations[0]["ExecutionDetails"] == {"InputPayload": "{}"}


def test_execution_names(world: World) -> None:
    first = world.start('{"a":1}', DurableExecutionName="mine")
    assert ExecutionArn.parse(first.arn).name == "mine"
    again = world.call(
        "Invoke", FunctionName="order:$LATEST", InvocationType="Event", Payload='{"a":1}', DurableExecutionName="mine"
    )
    assert again["DurableExecutionArn"] == first.arn
    assert world.idle
    refusal = world.refused(
        "Invoke", FunctionName="order:$LATEST", InvocationType="Event", Payload='{"a":2}', DurableExecutionName="mine"
    )
    assert refusal.code == "DurableExecutionAlreadyStartedException"
    other = world.start('{"a":1}', function="child:$LATEST", DurableExecutionName="mine")
    assert other.arn != first.arn, "names belong to a function"
    first.succeeds("5")
    assert invoke_sync(world, Payload='{"a":1}', DurableExecutionName="mine")[0]["Payload"] == "5"


def test_same_name_twice_in_one_batch(memory_world: World) -> None:
    replies: list[Any] = []
    for payload in ("1", "1", "2"):
        params = {
            "FunctionName": "order:$LATEST",
            "InvocationType": "Event",
            "DurableExecutionName": "mine",
            "Payload": payload,
        }
        memory_world.service.submit("Invoke", params, replies.append)
    memory_world.service.drain()
    assert replies[0] == replies[1]
    assert isinstance(replies[2], ApiError)
    assert len(memory_world.worker.running) == 1


def test_plain_functions(world: World) -> None:
    replies: list[Any] = []
    params = {"FunctionName": "plain", "Payload": "1", "LogType": "Tail", "TenantId": "t", "ClientContext": "e30="}
    world.service.submit("Invoke", params, replies.append)
    run = world.next_run()
    assert (run.invocation.payload, run.invocation.tenant_id, run.invocation.client_context) == ("1", "t", "e30=")
    assert run.invocation.deadline_ms == world.clock.now_ms() + 900_000
    run.end(InvocationResult("returned", payload="2", log="hi"))
    assert replies.pop() == {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": "2", "LogResult": "aGk="}
    world.service.submit("Invoke", {"FunctionName": "plain:$LATEST"}, replies.append)
    world.next_run().end(InvocationResult("raised", error={"ErrorType": "E", "ErrorMessage": "m", "StackTrace": ["t"]}))
    answer = replies.pop()
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"] == '{"errorMessage":"m","errorType":"E","stackTrace":["t"]}'
    assert world.call("Invoke", FunctionName="plain", InvocationType="Event")["StatusCode"] == 202
    world.next_run().end(InvocationResult("crashed"))


def test_stop(world: World) -> None:
    run = world.start()
    run.checkpoint(wait("w", 5))
    run.suspends()
    answer = world.call("StopDurableExecution", DurableExecutionArn=run.arn, Error={"ErrorType": "Enough"})
    assert answer == {"StopTimestamp": world.clock.now_ms()}
    found = world.get(run.arn)
    assert (found["Status"], found["Error"]) == ("STOPPED", {"ErrorType": "Enough"})
    assert world.history(run.arn)[-1]["ExecutionStoppedDetails"]["Error"]["Payload"] == {"ErrorType": "Enough"}
    world.clock.advance(500)
    assert world.call("StopDurableExecution", DurableExecutionArn=run.arn) == answer, "once more changes nothing"
    world.advance(60)
    assert world.idle
    assert world.kinds(run.arn)[-1] == "ExecutionStopped", "law 7"


def test_stop_without_a_reason_and_too_late(world: World) -> None:
    run = world.start()
    world.call("StopDurableExecution", DurableExecutionArn=run.arn)
    assert world.history(run.arn)[-1]["ExecutionStoppedDetails"] == {"Error": {"Payload": {}, "Truncated": False}}
    run = world.start()
    run.succeeds()
    refusal = world.refused("StopDurableExecution", DurableExecutionArn=run.arn)
    assert refusal.code == "InvalidParameterValueException"
    refusal = world.refused("StopDurableExecution", DurableExecutionArn=run.arn, Error="bad")
    assert "must be an object" in refusal.message


def test_execution_timeout(world: World) -> None:
    world.worker.specs["order"] = FunctionSpec("order", execution_timeout_seconds=60)
    run = world.start()
    assert world.get(run.arn)["ExpectedExecutionTimeoutTimestamp"] == world.clock.now_ms() + 60_000
    assert world.history(run.arn)[0]["ExecutionStartedDetails"]["ExecutionTimeout"] == 60
    world.advance(60)
    assert world.status(run.arn) == "TIMED_OUT"
    assert world.kinds(run.arn)[-1] == "ExecutionTimedOut"
    run.checkpoint(step("a"))
    run.succeeds()
    assert world.status(run.arn) == "TIMED_OUT", "law 5"


def test_pause_between_invocations(world: World) -> None:
    """Law 15."""
    run = world.start()
    run.checkpoint(wait("w", 5), wait("v", 50))
    run.suspends()
    assert world.call("PauseDurableExecution", DurableExecutionArn=run.arn, Reason="lunch") == {}
    found = world.get(run.arn)
    assert found["Status"] == "PAUSED"
    assert found["PauseDetails"] == {
        "PauseRequestTimestamp": world.clock.now_ms(),
        "ExecutionTimeoutPaused": True,
        "Reason": "lunch",
    }
    assert found["ExpectedExecutionTimeoutTimestamp"] == found["StartTimestamp"] + _366_DAYS_MS
    world.advance(5)
    assert world.kinds(run.arn)[-1] == "WaitSucceeded"
    assert world.idle
    world.reopen()
    assert world.call("ResumeDurableExecution", DurableExecutionArn=run.arn, Reason="done") == {}
    assert world.next_run().event["UpdatedOperationIds"] == ["w"]
    paused, _, resumed = world.history(run.arn)[-3:]
    assert paused["ExecutionPausedDetails"]["Reason"] == {"Payload": "lunch", "Truncated": False}
    assert resumed["ExecutionResumedDetails"] == {
        "ResumeRequestTimestamp": world.clock.now_ms(),
        "Reason": {"Payload": "done", "Truncated": False},
    }


def test_resume_with_nothing_new_goes_on_waiting(world: World) -> None:
    run = world.start()
    run.checkpoint(wait("w", 50))
    run.suspends()
    world.call("PauseDurableExecution", DurableExecutionArn=run.arn)
    world.call("ResumeDurableExecution", DurableExecutionArn=run.arn)
    assert world.idle
    assert world.status(run.arn) == "RUNNING"
    world.advance(50)
    assert not world.idle


def test_pause_of_a_running_invocation_takes_hold_at_its_checkpoint(world: World) -> None:
    run = world.start()
    world.call("PauseDurableExecution", DurableExecutionArn=run.arn)
    assert world.status(run.arn) == "PAUSING"
    answer = run.checkpoint(step("a", "SUCCEED", Payload="1"))
    assert "CheckpointToken" not in answer, "revoked"
    assert world.status(run.arn) == "PAUSED"
    assert world.kinds(run.arn)[-2:] == ["StepSucceeded", "ExecutionPaused"]
    run.suspends()
    assert world.status(run.arn) == "PAUSED"
    assert world.idle
    world.call("ResumeDurableExecution", DurableExecutionArn=run.arn)
    run = world.next_run()
    assert run.operations[1]["Id"] == "a"
    run.succeeds()
    assert world.status(run.arn) == "SUCCEEDED"


def test_resumed_before_the_revoked_invocation_ended(world: World) -> None:
    run = world.start()
    world.call("PauseDurableExecution", DurableExecutionArn=run.arn)
    used = run.token
    run.checkpoint()
    world.call("ResumeDurableExecution", DurableExecutionArn=run.arn)
    assert world.idle, "law 10"
    run.token = used
    assert run.refused(step("late")).is_stale_token
    run.suspends()
    world.next_run().succeeds()
    assert world.status(run.arn) == "SUCCEEDED"


@pytest.mark.parametrize("way", ["suspends", "crashes"])
def test_pause_takes_hold_at_the_end_of_the_invocation(world: World, way: str) -> None:
    run = world.start()
    run.checkpoint(callback("c"))
    world.call("PauseDurableExecution", DurableExecutionArn=run.arn)
    getattr(run, way)()
    assert world.status(run.arn) == "PAUSED"
    world.advance(60)
    assert world.idle
    world.call("ResumeDurableExecution", DurableExecutionArn=run.arn)
    assert world.idle is (way == "suspends"), "an interrupted invocation is made up for"


def test_pending_without_reason_is_judged_after_the_pause(world: World) -> None:
    """Law 9 holds for paused executions too."""
    run = world.start()
    world.call("PauseDurableExecution", DurableExecutionArn=run.arn)
    run.suspends()
    assert world.status(run.arn) == "PAUSED"
    world.call("ResumeDurableExecution", DurableExecutionArn=run.arn)
    world.next_run().succeeds()
    assert world.status(run.arn) == "SUCCEEDED"


def test_a_result_ends_a_pausing_execution(world: World) -> None:
    run = world.start()
    world.call("PauseDurableExecution", DurableExecutionArn=run.arn)
    run.succeeds()
    assert world.status(run.arn) == "SUCCEEDED"


def test_resume_cancels_a_pause_that_has_not_taken_hold(world: World) -> None:
    run = world.start()
    world.call("PauseDurableExecution", DurableExecutionArn=run.arn)
    world.call("ResumeDurableExecution", DurableExecutionArn=run.arn)
    assert "CheckpointToken" in run.checkpoint(step("a"))
    assert world.kinds(run.arn) == ["ExecutionStarted", "StepStarted"]


def test_paused_during_backoff(world: World) -> None:
    run = world.start()
    run.crashes()
    world.call("PauseDurableExecution", DurableExecutionArn=run.arn)
    world.advance(10)
    assert world.idle
    world.call("ResumeDurableExecution", DurableExecutionArn=run.arn)
    world.next_run().succeeds()


def test_pause_and_the_execution_timeout(world: World) -> None:
    world.worker.specs["order"] = FunctionSpec("order", execution_timeout_seconds=60)
    extended, strict = world.start(), world.start()
    for run, stops in ((extended, True), (strict, False)):
        run.checkpoint(callback("c"))
        run.suspends()
        world.call("PauseDurableExecution", DurableExecutionArn=run.arn, ExecutionTimeoutPaused=stops)
    world.advance(100)
    assert world.status(strict.arn) == "TIMED_OUT"
    assert world.status(extended.arn) == "PAUSED"
    world.call("ResumeDurableExecution", DurableExecutionArn=extended.arn)
    world.advance(59.999)
    assert world.status(extended.arn) == "RUNNING"
    world.advance(0.001)
    assert world.status(extended.arn) == "TIMED_OUT"


def test_paused_for_ever_times_out_after_366_days(world: World) -> None:
    world.worker.specs["order"] = FunctionSpec("order", execution_timeout_seconds=60)
    run = world.start()
    run.checkpoint(callback("c"))
    run.suspends()
    world.call("PauseDurableExecution", DurableExecutionArn=run.arn)
    world.advance(_366_DAYS_MS / 1000)
    assert world.status(run.arn) == "TIMED_OUT"


def test_pause_and_resume_are_idempotent_by_client_token(world: World) -> None:
    run = world.start()
    arn = run.arn
    conflict = "ResourceConflictException"
    assert world.refused("ResumeDurableExecution", DurableExecutionArn=arn).code == conflict
    world.call("PauseDurableExecution", DurableExecutionArn=arn, ClientToken="p")
    world.call("PauseDurableExecution", DurableExecutionArn=arn, ClientToken="p")
    assert world.refused("PauseDurableExecution", DurableExecutionArn=arn, ClientToken="q").code == conflict
    assert world.refused("PauseDurableExecution", DurableExecutionArn=arn).code == conflict
    world.call("ResumeDurableExecution", DurableExecutionArn=arn, ClientToken="r")
    world.call("ResumeDurableExecution", DurableExecutionArn=arn, ClientToken="r")
    world.call("PauseDurableExecution", DurableExecutionArn=arn, ClientToken="p")
    assert world.status(arn) == "RUNNING", "the first pause again, not another"
    world.clock.advance(15 * 60 * 1000 + 1)
    assert world.refused("ResumeDurableExecution", DurableExecutionArn=arn, ClientToken="r").code == conflict
    run.succeeds()
    for action in ("PauseDurableExecution", "ResumeDurableExecution"):
        assert world.refused(action, DurableExecutionArn=arn).code == conflict


@pytest.mark.parametrize(
    "params", [{"Reason": "x" * 1025}, {"Reason": 5}, {"ClientToken": ""}, {"ExecutionTimeoutPaused": "yes"}]
)
def test_odd_pauses(memory_world: World, params: dict[str, Any]) -> None:
    run = memory_world.start()
    refusal = memory_world.refused("PauseDurableExecution", DurableExecutionArn=run.arn, **params)
    assert refusal.code == "InvalidParameterValueException"
    assert memory_world.status(run.arn) == "RUNNING"


def test_delete(world: World) -> None:
    run = world.start(DurableExecutionName="mine")
    assert world.refused("DeleteDurableExecution", DurableExecutionArn=run.arn).code == "ResourceConflictException"
    run.succeeds()
    answer = world.call("DeleteDurableExecution", DurableExecutionArn=run.arn)
    assert answer == {"DeletionRequestTimestamp": world.clock.now_ms()}
    assert world.refused("GetDurableExecution", DurableExecutionArn=run.arn).code == "ResourceNotFoundException"
    assert world.call("ListDurableExecutionsByFunction", FunctionName="order")["DurableExecutions"] == []
    world.start('{"other":1}', DurableExecutionName="mine").succeeds()


@pytest.mark.parametrize(
    "action",
    [
        "GetDurableExecution",
        "GetDurableExecutionHistory",
        "StopDurableExecution",
        "PauseDurableExecution",
        "ResumeDurableExecution",
        "DeleteDurableExecution",
    ],
)
def test_which_execution(memory_world: World, action: str) -> None:
    run = memory_world.start()
    unknown = run.arn[:-1] + "f"
    assert memory_world.refused(action, DurableExecutionArn=unknown).code == "ResourceNotFoundException"
    other_name = run.arn.replace("/durable-execution/0", "/durable-execution/x0")
    assert memory_world.refused(action, DurableExecutionArn=other_name).code == "ResourceNotFoundException"
    for odd in ("nonsense", None, 5):
        assert memory_world.refused(action, DurableExecutionArn=odd).code == "InvalidParameterValueException"


def test_unknown_action(memory_world: World) -> None:
    refusal = memory_world.refused("FlyToTheMoon")
    assert "GetDurableExecution" in refusal.message


def test_retention(world: World) -> None:
    kept, gone = world.start(), world.start(function="child:$LATEST")
    kept.succeeds()
    gone.succeeds()
    assert world.service.next_timer_ms() is None, "virtual time need not stop for the housekeeping"
    world.reopen()
    world.advance(86_399)
    assert world.status(gone.arn) == "SUCCEEDED"
    world.advance(1)
    assert world.refused("GetDurableExecution", DurableExecutionArn=gone.arn).code == "ResourceNotFoundException"
    assert world.status(kept.arn) == "SUCCEEDED"
    world.advance(13 * 86_400)
    assert world.refused("GetDurableExecution", DurableExecutionArn=kept.arn).code == "ResourceNotFoundException"


def test_limits_come_from_the_config() -> None:
    world = World(MemoryStore(), max_operation_payload=10, max_async_payload=20, max_error_bytes=5, region="eu-west-1")
    run = world.start('"twenty characters"')
    assert ":eu-west-1:" in run.arn
    assert "10" in run.refused(step("a", "SUCCEED", Payload="x" * 11)).message
    assert "5" in run.refused(step("a", "FAIL", Error={"ErrorType": "sixsix"})).message
    run.succeeds("x" * 21)
    assert world.status(run.arn) == "FAILED"
    world.service.close()
