"""Every action, asked by boto3 and answered as the service model says."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .scripted import ScriptedWorker, Turn

OPERATION = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"
NOW = datetime.now(UTC)
LONG_AGO, SOON = NOW - timedelta(days=1), NOW + timedelta(days=1)


def start(api: Any, worker: ScriptedWorker, name: str | None = None, payload: Any = None) -> Turn:
    """Begin an execution of the function that the test plays, and take its first invocation."""
    named = {"DurableExecutionName": name} if name else {}
    answer = api.invoke(
        FunctionName="held", Qualifier="$LATEST", InvocationType="Event", Payload=json.dumps(payload), **named
    )
    turn = worker.take()
    assert turn.arn == answer["DurableExecutionArn"]
    return turn


def finish(api: Any, turn: Turn, result: Any = None) -> None:
    """Let the function return, and wait until its execution has ended: a worker's report is not answered."""
    turn.succeed(result)
    name = turn.arn.split("/")[-2]
    same = api.invoke(FunctionName="held:$LATEST", DurableExecutionName=name, Payload=json.dumps(turn.input))
    same["Payload"].close()
    assert same["DurableExecutionArn"] == turn.arn


def update(kind: str, action: str, **members: Any) -> dict[str, Any]:
    return {"Id": OPERATION, "Type": kind, "Action": action, **members}


def create_callback(api: Any, turn: Turn, **options: int) -> tuple[str, str]:
    """(callback id, next token)"""
    settings = {"TimeoutSeconds": 0, "HeartbeatTimeoutSeconds": 0, **options}
    answer = api.checkpoint_durable_execution(
        DurableExecutionArn=turn.arn,
        CheckpointToken=turn.token,
        Updates=[update("CALLBACK", "START", Name="approval", CallbackOptions=settings)],
    )
    (operation,) = answer["NewExecutionState"]["Operations"]
    return operation["CallbackDetails"]["CallbackId"], answer["CheckpointToken"]


def test_checkpoint(api: Any, worker: ScriptedWorker) -> None:
    turn = start(api, worker)
    answer = api.checkpoint_durable_execution(
        DurableExecutionArn=turn.arn,
        CheckpointToken=turn.token,
        Updates=[
            update("STEP", "START", Name="charge", SubType="Step"),
            update("STEP", "SUCCEED", Name="charge", SubType="Step", Payload='"ünï\\u0000 \U0001f680"'),
        ],
    )
    assert answer["CheckpointToken"] != turn.token
    (operation,) = answer["NewExecutionState"]["Operations"]
    assert operation["Status"] == "SUCCEEDED"
    assert operation["StepDetails"]["Result"] == '"ünï\\u0000 \U0001f680"'
    assert abs(operation["EndTimestamp"].timestamp() - time.time()) < 60
    refreshed = api.checkpoint_durable_execution(
        DurableExecutionArn=turn.arn, CheckpointToken=answer["CheckpointToken"], Updates=[]
    )
    assert refreshed["CheckpointToken"] != answer["CheckpointToken"]


def test_a_repeated_client_token_is_answered_again(api: Any, worker: ScriptedWorker) -> None:
    turn = start(api, worker)
    request = {
        "DurableExecutionArn": turn.arn,
        "CheckpointToken": turn.token,
        "ClientToken": "once",
        "Updates": [update("STEP", "START")],
    }
    first = api.checkpoint_durable_execution(**request)
    second = api.checkpoint_durable_execution(**request)
    assert second["CheckpointToken"] == first["CheckpointToken"]


def test_every_kind_of_update(api: Any, worker: ScriptedWorker) -> None:
    turn = start(api, worker)
    updates = [
        {"Id": "c", "Type": "CONTEXT", "Action": "START", "Name": "child", "SubType": "RunInChildContext"},
        {"Id": "s", "ParentId": "c", "Type": "STEP", "Action": "START", "Name": "a step"},
        {
            "Id": "s",
            "ParentId": "c",
            "Type": "STEP",
            "Action": "RETRY",
            "Error": {"ErrorType": "E", "ErrorMessage": "m", "ErrorData": "d", "StackTrace": ["a", "b"]},
            "StepOptions": {"NextAttemptDelaySeconds": 3600},
        },
        {"Id": "c", "Type": "CONTEXT", "Action": "SUCCEED", "Payload": "1", "ContextOptions": {"ReplayChildren": True}},
        {"Id": "w", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 31_622_400}},
        {"Id": "k", "Type": "CALLBACK", "Action": "START", "CallbackOptions": {"TimeoutSeconds": 99_999_999}},
        {
            "Id": "i",
            "Type": "CHAINED_INVOKE",
            "Action": "START",
            "Payload": "7",
            "ChainedInvokeOptions": {"FunctionName": "echo:$LATEST", "TenantId": "t", "XAmznTraceId": "Root=1"},
        },
    ]
    token = turn.token
    for one in updates:
        answer = api.checkpoint_durable_execution(DurableExecutionArn=turn.arn, CheckpointToken=token, Updates=[one])
        token = answer["CheckpointToken"]
    turn.suspend()
    state = api.get_durable_execution_history(DurableExecutionArn=turn.arn)
    kinds = [event["EventType"] for event in state["Events"]]
    assert kinds[:7] == [
        "ExecutionStarted",
        "ContextStarted",
        "StepStarted",
        "StepFailed",
        "ContextSucceeded",
        "WaitStarted",
        "CallbackStarted",
    ]


