"""Every error of the model that this service can answer with, as boto3's exception for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from durably.service.kernel import Service

from .scripted import ScriptedWorker
from .test_actions import create_callback, finish, start, update

UNKNOWN = "arn:aws:lambda:us-east-1:000000000000:function:held:$LATEST/durable-execution/n/nothing"
NO_CALLBACK = "MTpub3RoaW5nOjA="

ON_EXECUTION = [
    "get_durable_execution",
    "get_durable_execution_history",
    "stop_durable_execution",
    "pause_durable_execution",
    "resume_durable_execution",
    "delete_durable_execution",
]
ON_CALLBACK = [
    "send_durable_execution_callback_success",
    "send_durable_execution_callback_failure",
    "send_durable_execution_callback_heartbeat",
]


def test_the_executions_of_a_function_that_does_not_exist(api: Any) -> None:
    with pytest.raises(api.exceptions.ResourceNotFoundException, match=r"Function not found: .*:nobody:"):
        api.list_durable_executions_by_function(FunctionName="nobody")


@pytest.mark.parametrize("action", ON_EXECUTION)
def test_an_execution_that_does_not_exist(api: Any, action: str) -> None:
    with pytest.raises(api.exceptions.ResourceNotFoundException, match="nothing"):
        getattr(api, action)(DurableExecutionArn=UNKNOWN)


@pytest.mark.parametrize("action", ON_EXECUTION)
def test_what_is_not_an_arn(api: Any, action: str) -> None:
    with pytest.raises(api.exceptions.InvalidParameterValueException, match="'order 7/8'"):
        getattr(api, action)(DurableExecutionArn="order 7/8")


@pytest.mark.parametrize("action", ON_CALLBACK)
def test_a_callback_that_does_not_exist(api: Any, action: str) -> None:
    with pytest.raises(api.exceptions.ResourceNotFoundException, match="callback"):
        getattr(api, action)(CallbackId=NO_CALLBACK)


@pytest.mark.parametrize("action", ON_CALLBACK)
def test_what_is_not_a_callback_id(api: Any, action: str) -> None:
    with pytest.raises(api.exceptions.InvalidParameterValueException, match="'no callback'"):
        getattr(api, action)(CallbackId="no callback")


@pytest.mark.parametrize("action", ON_CALLBACK)
def test_a_callback_that_was_answered(api: Any, worker: ScriptedWorker, action: str) -> None:
    turn = start(api, worker)
    callback, _ = create_callback(api, turn)
    api.send_durable_execution_callback_success(CallbackId=callback)
    with pytest.raises(api.exceptions.CallbackTimeoutException):
        getattr(api, action)(CallbackId=callback)


def test_a_callback_result_that_is_too_long(api: Any, worker: ScriptedWorker) -> None:
    turn = start(api, worker)
    callback, _ = create_callback(api, turn)
    with pytest.raises(api.exceptions.InvalidParameterValueException, match="1,048,577"):
        api.send_durable_execution_callback_success(CallbackId=callback, Result=b"x" * (1024 * 1024 + 1))


@pytest.mark.parametrize("action", ["checkpoint_durable_execution", "get_durable_execution_state"])
@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("", "Invalid checkpoint token"),
        ("aws-durable-execution-sdk-python/3.0.0", "Invalid checkpoint token"),
        ("aws-durable-execution-sdk-python/2.0.1-bundled", "Invalid checkpoint token"),
        ("aws-durable-execution-sdk-python/10.0.0", "Invalid checkpoint token"),
        ("aws-durable-execution-sdk-python/2.0.0", "Invalid Checkpoint Token"),
        ("aws-durable-execution-sdk-python/1.7.0-bundled", "Invalid Checkpoint Token"),
        ("aws-durable-execution-sdk-js/2.4.0", "Invalid Checkpoint Token"),
        ("aws-durable-execution-sdk-js/2.4.0-bundled", "Invalid Checkpoint Token"),
    ],
)
def test_a_stale_token_is_refused_in_the_words_the_caller_knows(
    make_client: Callable[..., Any], worker: ScriptedWorker, action: str, agent: str, words: str
) -> None:
    api = make_client(user_agent_extra=agent)
    turn = start(api, worker)
    api.checkpoint_durable_execution(DurableExecutionArn=turn.arn, CheckpointToken=turn.token)
    with pytest.raises(api.exceptions.InvalidParameterValueException) as refusal:
        getattr(api, action)(DurableExecutionArn=turn.arn, CheckpointToken=turn.token)
    assert refusal.value.response["Error"]["Message"].startswith(words)


@pytest.mark.parametrize("action", ["checkpoint_durable_execution", "get_durable_execution_state"])
def test_the_state_of_an_execution_that_does_not_exist(api: Any, action: str) -> None:
    # These two actions know no ResourceNotFoundException.
    with pytest.raises(api.exceptions.InvalidParameterValueException, match="nothing"):
        getattr(api, action)(DurableExecutionArn=UNKNOWN, CheckpointToken="YQ==")


def test_an_update_that_cannot_be(api: Any, worker: ScriptedWorker) -> None:
    turn = start(api, worker)
    with pytest.raises(api.exceptions.InvalidParameterValueException) as refusal:
        api.checkpoint_durable_execution(
            DurableExecutionArn=turn.arn, CheckpointToken=turn.token, Updates=[update("WAIT", "SUCCEED")]
        )
    assert "checkpoint token" not in refusal.value.response["Error"]["Message"].lower()


@pytest.mark.parametrize("action", ["get_durable_execution_history", "list_durable_executions_by_function"])
def test_a_marker_of_something_else(api: Any, worker: ScriptedWorker, action: str) -> None:
    turn = start(api, worker)
    target = {"DurableExecutionArn": turn.arn} if action.endswith("history") else {"FunctionName": "held"}
    with pytest.raises(api.exceptions.InvalidParameterValueException, match="'nonsense'"):
        getattr(api, action)(Marker="nonsense", **target)


def test_what_can_be_done_only_once(api: Any, worker: ScriptedWorker) -> None:
    conflict = api.exceptions.ResourceConflictException
    turn = start(api, worker)
    with pytest.raises(conflict, match="only an ended execution can be deleted"):
        api.delete_durable_execution(DurableExecutionArn=turn.arn)
    with pytest.raises(conflict, match="not paused"):
        api.resume_durable_execution(DurableExecutionArn=turn.arn)
    api.pause_durable_execution(DurableExecutionArn=turn.arn)
    with pytest.raises(conflict, match="already"):
        api.pause_durable_execution(DurableExecutionArn=turn.arn)
    api.resume_durable_execution(DurableExecutionArn=turn.arn)
    finish(api, turn)
    with pytest.raises(api.exceptions.InvalidParameterValueException, match="SUCCEEDED"):
        api.stop_durable_execution(DurableExecutionArn=turn.arn)
    with pytest.raises(conflict, match="SUCCEEDED"):
        api.pause_durable_execution(DurableExecutionArn=turn.arn)


def test_a_closed_service(api: Any, service: Service) -> None:
    service.close()
    with pytest.raises(ClientError) as failure:
        api.get_durable_execution(DurableExecutionArn=UNKNOWN)
    assert failure.value.response["Error"]["Code"] == "ServiceException"
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
