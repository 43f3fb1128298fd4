"""Every action of the management client beside real boto3: the same request, the same result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from durably.client import LambdaApi
from durably.wire.api_errors import ApiError

from .conftest import ARN, FakeClock, ScriptedServer, answer, hang_up

CALLBACK = "a+/b=="
ERROR = {"ErrorType": "Refused", "ErrorMessage": "no"}
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
MOMENT_MS = 1767323045678

CASES: list[tuple[str, str, dict[str, Any], dict[str, Any] | None]] = [
    (
        "CheckpointDurableExecution",
        "checkpoint_durable_execution",
        {"DurableExecutionArn": ARN, "CheckpointToken": "t", "Updates": [], "ClientToken": "c"},
        None,
    ),
    (
        "GetDurableExecutionState",
        "get_durable_execution_state",
        {"DurableExecutionArn": ARN, "CheckpointToken": "t", "MaxItems": 3},
        None,
    ),
    ("GetDurableExecution", "get_durable_execution", {"DurableExecutionArn": ARN, "IncludeExecutionData": False}, None),
    (
        "GetDurableExecutionHistory",
        "get_durable_execution_history",
        {"DurableExecutionArn": ARN, "ReverseOrder": True, "MaxItems": 10, "Marker": "m"},
        None,
    ),
    (
        "ListDurableExecutionsByFunction",
        "list_durable_executions_by_function",
        {
            "FunctionName": "f",
            "Qualifier": "$LATEST",
            "DurableExecutionName": "n",
            "Statuses": ["RUNNING", "FAILED"],
            "StartedAfter": MOMENT_MS,
            "ReverseOrder": False,
        },
        {"StartedAfter": MOMENT},
    ),
    ("StopDurableExecution", "stop_durable_execution", {"DurableExecutionArn": ARN, "Error": ERROR}, None),
    ("StopDurableExecution", "stop_durable_execution", {"DurableExecutionArn": ARN}, None),
    (
        "PauseDurableExecution",
        "pause_durable_execution",
        {"DurableExecutionArn": ARN, "ClientToken": "c", "Reason": "r", "ExecutionTimeoutPaused": False},
        None,
    ),
    ("ResumeDurableExecution", "resume_durable_execution", {"DurableExecutionArn": ARN, "ClientToken": "c"}, None),
    ("DeleteDurableExecution", "delete_durable_execution", {"DurableExecutionArn": ARN}, None),
    (
        "SendDurableExecutionCallbackSuccess",
        "send_durable_execution_callback_success",
        {"CallbackId": CALLBACK, "Result": '{"ü": 1}'},
        {"Result": '{"ü": 1}'.encode()},
    ),
    ("SendDurableExecutionCallbackSuccess", "send_durable_execution_callback_success", {"CallbackId": CALLBACK}, None),
    (
        "SendDurableExecutionCallbackFailure",
        "send_durable_execution_callback_failure",
        {"CallbackId": CALLBACK, "Error": ERROR},
        None,
    ),
    (
        "SendDurableExecutionCallbackHeartbeat",
        "send_durable_execution_callback_heartbeat",
        {"CallbackId": CALLBACK},
        None,
    ),
    (
        "Invoke",
        "invoke",
        {
            "FunctionName": "f",
            "Qualifier": "$LATEST",
            "InvocationType": "Event",
            "LogType": "Tail",
            "ClientContext": "e30=",
            "DurableExecutionName": "n",
            "TenantId": "acme",
            "Payload": '{"a": 1}',
        },
        None,
    ),
]


@pytest.fixture
def boto(server: ScriptedServer, credentials: None) -> Iterator[Any]:
    client = boto3.client("lambda", "us-west-2", endpoint_url=server.url)
    yield client
    client.close()


@pytest.fixture
def api(server: ScriptedServer, clock: FakeClock, credentials: None) -> LambdaApi:
    return LambdaApi(endpoint_url=server.url, clock=clock)


@pytest.mark.parametrize(("action", "method", "params", "for_boto"), CASES, ids=[case[0] for case in CASES])
def test_every_action_is_sent_as_boto3_sends_it(
    server: ScriptedServer,
    api: LambdaApi,
    boto: Any,
    action: str,
    method: str,
    params: dict[str, Any],
    for_boto: dict[str, Any] | None,
) -> None:
    server.default = answer(body=b'{"NewExecutionState": {}}')
    api.call(action, **params)
    getattr(boto, method)(**{**params, **(for_boto or {})})
    ours, theirs = server.requests
    assert (ours.method, ours.path, ours.query) == (theirs.method, theirs.path, theirs.query)
    if ours.body == b"{}" or not theirs.body:
        assert ours.body in (b"{}", theirs.body)  # an absent ErrorObject may be an empty object
    elif ours.headers.get("content-type") == "application/json":
        assert json.loads(ours.body) == json.loads(theirs.body)
    else:
        assert ours.body == theirs.body
    durable = {name for name in theirs.headers if name.startswith("x-amz-")} - {"x-amz-user-agent"}
    assert {name: ours.headers.get(name) for name in durable - {"x-amz-date"}} == {
        name: theirs.headers[name] for name in durable - {"x-amz-date"}
    }


def test_results_have_timestamps_in_milliseconds(server: ScriptedServer, api: LambdaApi) -> None:
    server.default = answer(
        body=b'{"Events":[{"EventType":"WaitStarted","EventId":1,"EventTimestamp":1795232706.5,'
        b'"WaitStartedDetails":{"Duration":3,"ScheduledEndTimestamp":1795232709.5}}],"NextMarker":null}'
    )
    assert api.call("GetDurableExecutionHistory", DurableExecutionArn=ARN) == {
        "Events": [
            {
                "EventType": "WaitStarted",
                "EventId": 1,
                "EventTimestamp": 1795232706500,
                "WaitStartedDetails": {"Duration": 3, "ScheduledEndTimestamp": 1795232709500},
            }
        ]
    }


def test_a_synchronous_invoke_returns_what_its_headers_say(server: ScriptedServer, api: LambdaApi) -> None:
    server.default = answer(
        200,
        '"grüße"'.encode(),
        headers=f"X-Amz-Durable-Execution-Arn: {ARN}\r\nX-Amz-Executed-Version: $LATEST\r\n"
        "X-Amz-Function-Error: Unhandled\r\nX-Amz-Log-Result: bG9n\r\n",
    )
    assert api.call("Invoke", FunctionName="f") == {
        "StatusCode": 200,
        "DurableExecutionArn": ARN,
        "ExecutedVersion": "$LATEST",
        "FunctionError": "Unhandled",
        "LogResult": "bG9n",
        "Payload": '"grüße"',
    }


def test_an_invoke_is_repeated_only_under_a_name(server: ScriptedServer, api: LambdaApi) -> None:
    server.scenes = [hang_up, hang_up, answer(202, b"")]
    with pytest.raises(ApiError):
        api.call("Invoke", FunctionName="f", InvocationType="Event")
    assert len(server.requests) == 1
    assert api.call("Invoke", FunctionName="f", InvocationType="Event", DurableExecutionName="n")["StatusCode"] == 202


def test_pages_follow_the_markers(server: ScriptedServer, api: LambdaApi) -> None:
    server.scenes = [
        answer(body=b'{"Events":[1,2],"NextMarker":"a"}'),
        answer(body=b'{"Events":[],"NextMarker":"b"}'),
        answer(body=b'{"Events":[3]}'),
    ]
    assert list(api.pages("GetDurableExecutionHistory", "Events", DurableExecutionArn=ARN)) == [1, 2, 3]
    assert [request.query for request in server.requests] == [[], ["Marker=a"], ["Marker=b"]]


def test_an_idempotency_token_is_added_where_there_is_one(server: ScriptedServer, api: LambdaApi) -> None:
    server.default = answer(202, b"")
    assert api.call("PauseDurableExecution", DurableExecutionArn=ARN) == {}
    assert json.loads(server.requests[0].body) == {"ClientToken": "client-token-1"}


@pytest.mark.parametrize(
    ("action", "params", "complaint"),
    [
        ("Explode", {}, "there is no action 'Explode'; the actions are Invoke, Checkpoint"),
        ("GetDurableExecution", {}, "GetDurableExecution needs DurableExecutionArn"),
        ("GetDurableExecution", {"DurableExecutionArn": ""}, "GetDurableExecution needs DurableExecutionArn"),
        ("GetDurableExecution", {"DurableExecutionArn": ARN, "Foo": 1}, "has no member Foo; it has Durable"),
        ("Invoke", {"FunctionName": "f", "Name": "n"}, "Invoke has no member Name"),
    ],
)
def test_what_the_model_does_not_have_is_refused(
    api: LambdaApi, action: str, params: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(TypeError, match=complaint):
        api.call(action, **params)
