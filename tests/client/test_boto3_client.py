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


class CutShort(Shaped):
    """Its first answers lost their end, of which botocore makes answers without members."""

    def __init__(self, result: Any, times: int) -> None:
        super().__init__(result)
        self.times = times

    def checkpoint_durable_execution(self, **arguments: Any) -> Any:
        answered = super().checkpoint_durable_execution(**arguments)
        return {"ResponseMetadata": {"HTTPStatusCode": 200}} if len(self.asked) <= self.times else answered

    get_durable_execution_state = checkpoint_durable_execution


def test_a_checkpoint_whose_answer_was_cut_short_is_repeated_with_its_client_token() -> None:
    cut = CutShort({"CheckpointToken": "t2", "NewExecutionState": {}}, times=3)
    assert Boto3Client(cut).checkpoint(ARN, "t", (), None)["CheckpointToken"] == "t2"
    assert len(cut.asked) == 4
    assert len({asked["ClientToken"] for asked in cut.asked}) == 1
    Boto3Client(cut).checkpoint(ARN, "t", (), None)
    assert cut.asked[-1]["ClientToken"] != cut.asked[0]["ClientToken"]


def test_a_state_that_was_cut_short_is_not_taken_for_an_empty_one() -> None:
    assert Boto3Client(CutShort({"Operations": []}, times=3)).get_state(ARN, "t", None) == {"Operations": []}
    with pytest.raises(ApiError, match="4 times without Operations: the answers were cut short") as raised:
        Boto3Client(CutShort({"Operations": []}, times=4)).get_state(ARN, "t", None)
    assert raised.value.retry_invocation


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
