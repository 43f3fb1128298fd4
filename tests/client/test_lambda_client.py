"""LambdaClient's two calls, with real boto3 on the same server as the oracle of what goes over the wire."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import boto3
import pytest

from durably.client import AsyncDurableServiceClient, Boto3Client, DurableServiceClient, LambdaClient
from durably.wire.api_errors import ApiError
from durably.wire.shapes import OperationUpdate

from .conftest import ARN, FakeClock, ScriptedServer, answer

UPDATES: list[OperationUpdate] = [
    {"Id": "1ced", "Type": "STEP", "Action": "START", "Name": "grüße", "SubType": "Step"},
    {
        "Id": "1ced",
        "Type": "STEP",
        "Action": "RETRY",
        "Error": {"ErrorType": "ValueError", "ErrorMessage": "☃", "StackTrace": ["a", "b"]},
        "StepOptions": {"NextAttemptDelaySeconds": 3},
    },
]
OPERATIONS = [
    {"Id": "e", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1795232706.428},
    {
        "Id": "1ced",
        "Type": "STEP",
        "Status": "PENDING",
        "Name": None,
        "StartTimestamp": 1795232706,
        "StepDetails": {"Attempt": 1, "NextAttemptTimestamp": 1795232709.001, "Result": None},
    },
    {
        "Id": "c5fa",
        "Type": "WAIT",
        "Status": "SUCCEEDED",
        "StartTimestamp": 1795232706.1,
        "EndTimestamp": 1795232707.751,
        "WaitDetails": {"ScheduledEndTimestamp": 1795232707.75},
    },
    {
        "Id": "d",
        "Type": "CONTEXT",
        "Status": "SUCCEEDED",
        "StartTimestamp": "2026-11-21T05:05:06.428Z",
        "ContextDetails": {"Result": '{"StartTimestamp": 1.5, "x": null}'},
    },
]
STATE = {"Operations": OPERATIONS, "NextMarker": ""}


@pytest.fixture
def client(server: ScriptedServer, clock: FakeClock, credentials: None) -> LambdaClient:
    return LambdaClient(endpoint_url=server.url, clock=clock)


@pytest.fixture
def boto(server: ScriptedServer, credentials: None) -> Any:
    client = boto3.client("lambda", "us-west-2", endpoint_url=server.url)
    yield client
    client.close()


def body(shape: object) -> Any:
    return answer(body=json.dumps(shape).encode())


def test_it_is_what_the_protocol_says(client: LambdaClient) -> None:
    typed: DurableServiceClient = client
    assert isinstance(typed, DurableServiceClient)
    assert isinstance(typed, AsyncDurableServiceClient)  # by names only: both are runtime-checkable for duck typing


def test_a_checkpoint_is_sent_as_boto3_sends_it(server: ScriptedServer, client: LambdaClient, boto: Any) -> None:
    server.default = body({"CheckpointToken": "t2", "NewExecutionState": STATE})
    client.checkpoint(ARN, "t1", UPDATES, "my-token")
    boto.checkpoint_durable_execution(
        DurableExecutionArn=ARN, CheckpointToken="t1", Updates=UPDATES, ClientToken="my-token"
    )
    ours, theirs = server.requests
    assert (ours.method, ours.target) == (theirs.method, theirs.target)
    assert json.loads(ours.body) == json.loads(theirs.body)
    assert ours.headers["content-type"] == theirs.headers["content-type"] == "application/json"


def test_a_page_of_state_is_asked_for_as_boto3_asks(server: ScriptedServer, client: LambdaClient, boto: Any) -> None:
    server.default = body(STATE)
    client.get_state(ARN, "t/+=", "marker/ü", 17)
    boto.get_durable_execution_state(DurableExecutionArn=ARN, CheckpointToken="t/+=", Marker="marker/ü", MaxItems=17)
    client.get_state(ARN, "t", None)
    ours, theirs, plain = server.requests
    assert (ours.method, ours.path, ours.query, ours.body) == (theirs.method, theirs.path, theirs.query, theirs.body)
    assert plain.query == ["CheckpointToken=t", "MaxItems=1000"]


def test_answers_are_in_event_form_and_the_same_as_through_boto3(
    server: ScriptedServer, client: LambdaClient, boto: Any
) -> None:
    server.default = body({"CheckpointToken": "t2", "NewExecutionState": STATE})
    ours = client.checkpoint(ARN, "t1", [], None)
    assert ours == Boto3Client(boto).checkpoint(ARN, "t1", [], None)
    assert ours["CheckpointToken"] == "t2"
    step, wait, context = ours["NewExecutionState"]["Operations"][1:]
    assert step["StepDetails"] == {"Attempt": 1, "NextAttemptTimestamp": 1795232709001}
    assert "Name" not in step
    assert (wait["StartTimestamp"], wait["EndTimestamp"]) == (1795232706100, 1795232707751)
    assert wait["WaitDetails"] == {"ScheduledEndTimestamp": 1795232707750}
    assert context["StartTimestamp"] == 1795237506428
    assert context["ContextDetails"] == {"Result": '{"StartTimestamp": 1.5, "x": null}'}
    assert "NextMarker" not in ours["NewExecutionState"]


def test_a_page_of_state_is_the_same_as_through_boto3(server: ScriptedServer, client: LambdaClient, boto: Any) -> None:
    server.default = body({"Operations": OPERATIONS, "NextMarker": "more"})
    ours = client.get_state(ARN, "t1", None)
    assert ours == Boto3Client(boto).get_state(ARN, "t1", None)
    assert ours["NextMarker"] == "more"


@pytest.mark.parametrize("shape", [{}, {"NewExecutionState": None}, {"NewExecutionState": {"Operations": None}}])
def test_an_answer_with_nothing_new_has_an_empty_state(
    server: ScriptedServer, client: LambdaClient, shape: object
) -> None:
    server.default = body(shape)
    assert client.checkpoint(ARN, "t1", [], None) == {"NewExecutionState": {"Operations": []}}


def test_a_repeated_checkpoint_carries_the_same_idempotency_token(server: ScriptedServer, client: LambdaClient) -> None:
    server.scenes = [answer(500), answer(503), body({"NewExecutionState": STATE})]
    client.checkpoint(ARN, "t1", UPDATES, None)
    assert [json.loads(request.body)["ClientToken"] for request in server.requests] == ["client-token-1"] * 3


def test_every_checkpoint_has_a_token_of_its_own(server: ScriptedServer, credentials: None) -> None:
    server.default = body({"NewExecutionState": STATE})
    client = LambdaClient(endpoint_url=server.url)
    for _ in range(3):
        client.checkpoint(ARN, "t1", [], None)
    tokens = {json.loads(request.body)["ClientToken"] for request in server.requests}
    assert len(tokens) == 3
    assert all(1 <= len(token) <= 64 for token in tokens)


def test_a_stale_token_is_told_apart(server: ScriptedServer, client: LambdaClient) -> None:
    server.default = answer(
        400,
        b'{"Type":"User","message":"Invalid Checkpoint Token: it was used"}',
        headers="x-amzn-ErrorType: InvalidParameterValueException\r\n",
    )
    with pytest.raises(ApiError) as raised:
        client.checkpoint(ARN, "t1", [], None)
    assert raised.value.is_stale_token
    assert len(server.requests) == 1


def test_many_executions_in_one_process(server: ScriptedServer, client: LambdaClient) -> None:
    server.default = body({"NewExecutionState": STATE})
    for n in range(130):
        client.checkpoint(f"{ARN}-{n}", "t1", [], None)
    assert len({request.path for request in server.requests}) == 130
    assert server.connections == 1


def test_the_async_calls_do_not_hold_the_loop(server: ScriptedServer, client: LambdaClient) -> None:
    asked = threading.Event()
    allowed = threading.Event()
    reply = body({"CheckpointToken": "t2", "NewExecutionState": STATE})

    def wait_for_the_loop(sock: Any) -> bool:
        asked.set()
        assert allowed.wait(60)
        return bool(reply(sock))

    server.scenes = [wait_for_the_loop, body(STATE)]

    async def main() -> None:
        call = asyncio.create_task(client.acheckpoint(ARN, "t1", UPDATES, None))
        assert await asyncio.to_thread(asked.wait, 60)
        allowed.set()  # only a loop that runs gets here
        assert (await call).get("CheckpointToken") == "t2"
        assert len((await client.aget_state(ARN, "t1", None))["Operations"]) == 4

    asyncio.run(main())
    client.close()


def test_async_errors_are_the_same(server: ScriptedServer, client: LambdaClient) -> None:
    server.default = answer(400, headers="x-amzn-ErrorType: InvalidParameterValueException\r\n")
    with pytest.raises(ApiError, match="InvalidParameterValueException"):
        asyncio.run(client.acheckpoint(ARN, "t1", [], None))
    client.close()


def test_its_repr_says_where_it_sends(client: LambdaClient, server: ScriptedServer) -> None:
    assert repr(client) == f"LambdaClient(region='us-west-2', endpoint_url='{server.url}')"