def test_state_in_pages(api: Any, worker: ScriptedWorker) -> None:
    turn = start(api, worker)
    answer = api.checkpoint_durable_execution(
        DurableExecutionArn=turn.arn,
        CheckpointToken=turn.token,
        Updates=[{"Id": f"s{n}", "Type": "STEP", "Action": "START"} for n in range(5)],
    )
    pages = list(
        api.get_paginator("get_durable_execution_state").paginate(
            DurableExecutionArn=turn.arn,
            CheckpointToken=answer["CheckpointToken"],
            PaginationConfig={"PageSize": 2},
        )
    )
    assert [len(page["Operations"]) for page in pages] == [2, 2, 2]
    ids = [operation["Id"] for page in pages for operation in page["Operations"]]
    assert ids[1:] == ["s0", "s1", "s2", "s3", "s4"]


def test_get(api: Any, worker: ScriptedWorker) -> None:
    turn = start(api, worker, name="order-7", payload={"id": 7})
    running = api.get_durable_execution(DurableExecutionArn=turn.arn)
    assert running["DurableExecutionName"] == "order-7"
    assert running["Status"] == "RUNNING"
    assert json.loads(running["InputPayload"]) == {"id": 7}
    assert running["ExpectedExecutionTimeoutTimestamp"] > SOON
    finish(api, turn, "done")
    ended = api.get_durable_execution(DurableExecutionArn=turn.arn, IncludeExecutionData=True)
    assert (ended["Status"], ended["Result"]) == ("SUCCEEDED", '"done"')
    assert ended["EndTimestamp"] >= ended["StartTimestamp"]
    bare = api.get_durable_execution(DurableExecutionArn=turn.arn, IncludeExecutionData=False)
    assert not {"InputPayload", "Result"} & bare.keys()


def test_get_a_failed_execution(api: Any, worker: ScriptedWorker) -> None:
    turn = start(api, worker)
    turn.answer({"Status": "FAILED", "Error": {"ErrorType": "E", "ErrorMessage": "m", "StackTrace": ["line"]}})
    found = api.get_durable_execution(DurableExecutionArn=turn.arn)
    assert (found["Status"], found["Error"]["StackTrace"]) == ("FAILED", ["line"])


def test_history(api: Any, worker: ScriptedWorker) -> None:
    turn = start(api, worker, payload="secret")
    api.checkpoint_durable_execution(
        DurableExecutionArn=turn.arn,
        CheckpointToken=turn.token,
        Updates=[update("STEP", "START"), update("STEP", "SUCCEED", Payload='"secret"')],
    )
    finish(api, turn, "secret")
    kinds = ["ExecutionStarted", "StepStarted", "StepSucceeded", "InvocationCompleted", "ExecutionSucceeded"]
    whole = api.get_durable_execution_history(DurableExecutionArn=turn.arn)
    assert [event["EventType"] for event in whole["Events"]] == kinds
    assert [event["EventId"] for event in whole["Events"]] == [1, 2, 3, 4, 5]
    bare = api.get_durable_execution_history(DurableExecutionArn=turn.arn, IncludeExecutionData=False)
    assert "secret" in str(whole["Events"])
    assert "secret" not in str(bare["Events"])
    paginate = api.get_paginator("get_durable_execution_history").paginate
    for newest_first in (False, True):
        pages = list(
            paginate(DurableExecutionArn=turn.arn, ReverseOrder=newest_first, PaginationConfig={"PageSize": 2})
        )
        assert [len(page["Events"]) for page in pages] == [2, 2, 1]
        found = [event["EventType"] for page in pages for event in page["Events"]]
        assert found == (kinds[::-1] if newest_first else kinds)


