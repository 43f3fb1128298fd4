"""Typed ids: strings that know what they are."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic import ValidationError as PydanticError

from durably import CallbackId, ExecutionArn, OperationId, SerDesError, ValidationError
from durably.serdes import codec_for, json_codec_for
from durably.types import DurableExecutionArn
from durably.wire.ids import operation_id

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:process:$LATEST/durable-execution/order-7/0a1b2c3d-4e5f"
REAL = [
    ARN,
    "arn:aws:lambda:us-east-2:000000000000:function:f_1-x:12/durable-execution/a/b",
    "arn:aws-cn:lambda:cn-north-1:123456789012:function:process:$LATEST.PUBLISHED/durable-execution/n_1/ID_2",
    "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:p:1/durable-execution/8f14e45f/c4ca4238",
]


def test_the_parts_of_an_arn() -> None:
    arn = ExecutionArn(ARN)
    assert arn == ARN
    assert isinstance(arn, str)
    assert arn.aws_partition == "aws"
    assert arn.region == "eu-west-1"
    assert arn.account == "123456789012"
    assert arn.function_name == "process"
    assert arn.version == "$LATEST"
    assert arn.qualified_function == "process:$LATEST"
    assert arn.execution_name == "order-7"
    assert arn.execution_id == "0a1b2c3d-4e5f"
    assert repr(arn) == repr(ARN)
    assert type(str(arn)) is str
    assert arn.partition(":")[0] == "arn", "it is still a string, with a string's methods"


@pytest.mark.parametrize("arn", REAL)
def test_real_arns_are_accepted(arn: str) -> None:
    assert ExecutionArn(arn) == arn
    assert ExecutionArn(ExecutionArn(arn)) == arn
    parts = DurableExecutionArn.from_arn(arn)
    assert parts is not None
    assert f"{parts.execution_name}/{parts.invocation_id}" in arn


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "process",
        "arn:aws:lambda:eu-west-1:123456789012:function:process",
        "arn:aws:lambda:eu-west-1:123456789012:function:process:prod/durable-execution/a/b",
        "arn:aws:lambda:eu-west-1:12345:function:process:1/durable-execution/a/b",
        "arn:aws:lambda:eu-west-1:123456789012:function:process:1/durable-execution/a",
        "arn:aws:lambda:eu-west-1:123456789012:function:process:1:durable:abc",
        ARN + " ",
        ARN + "x" * 1024,
        None,
        5,
        b"arn",
    ],
)
def test_anything_else_is_no_arn(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="is no ExecutionArn, which is arn:aws:lambda:REGION"):
        ExecutionArn(wrong)
    if isinstance(wrong, str):
        assert DurableExecutionArn.from_arn(wrong) is None


def test_what_was_not_checked_says_so_when_it_is_asked() -> None:
    with pytest.raises(ValidationError, match="'x' is no ExecutionArn"):
        _ = ExecutionArn._trusted("x").region


@pytest.mark.parametrize("good", [operation_id(None, 1), "a", "A-b_9", "x" * 64])
def test_operation_ids(good: str) -> None:
    assert OperationId(good) == good


@pytest.mark.parametrize("wrong", ["", "a b", "x" * 65, "ü", None])
def test_no_operation_ids(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="is no OperationId, which is 1 to 64 characters"):
        OperationId(wrong)


@pytest.mark.parametrize("good", ["abc", "YWJj", "YQ==", "a+/b=", "x" * 1024])
def test_callback_ids(good: str) -> None:
    assert CallbackId(good) == good


@pytest.mark.parametrize("wrong", ["", "a b", "abc===", "a-b", "x" * 1025, 7])
def test_no_callback_ids(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="is no CallbackId, which is base64"):
        CallbackId(wrong)


def test_a_long_one_is_not_repeated_in_full() -> None:
    with pytest.raises(ValidationError) as error:
        OperationId("x" * 5000)
    assert "5002 characters" in str(error.value)
    assert len(str(error.value)) < 300


@dataclass
class Approval:
    callback: CallbackId
    execution: ExecutionArn


class Model(BaseModel):
    execution: ExecutionArn


@pytest.mark.parametrize("value", [ExecutionArn(ARN), CallbackId("YQ=="), OperationId("a")])
def test_they_travel_as_strings(value: Any) -> None:
    assert json.dumps({"id": value}) == json.dumps({"id": str(value)})
    assert pickle.loads(pickle.dumps(value)) == value
    assert type(pickle.loads(pickle.dumps(value))) is type(value)
    assert type(copy.deepcopy(value)) is type(value)
    assert {value: 1}[str(value)] == 1
    text, back = codec_for().round_trip({"id": value, "ids": [value]})
    assert back == {"id": value, "ids": [value]}
    assert json_codec_for().encode({"id": value}) == text.split(',"ids"')[0] + "}"


def test_types_drive_data() -> None:
    approval = Approval(CallbackId("YQ=="), ExecutionArn(ARN))
    text, back = codec_for(Approval).round_trip(approval)
    assert back == approval
    assert type(back.callback) is CallbackId
    assert codec_for(Approval).decode(text).execution.region == "eu-west-1"
    with pytest.raises(SerDesError, match=r"\$\.callback"):
        codec_for(Approval).decode('{"callback": "not base64!", "execution": "x"}')


def test_pydantic_knows_them() -> None:
    model = Model.model_validate({"execution": ARN})
    assert model.execution.execution_name == "order-7"
    assert model.model_dump_json() == json.dumps({"execution": ARN}, separators=(",", ":"))
    with pytest.raises(PydanticError, match="is no ExecutionArn"):
        Model.model_validate({"execution": "x"})
    assert codec_for(Model).round_trip(model)[1] == model
