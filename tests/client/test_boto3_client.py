"""The adapter around real boto3, and around things merely shaped like it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from durably import _version
from durably.client import Boto3Client
from durably.wire.api_errors import CONNECTION_ERROR, ApiError

from .conftest import ARN, ScriptedServer, answer, hang_up


@pytest.fixture
def boto(server: ScriptedServer, credentials: None) -> Iterator[Any]:
    client = boto3.client(
        "lambda", "us-west-2", endpoint_url=server.url, config=Config(retries={"total_max_attempts": 1})
    )
    yield client
    client.close()


def test_an_error_answer_is_an_api_error(server: ScriptedServer, boto: Any) -> None:
    server.default = answer(
        409, b'{"Type":"User","Message":"m"}', headers="x-amzn-ErrorType: ResourceConflictException\r\n"
    )
    with pytest.raises(ApiError) as raised:
        Boto3Client(boto).checkpoint(ARN, "t", [], None)
    assert (raised.value.code, raised.value.message, raised.value.status) == ("ResourceConflictException", "m", 409)
    assert raised.value.__cause__ is not None


def test_no_answer_is_a_connection_error(server: ScriptedServer, boto: Any) -> None:
    server.default = hang_up
    with pytest.raises(ApiError) as raised:
        Boto3Client(boto).get_state(ARN, "t", None)
    assert (raised.value.code, raised.value.status) == (CONNECTION_ERROR, None)
    assert raised.value.retry_invocation


def test_what_boto3_refuses_itself_is_an_invalid_parameter(server: ScriptedServer, boto: Any) -> None:
    with pytest.raises(ApiError) as raised:
        Boto3Client(boto).checkpoint(ARN, "t", [{"Id": "1"}], None)  # type: ignore[typeddict-item]
    assert raised.value.code == "InvalidParameterValueException"
    assert not raised.value.retry_invocation
    assert server.requests == []


def test_the_user_agent_names_durably_once(server: ScriptedServer, boto: Any) -> None:
    server.default = answer(body=json.dumps({"NewExecutionState": {}}).encode())
    Boto3Client(boto)
    Boto3Client(boto).checkpoint(ARN, "t", [], None)
    agent = server.requests[0].headers["user-agent"]
    assert agent.startswith("Boto3/")
    assert agent.split().count(f"durably/{_version.__version__}") == 1


class Shaped:
    """Shaped like boto3's client, with nothing of botocore in it."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.asked: list[dict[str, Any]] = []

    def checkpoint_durable_execution(self, **arguments: Any) -> Any:
        self.asked.append(arguments)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    get_durable_execution_state = checkpoint_durable_execution


def test_anything_shaped_like_it_will_do() -> None:
    shaped = Shaped({"CheckpointToken": "t2", "NewExecutionState": {"Operations": [], "NextMarker": None}})
    client = Boto3Client(shaped)
    assert client.checkpoint(ARN, "t", (), "c") == {"CheckpointToken": "t2", "NewExecutionState": {"Operations": []}}
    assert shaped.asked == [{"DurableExecutionArn": ARN, "CheckpointToken": "t", "Updates": [], "ClientToken": "c"}]


@pytest.mark.parametrize("exc", [ConnectionResetError("gone"), TimeoutError("late")])
def test_plain_network_errors_are_connection_errors(exc: Exception) -> None:
    with pytest.raises(ApiError) as raised:
        Boto3Client(Shaped(exc)).get_state(ARN, "t", "m")
    assert raised.value.code == CONNECTION_ERROR


def test_an_api_error_passes_as_it_is() -> None:
    error = ApiError("ServiceException", "m")
    with pytest.raises(ApiError) as raised:
        Boto3Client(Shaped(error)).get_state(ARN, "t", None)
    assert raised.value is error


def test_a_bug_is_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError):
        Boto3Client(Shaped(ZeroDivisionError())).get_state(ARN, "t", None)


def test_a_client_without_the_operations_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"object has no checkpoint_durable_execution\(\): pass a Lambda client"):
        Boto3Client(object())