@pytest.mark.parametrize("name", ["held", "held:$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:held"])
def test_list(api: Any, worker: ScriptedWorker, name: str) -> None:
    turns = [start(api, worker, name=f"n{index}") for index in range(3)]
    finish(api, turns[0])

    def names(**filters: Any) -> list[str]:
        answer = api.list_durable_executions_by_function(FunctionName=name, **filters)
        return [found["DurableExecutionName"] for found in answer["DurableExecutions"]]

    assert names() == ["n2", "n1", "n0"]
    assert names(ReverseOrder=True) == ["n0", "n1", "n2"]
    assert names(Statuses=["RUNNING"]) == ["n2", "n1"]
    assert names(Statuses=["SUCCEEDED", "FAILED"]) == ["n0"]
    assert names(DurableExecutionName="n1") == ["n1"]
    assert names(Qualifier="$LATEST", StartedAfter=LONG_AGO, StartedBefore=SOON) == ["n2", "n1", "n0"]
    assert names(StartedAfter=SOON) == []
    assert names(StartedBefore=LONG_AGO) == []
    pages = api.get_paginator("list_durable_executions_by_function").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["DurableExecutions"]) for page in pages] == [2, 1]


@pytest.mark.parametrize("error", [{}, {"Error": {"ErrorType": "Operator", "ErrorMessage": "mistake"}}])
def test_stop(api: Any, worker: ScriptedWorker, error: dict[str, Any]) -> None:
    turn = start(api, worker)
    stopped = api.stop_durable_execution(DurableExecutionArn=turn.arn, **error)
    found = api.get_durable_execution(DurableExecutionArn=turn.arn)
    assert (found["Status"], found["EndTimestamp"]) == ("STOPPED", stopped["StopTimestamp"])
    if error:
        assert found["Error"] == error["Error"]


def test_pause_and_resume(api: Any, worker: ScriptedWorker) -> None:
    turn = start(api, worker)
    create_callback(api, turn)
    turn.suspend()
    paused = api.pause_durable_execution(
        DurableExecutionArn=turn.arn, Reason="stocktaking", ExecutionTimeoutPaused=False
    )
    assert paused["ResponseMetadata"]["HTTPStatusCode"] == 202
    found = api.get_durable_execution(DurableExecutionArn=turn.arn)
    assert found["Status"] == "PAUSED"
    assert found["PauseDetails"]["Reason"] == "stocktaking"
    assert found["PauseDetails"]["ExecutionTimeoutPaused"] is False
    resumed = api.resume_durable_execution(DurableExecutionArn=turn.arn, Reason="done")
    assert resumed["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert "PauseDetails" not in api.get_durable_execution(DurableExecutionArn=turn.arn)
    history = api.get_durable_execution_history(DurableExecutionArn=turn.arn)["Events"]
    pause, resume = (event for event in history if event["EventType"] in ("ExecutionPaused", "ExecutionResumed"))
    assert pause["ExecutionPausedDetails"]["Reason"]["Payload"] == "stocktaking"
    assert resume["ExecutionResumedDetails"]["Reason"]["Payload"] == "done"


def test_delete(api: Any, worker: ScriptedWorker) -> None:
    turn = start(api, worker)
    finish(api, turn)
    deleted = api.delete_durable_execution(DurableExecutionArn=turn.arn)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert abs(deleted["DeletionRequestTimestamp"].timestamp() - time.time()) < 60
    left = api.list_durable_executions_by_function(FunctionName="held")["DurableExecutions"]
    assert left == [] or left[0]["Status"] == "DELETING"


@pytest.mark.parametrize("result", [b'"yes"', b"plain text", "süß".encode(), b"", None])
def test_callback_success(api: Any, worker: ScriptedWorker, result: bytes | None) -> None:
    turn = start(api, worker)
    callback, _ = create_callback(api, turn)
    turn.suspend()
    given = {} if result is None else {"Result": result}
    api.send_durable_execution_callback_success(CallbackId=callback, **given)
    operation = worker.take().operations[-1]
    assert operation["Status"] == "SUCCEEDED"
    assert operation["CallbackDetails"].get("Result", "") == (result or b"").decode()


@pytest.mark.parametrize("error", [None, {"ErrorType": "Refused", "ErrorMessage": "no", "ErrorData": "{}"}])
def test_callback_failure(api: Any, worker: ScriptedWorker, error: dict[str, str] | None) -> None:
    turn = start(api, worker)
    callback, _ = create_callback(api, turn)
    turn.suspend()
    api.send_durable_execution_callback_failure(CallbackId=callback, **({"Error": error} if error else {}))
    operation = worker.take().operations[-1]
    assert operation["Status"] == "FAILED"
    if error:
        assert operation["CallbackDetails"]["Error"] == error


def test_callback_heartbeat(api: Any, worker: ScriptedWorker) -> None:
    turn = start(api, worker)
    callback, _ = create_callback(api, turn, HeartbeatTimeoutSeconds=3600)
    api.send_durable_execution_callback_heartbeat(CallbackId=callback)
    found = api.get_durable_execution_history(DurableExecutionArn=turn.arn)["Events"][-1]
    assert found["CallbackStartedDetails"]["HeartbeatTimeout"] == 3600
